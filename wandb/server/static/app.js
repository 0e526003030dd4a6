// Which page the address means, and what every page has: the theme, the shortcuts, the way to other pages.

import { showMissing } from "./dom.js";
import { startShell } from "./shell.js";

const main = document.getElementById("main");
const [entity, project, part, ...rest] = location.pathname.split("/").slice(1).map(decodeURIComponent);

// Each page loads the modules that it needs.
async function show() {
  if (part === "runs" && rest.length) return (await import("./run.js")).showRun(main, entity, project, rest[0]);
  if (part === "artifacts" && rest.length === 3) return (await import("./artifacts.js")).showArtifact(main, entity, project, ...rest);
  if (part === "artifacts") return (await import("./artifacts.js")).showArtifacts(main, entity, project);
  if (part === "sweeps" && rest.length) return (await import("./sweeps.js")).showSweep(main, entity, project, rest[0]);
  if (part === "sweeps") return (await import("./sweeps.js")).showSweeps(main, entity, project);
  if (part === "compare") return (await import("./compare.js")).showComparison(main, entity, project);
  if (part === "queues") return (await import("./queues.js")).showQueues(main, entity, project);
  if (part === "settings") return (await import("./settings.js")).showSettings(main, entity, project);
  if (entity === "account" && !project) return (await import("./settings.js")).showAccount(main);
  if (project) return (await import("./workspace.js")).showWorkspace(main, entity, project);
  return (await import("./projects.js")).showProjects(main, entity);
}

startShell();
show().catch((error) => showMissing(error.message));
