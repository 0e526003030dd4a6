// Which page the address means.

import { h } from "./dom.js";
import { showProjects } from "./projects.js";
import { showRun } from "./run.js";
import { showRuns } from "./runs.js";

const main = document.getElementById("main");
const [entity, project, runs, id] = location.pathname.split("/").slice(1).map(decodeURIComponent);

try {
  if (id !== undefined && runs === "runs") showRun(main, entity, project, id);
  else if (project !== undefined) showRuns(main, entity, project);
  else showProjects(main, entity);
} catch (error) {
  main.replaceChildren(h("p", { class: "notice" }, String(error)));
}
