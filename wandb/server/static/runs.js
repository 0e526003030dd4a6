// The runs of a project as a table that sorts by any column.

import { getJson, path, repeat } from "./api.js";
import { h, setTrail } from "./dom.js";
import { ago, duration, flat, moment, number, value } from "./format.js";
import { projectTabs } from "./project.js";

const LIVE_WAIT_MS = 2000;
const QUIET_WAIT_MS = 10_000;
const COLUMNS_PER_GROUP_MAX = 6;

export function showRuns(main, entity, project) {
  setTrail([entity, "/"], [project]);
  const table = new RunTable(entity, project);
  main.replaceChildren(table.element);
  repeat(async () => {
    const answer = await getJson(`/api/projects/${path(entity, project)}/runs`);
    table.update(answer);
    return answer.runs.some((run) => run.state === "running") ? LIVE_WAIT_MS : QUIET_WAIT_MS;
  });
}

class RunTable {
  constructor(entity, project) {
    this.address = (run) => `/${path(entity, project)}/runs/${encodeURIComponent(run.id)}`;
    this.sort = { key: "created_at", descending: true };
    this.filter = "";
    this.head = h("thead");
    this.body = h("tbody");
    this.count = h("span", { class: "hint" });
    const search = h("input", { type: "search", placeholder: "Filter runs", "aria-label": "Filter runs", oninput: () => { this.filter = search.value.toLowerCase(); this.draw(); } });
    this.table = h("div", { class: "card scroll" }, h("table", null, this.head, this.body));
    this.element = h("div", { hidden: true }, h("div", { class: "head" }, h("h1", null, project), this.count), projectTabs(entity, project, "Runs"), h("div", { class: "tools" }, search), this.table);
  }

  update({ runs, total }) {
    this.element.hidden = false;
    this.runs = runs.map((run) => ({ ...run, config: Object.fromEntries(flat(run.config)), summary: Object.fromEntries(flat(run.summary)) }));
    this.count.textContent = total > runs.length ? `newest ${runs.length} of ${number(total)} runs` : `${total} ${total === 1 ? "run" : "runs"}`;
    this.columns = [
      { key: "name", text: "Name", get: (run) => run.name, show: (run) => h("a", { href: this.address(run) }, run.name) },
      { key: "state", text: "State", get: (run) => run.state, show: (run) => h("span", { class: `state ${run.state}` }, run.state) },
      { key: "created_at", text: "Created", get: (run) => run.created_at, show: (run) => h("time", { title: moment(run.created_at) }, ago(run.created_at)) },
      { key: "seconds", text: "Ran for", numeric: true, get: (run) => run.seconds, show: (run) => duration(run.seconds) },
      { key: "rows", text: "Rows", numeric: true, get: (run) => run.rows, show: (run) => number(run.rows) },
      ...this.#group("summary"),
      ...this.#group("config"),
    ];
    this.draw();
  }

  // The scalar keys that most runs have, the ones that differ between runs first.
  #group(name) {
    const values = new Map();
    for (const run of this.runs) {
      for (const [key, item] of Object.entries(run[name])) {
        if (key.startsWith("_") || (item !== null && typeof item === "object")) continue;
        if (!values.has(key)) values.set(key, []);
        values.get(key).push(item);
      }
    }
    const weight = (items) => items.length + (new Set(items).size > 1 ? this.runs.length : 0);
    return [...values.entries()]
      .sort((a, b) => weight(b[1]) - weight(a[1]) || (a[0] < b[0] ? -1 : 1))
      .slice(0, COLUMNS_PER_GROUP_MAX)
      .map(([key, items], index) => ({
        key: `${name}.${key}`, text: key, first: index === 0,
        numeric: items.every((item) => typeof item === "number" || item === "NaN"),
        get: (run) => run[name][key], show: (run) => value(run[name][key]),
      }));
  }

  draw() {
    const style = (column) => [column.numeric && "number", column.first && "group", !column.numeric && "cut"].filter(Boolean).join(" ");
    const sorted = { true: "descending", false: "ascending" }[this.sort.descending];
    const focused = document.activeElement?.dataset?.key;
    this.head.replaceChildren(
      h("tr", null, this.columns.map((column) => {
        const active = column.key === this.sort.key;
        const arrow = active ? (this.sort.descending ? " ↓" : " ↑") : "";
        return h("th", { scope: "col", class: style(column), "aria-sort": active ? sorted : null }, h("button", { type: "button", "data-key": column.key, onclick: () => this.#sortBy(column.key) }, column.text + arrow));
      })),
    );
    if (focused) this.head.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    const shown = this.runs.filter((run) => `${run.name} ${run.id} ${run.state} ${run.tags.join(" ")}`.toLowerCase().includes(this.filter));
    const column = this.columns.find((item) => item.key === this.sort.key) ?? this.columns[2];
    shown.sort((a, b) => compare(column.get(a), column.get(b), this.sort.descending));
    this.body.replaceChildren(...shown.map((run) => h("tr", null, this.columns.map((item) => h("td", { class: style(item) }, item.show(run))))));
    if (!shown.length) this.body.append(h("tr", null, h("td", { class: "empty", colspan: this.columns.length }, "No runs to show.")));
  }

  #sortBy(key) {
    this.sort = { key, descending: this.sort.key === key ? !this.sort.descending : true };
    this.draw();
  }
}

// Runs without a value stay at the end whichever way the column is sorted.
function compare(a, b, descending) {
  const [emptyA, emptyB] = [a === undefined || a === null, b === undefined || b === null];
  if (emptyA || emptyB) return emptyA - emptyB;
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
  return descending ? -order : order;
}
