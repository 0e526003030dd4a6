// All projects, the most recently active first.

import { getJson, path, repeat } from "./api.js";
import { h, setTrail } from "./dom.js";
import { ago, moment, number } from "./format.js";

const WAIT_MS = 5000;

export function showProjects(main, entity) {
  setTrail(...(entity ? [[entity]] : []));
  const body = h("div");
  main.replaceChildren(h("div", { class: "head" }, h("h1", null, "Projects")), body);
  repeat(async () => {
    const { projects } = await getJson("/api/projects");
    const shown = entity ? projects.filter((project) => project.entity === entity) : projects;
    body.replaceChildren(shown.length ? table(shown) : welcome());
    return WAIT_MS;
  });
}

function table(projects) {
  const rows = projects.map((project) =>
    h(
      "tr",
      null,
      h("td", null, h("a", { href: `/${path(project.entity, project.name)}` }, project.name)),
      h("td", null, project.entity),
      h("td", { class: "number" }, number(project.runs)),
      h("td", null, h("time", { title: moment(project.active_at) }, ago(project.active_at))),
      h("td", null, moment(project.created_at)),
    ),
  );
  const head = h(
    "tr",
    null,
    h("th", { scope: "col" }, "Name"),
    h("th", { scope: "col" }, "Entity"),
    h("th", { scope: "col", class: "number" }, "Runs"),
    h("th", { scope: "col" }, "Last active"),
    h("th", { scope: "col" }, "Created"),
  );
  return h("div", { class: "card scroll" }, h("table", null, h("thead", null, head), h("tbody", null, rows)));
}

function welcome() {
  const lines = [
    `wandb login --host ${location.origin}`,
    "",
    "import wandb",
    'with wandb.init(project="first") as run:',
    "    for step in range(100):",
    '        run.log({"loss": 1 / (step + 1)})',
  ];
  return h(
    "div",
    { class: "card empty" },
    h("p", null, "No projects yet. Log in from a terminal and log a run:"),
    h("pre", null, lines.join("\n")),
  );
}
