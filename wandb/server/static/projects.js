// All projects, the most recently active first.

import { getJson, path, repeat } from "./api.js";
import { empty, h, setTrail, tag } from "./dom.js";
import { ago, moment, number } from "./format.js";
import { plainTable } from "./project.js";

const WAIT_MS = 5000;

// Where everybody of the entity sees a project, as usual, there is nothing to say.
const ACCESSES = { RESTRICTED: "restricted", PUBLIC: "public" };

export function showProjects(main, entity) {
  setTrail(...(entity ? [[entity]] : []));
  const body = h("div");
  let projects = [];
  const draw = () => {
    const wanted = search.value.toLowerCase();
    const shown = projects.filter((project) => `${project.entity}/${project.name} ${project.description}`.toLowerCase().includes(wanted));
    search.hidden = !projects.length;
    body.replaceChildren(projects.length ? table(shown, !entity) : welcome(entity));
  };
  const search = h("input", {
    type: "search",
    placeholder: "Search projects",
    "aria-label": "Search projects",
    hidden: true,
    oninput: draw,
  });
  const heading = entity ? `Projects of ${entity}` : "Projects";
  main.replaceChildren(h("div", { class: "head" }, h("h1", null, heading), h("span", { class: "space" }), search), body);
  repeat(async () => {
    const found = (await getJson("/api/projects")).projects;
    projects = entity ? found.filter((project) => project.entity === entity) : found;
    draw();
    return WAIT_MS;
  });
}

function table(projects, ofAll) {
  const rows = projects.map((project) => [
    h(
      "span",
      null,
      h("a", { href: `/${path(project.entity, project.name)}` }, project.name),
      project.access in ACCESSES ? [" ", tag(ACCESSES[project.access])] : null,
    ),
    ...(ofAll ? [h("a", { href: `/${path(project.entity)}` }, project.entity)] : []),
    project.description,
    number(project.runs),
    h("time", { title: moment(project.active_at) }, ago(project.active_at)),
    moment(project.created_at),
  ]);
  const columns = [["Name"], ...(ofAll ? [["Entity"]] : []), ["About", "cut"], ["Runs", "number"], ["Last active"], ["Created"]];
  return rows.length ? plainTable(columns, rows) : empty(h("p", null, "No project has this in its name or description."));
}

function welcome(entity) {
  const whose = entity ? `entity="${entity}", ` : "";
  const lines = [
    `wandb login --host ${location.origin}`,
    "",
    "import wandb",
    `with wandb.init(${whose}project="first") as run:`,
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
