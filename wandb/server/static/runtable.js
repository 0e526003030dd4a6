// The runs of a project as a table: only the rows in view are in the page, so that it is as quick with ten thousand.

import { colorOf } from "./colors.js";
import { h, icon, iconButton, stateLabel, tag } from "./dom.js";
import { ago, count, csvLine, duration, moment, number, value } from "./format.js";

const ROW_PIXELS = 31;
const ROWS_BEYOND = 12;
const GROUP_VALUES_MAX = 3;

// The columns that every run has.
export const FACTS = {
  state: { text: "State", show: (run) => stateLabel(run.state) },
  created_at: { text: "Created", show: (run) => h("time", { title: moment(run.created_at) }, ago(run.created_at)) },
  seconds: { text: "Ran for", numeric: true, show: (run) => duration(run.seconds) },
  rows: { text: "Rows", numeric: true, show: (run) => number(run.rows) },
  tags: { text: "Tags", show: (run) => run.tags.map(tag), sortable: false },
  user: { text: "User", show: (run) => run.user },
  group: { text: "Group", show: (run) => run.group ?? "" },
  job_type: { text: "Job type", show: (run) => run.job_type ?? "" },
  sweep: { text: "Sweep", show: (run) => run.sweep ?? "" },
  notes: { text: "Notes", show: (run) => run.notes ?? "" },
  id: { text: "Run id", show: (run) => run.id, order: "name" },
};

export function cellOf(run, column) {
  return column in FACTS ? run[column] : run.values[column];
}

export class RunTable {
  // `page` has `address(run)`, `sort(key)`, `isShown(run)`, `toggleShown(runs)`, `select(ids)`, `more()`, `hover(id)`.
  constructor(page) {
    this.page = page;
    this.runs = [];
    this.items = [];
    Object.assign(this, { columns: [], group: [], matching: 0, order: "", numeric: new Set() });
    this.open = new Set();
    this.selected = new Set();
    this.head = h("thead");
    this.body = h("tbody");
    this.table = h("table", { class: "runs", "aria-label": "Runs" }, this.head, this.body);
    this.element = h("div", { class: "runs-scroll card", tabindex: "-1" }, this.table);
    this.element.addEventListener("scroll", () => this.#schedule(), { passive: true });
    this.body.addEventListener("keydown", (event) => this.#key(event));
    this.body.addEventListener("mouseover", (event) => this.page.hover(event.target.closest("tr")?.dataset.run ?? null));
    this.body.addEventListener("mouseleave", () => this.page.hover(null));
    new ResizeObserver(() => this.#schedule()).observe(this.element);
  }

  // `columns` are keys in order; `group` are the keys by which runs stand together, if any; `colors` are those of groups.
  update({ runs, matching, columns, order, group, colors, numeric }) {
    Object.assign(this, { runs, matching, columns, order, group, colors, numeric });
    const known = new Set(runs.map((run) => run.id));
    this.selected.forEach((id) => known.has(id) || this.selected.delete(id));
    this.#arrange();
    this.#drawHead();
    this.#drawBody(true);
  }

  #arrange() {
    if (!this.group.length) {
      this.items = this.runs.map((run) => ({ run }));
      return;
    }
    this.items = groupsOf(this.runs, this.group).flatMap((group) => [
      { group },
      ...(this.open.has(group.name) ? group.runs.map((run) => ({ run, inGroup: true })) : []),
    ]);
  }

  #drawHead() {
    const focused = document.activeElement?.dataset?.key;
    const all = this.runs.length > 0 && this.runs.every((run) => this.selected.has(run.id));
    const box = h("input", {
      type: "checkbox",
      "aria-label": "Select all runs",
      onchange: () => this.#select(all ? [] : this.runs.map((run) => run.id)),
    });
    box.checked = all;
    box.indeterminate = !all && this.selected.size > 0;
    const allShown = this.runs.length > 0 && this.runs.every((run) => this.page.isShown(run));
    const eye = iconButton(
      allShown ? "eye" : "hidden",
      allShown ? "Hide all in the charts" : "Show all in the charts",
      () => this.page.toggleShown(this.runs, !allShown),
      { "data-key": "eye" },
    );
    this.head.replaceChildren(
      h(
        "tr",
        null,
        h("th", { class: "pick" }, box),
        h("th", { class: "pick" }, eye),
        this.#heading("name", "Name", "name-cell"),
        this.columns.map((key) => this.#columnHeading(key)),
      ),
    );
    if (focused) this.head.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  #columnHeading(key) {
    const fact = FACTS[key];
    const numeric = fact ? fact.numeric : this.numeric.has(key);
    if (fact?.sortable === false) return h("th", { scope: "col" }, fact.text);
    const [group, ...rest] = fact ? [] : key.split(".");
    const title = fact ? fact.text : h("span", { title: `${rest.join(".")} of the ${group}` }, rest.join("."));
    return this.#heading(key, title, numeric ? "number" : null);
  }

  #heading(key, text, kind) {
    const descending = this.order.startsWith("-");
    const active = this.order.slice(1) === key;
    const sorted = active ? (descending ? "descending" : "ascending") : null;
    const arrow = active ? h("span", { "aria-hidden": "true" }, descending ? " ↓" : " ↑") : null;
    return h(
      "th",
      { scope: "col", class: kind, "aria-sort": sorted },
      h(
        "button",
        { type: "button", "data-key": key, onclick: () => this.page.sort(active && descending ? `+${key}` : `-${key}`) },
        text,
        arrow,
      ),
    );
  }

  #schedule() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.#drawBody(false);
    });
  }

  #drawBody(anew) {
    const first = Math.max(0, Math.floor(this.element.scrollTop / ROW_PIXELS) - ROWS_BEYOND);
    const end = Math.min(this.items.length, Math.ceil((this.element.scrollTop + this.element.clientHeight) / ROW_PIXELS) + ROWS_BEYOND);
    if (end >= this.items.length && this.runs.length < this.matching) this.page.more();
    if (!anew && this.drawn?.first === first && this.drawn.end === end) return;
    this.drawn = { first, end };
    const focused = document.activeElement?.closest?.("tr")?.dataset?.item;
    // Rows that stay in view are not built again while the table is only scrolled.
    if (anew) this.built = new Map();
    const kept = this.built ?? new Map();
    this.built = new Map();
    const rows = this.items.slice(first, end).map((item, index) => {
      const name = itemName(item);
      const row = kept.get(name) ?? this.#row(item, first + index);
      this.built.set(name, row);
      return row;
    });
    if (!rows.length) rows.push(h("tr", null, h("td", { class: "empty", colspan: this.columns.length + 3 }, "No runs to show.")));
    this.body.replaceChildren(spacer(first), ...rows, spacer(this.items.length - end));
    this.table.setAttribute("aria-rowcount", String(this.items.length + 1));
    if (focused !== undefined) this.body.querySelector(`tr[data-item="${CSS.escape(focused)}"]`)?.focus();
  }

  #row({ run, group, inGroup }, place) {
    return group ? this.#groupRow(group, place) : this.#runRow(run, place, inGroup);
  }

  #runRow(run, place, inGroup) {
    const shown = this.page.isShown(run);
    const swatch = h("i", { class: shown ? "swatch" : "swatch off" });
    swatch.style.color = this.group.length ? this.colors.get(groupName(run, this.group)) : colorOf(run.number);
    const box = h("input", {
      type: "checkbox",
      tabindex: "-1",
      "aria-label": `Select ${run.name}`,
      onchange: (event) => this.#pick([run.id], event.target.checked),
    });
    box.checked = this.selected.has(run.id);
    const eye = iconButton(
      shown ? "eye" : "hidden",
      shown ? `Hide ${run.name} in the charts` : `Show ${run.name} in the charts`,
      () => this.page.toggleShown([run], !shown),
      { tabindex: "-1", "aria-pressed": String(shown) },
    );
    const name = h(
      "td",
      { class: inGroup ? "name-cell inner" : "name-cell" },
      swatch,
      h("a", { href: this.page.address(run), tabindex: "-1", title: run.notes ? `${run.name}\n${run.notes}` : run.name }, run.name),
      this.columns.includes("state") ? null : h("span", { class: `state bare ${run.state}`, title: run.state }),
    );
    return h(
      "tr",
      {
        class: [shown ? null : "off", box.checked ? "picked" : null].filter(Boolean).join(" ") || null,
        tabindex: "0",
        "data-run": run.id,
        "data-item": run.id,
        "aria-rowindex": place + 2,
        "aria-selected": String(box.checked),
      },
      h("td", { class: "pick" }, box),
      h("td", { class: "pick" }, eye),
      name,
      this.columns.map((key) => this.#cell(run, key)),
    );
  }

  #cell(run, key) {
    const fact = FACTS[key];
    if (fact) return h("td", { class: fact.numeric ? "number" : "cut" }, fact.show(run));
    const text = value(run.values[key]);
    return h("td", { class: this.numeric.has(key) ? "number" : "cut", title: text.length > 24 ? text : null }, text);
  }

  #groupRow(group, place) {
    const open = this.open.has(group.name);
    const shown = group.runs.every((run) => this.page.isShown(run));
    const box = h("input", {
      type: "checkbox",
      tabindex: "-1",
      "aria-label": `Select the runs of ${group.name}`,
      onchange: (event) =>
        this.#pick(
          group.runs.map((run) => run.id),
          event.target.checked,
        ),
    });
    box.checked = group.runs.every((run) => this.selected.has(run.id));
    const eye = iconButton(
      shown ? "eye" : "hidden",
      `${shown ? "Hide" : "Show"} the runs of ${group.name} in the charts`,
      () => this.page.toggleShown(group.runs, !shown),
      { tabindex: "-1" },
    );
    const swatch = h("i", { class: shown ? "swatch" : "swatch off" });
    swatch.style.color = this.colors.get(group.name);
    const toggle = () => {
      if (!this.open.delete(group.name)) this.open.add(group.name);
      this.#arrange();
      this.#drawBody(true);
    };
    const name = h(
      "button",
      { type: "button", class: "quiet group-name", "aria-expanded": String(open), onclick: toggle },
      icon(open ? "down" : "chevron"),
      swatch,
      h("b", null, group.name),
      h("span", { class: "hint" }, count(group.runs.length, "run")),
    );
    return h(
      "tr",
      { class: "group-row", tabindex: "0", "data-item": `group ${group.name}`, "aria-rowindex": place + 2 },
      h("td", { class: "pick" }, box),
      h("td", { class: "pick" }, eye),
      h("td", { class: "name-cell" }, name),
      this.columns.map((key) =>
        h("td", { class: this.numeric.has(key) || FACTS[key]?.numeric ? "number" : "cut" }, summary(group.runs, key)),
      ),
    );
  }

  #pick(ids, on) {
    const next = new Set(this.selected);
    ids.forEach((id) => (on ? next.add(id) : next.delete(id)));
    this.#select([...next]);
  }

  #select(ids) {
    this.selected = new Set(ids);
    this.#drawHead();
    this.#drawBody(true);
    this.page.select([...this.selected]);
  }

  // What the table shows, all rows of it.
  csv() {
    const head = ["id", "name", ...this.columns.map((key) => FACTS[key]?.text ?? key)];
    const cell = (run, key) =>
      key === "tags" ? run.tags.join(" ") : key === "created_at" ? new Date(run.created_at * 1000).toISOString() : cellOf(run, key);
    return [head, ...this.runs.map((run) => [run.id, run.name, ...this.columns.map((key) => cell(run, key))])].map(csvLine).join("");
  }

  clearSelection() {
    this.#select([]);
  }

  redraw() {
    this.#drawHead();
    this.#drawBody(true);
  }

  // Rows: up and down or k and j move, Enter opens, x selects, Space shows or hides in the charts.
  #key(event) {
    const row = event.target.closest("tr[tabindex]");
    if (!row || event.target !== row || event.metaKey || event.ctrlKey) return;
    const run = this.runs.find((one) => one.id === row.dataset.run);
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (step) this.#focus(this.items.findIndex((item) => itemName(item) === row.dataset.item) + step);
    else if (event.key === "x") row.querySelector("input").click();
    else if (event.key === " ") row.querySelectorAll("td.pick button")[0].click();
    else if (event.key === "Enter") (run ? row.querySelector("a") : row.querySelector(".group-name")).click();
    else return;
    event.preventDefault();
  }

  #focus(index) {
    if (index < 0 || index >= this.items.length) return;
    const top = index * ROW_PIXELS;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top + 3 * ROW_PIXELS > this.element.scrollTop + this.element.clientHeight)
      this.element.scrollTop = top + 3 * ROW_PIXELS - this.element.clientHeight;
    this.#drawBody(false);
    this.body.querySelector(`tr[data-item="${CSS.escape(itemName(this.items[index]))}"]`)?.focus();
  }

  mark(id) {
    this.body.querySelectorAll("tr.marked").forEach((row) => row.classList.remove("marked"));
    if (id) this.body.querySelector(`tr[data-run="${CSS.escape(id)}"]`)?.classList.add("marked");
  }
}

function itemName({ run, group }) {
  return run ? run.id : `group ${group.name}`;
}

function spacer(rows) {
  const row = h("tr", { class: "spacer", "aria-hidden": "true" }, h("td"));
  row.style.height = `${Math.max(0, rows) * ROW_PIXELS}px`;
  return row;
}

// Where several keys make the groups, a name has a value of each.
export function groupName(run, keys) {
  return keys.map((key) => groupValue(run, key)).join(" · ");
}

function groupValue(run, key) {
  const item = cellOf(run, key);
  if (Array.isArray(item)) return item.join(", ") || "none";
  return item === undefined || item === null || item === "" ? "none" : value(item);
}

// A colour for each group, by its place among their names: neighbours are far apart.
export function groupColors(runs, keys) {
  const names = [...new Set(runs.map((run) => groupName(run, keys)))].sort();
  return new Map(names.map((name, index) => [name, colorOf(index)]));
}

function groupsOf(runs, keys) {
  const groups = new Map();
  for (const run of runs) {
    const name = groupName(run, keys);
    if (!groups.has(name)) groups.set(name, { name, runs: [] });
    groups.get(name).runs.push(run);
  }
  return [...groups.values()];
}

// What the runs of a group have in a column: the mean of numbers, else the different values.
function summary(runs, key) {
  const items = runs.map((run) => cellOf(run, key)).filter((item) => item !== undefined && item !== null && item !== "");
  if (items.length && items.every((item) => typeof item === "number")) {
    if (key === "created_at") return ago(Math.max(...items));
    const mean = items.reduce((sum, item) => sum + item, 0) / items.length;
    return h(
      "span",
      { title: `mean of ${items.length}, ${number(Math.min(...items))} to ${number(Math.max(...items))}` },
      key === "seconds" ? duration(mean) : number(mean),
    );
  }
  const texts = [...new Set(items.flat().map(value))];
  return texts.length > GROUP_VALUES_MAX ? `${texts.length} values` : texts.join(", ");
}
