// Which page the address means.

import { showArtifact, showArtifacts } from "./artifacts.js";
import { h } from "./dom.js";
import { showProjects } from "./projects.js";
import { showRun } from "./run.js";
import { showRuns } from "./runs.js";
import { showSweep, showSweeps } from "./sweeps.js";

const main = document.getElementById("main");
const [entity, project, part, ...rest] = location.pathname.split("/").slice(1).map(decodeURIComponent);

try {
  if (part === "runs" && rest.length) showRun(main, entity, project, rest[0]);
  else if (part === "artifacts" && rest.length === 3) showArtifact(main, entity, project, ...rest);
  else if (part === "artifacts") showArtifacts(main, entity, project);
  else if (part === "sweeps" && rest.length) showSweep(main, entity, project, rest[0]);
  else if (part === "sweeps") showSweeps(main, entity, project);
  else if (project !== undefined) showRuns(main, entity, project);
  else showProjects(main, entity);
} catch (error) {
  main.replaceChildren(h("p", { class: "notice" }, String(error)));
}
