// What the pages of a project have in common: the heading and the tabs.

import { path } from "./api.js";
import { h } from "./dom.js";

const PARTS = [
  ["", "Runs"],
  ["/artifacts", "Artifacts"],
  ["/sweeps", "Sweeps"],
  ["/queues", "Queues"],
  ["/settings", "Settings"],
];

export function projectHead(entity, project, current) {
  const base = `/${path(entity, project)}`;
  const links = PARTS.map(([part, text]) => h("a", { href: base + part, "aria-current": text === current ? "page" : null }, text));
  return h("div", { class: "head" }, h("h1", null, project), h("nav", { class: "tabs", "aria-label": "Parts of the project" }, links));
}

// A table with a heading row; a column is [heading, class].
export function plainTable(columns, rows) {
  const head = h(
    "tr",
    null,
    columns.map(([text, kind]) => h("th", { scope: "col", class: kind }, text)),
  );
  const body = rows.map((cells) =>
    h(
      "tr",
      null,
      cells.map((cell, index) => h("td", { class: columns[index][1] }, cell)),
    ),
  );
  return h("div", { class: "card scroll" }, h("table", null, h("thead", null, head), h("tbody", null, body)));
}
