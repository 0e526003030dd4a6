// A table of any length that sorts, filters and pages; used for logged tables.

import { h, iconButton, setText } from "./dom.js";
import { csvLine, number, value } from "./format.js";
import { byName } from "./names.js";
import { saveAs } from "./save.js";

const ROWS_PER_PAGE = 50;
const TEXT_MAX = 300;

export class DataTable {
  // `cell(item, column)` may return an element for what is not a plain value.
  constructor({ columns, data }, cell) {
    Object.assign(this, { columns, data, cell });
    this.sort = null;
    this.page = 0;
    this.search = h("input", {
      type: "search",
      placeholder: "Filter rows",
      "aria-label": "Filter rows",
      title: "A text, or a condition such as score > 0.5",
      oninput: () => {
        this.page = 0;
        this.draw();
      },
    });
    this.count = h("span", { class: "hint" });
    this.before = iconButton("chevron", "Page before", () => this.#turn(-1), { class: "quiet icon-button turned" });
    this.after = iconButton("chevron", "Next page", () => this.#turn(1));
    const save = iconButton("download", "Save as CSV", () => saveAs("table.csv", new Blob([this.csv()], { type: "text/csv" })));
    this.head = h("thead");
    this.body = h("tbody");
    this.element = h(
      "div",
      { class: "data-table" },
      h("div", { class: "tools" }, this.search, this.count, h("span", { class: "space" }), this.before, this.after, save),
      h("div", { class: "scroll" }, h("table", null, this.head, this.body)),
    );
    this.draw();
  }

  #turn(step) {
    this.page += step;
    this.draw();
  }

  #rows() {
    const matches = rowFilter(this.search.value, this.columns);
    const found = this.data.filter(matches);
    if (!this.sort) return found;
    const { column, descending } = this.sort;
    return [...found].sort((a, b) => compare(a[column], b[column]) * (descending ? -1 : 1));
  }

  draw() {
    const rows = this.#rows();
    const pages = Math.max(1, Math.ceil(rows.length / ROWS_PER_PAGE));
    this.page = Math.max(0, Math.min(this.page, pages - 1));
    const first = this.page * ROWS_PER_PAGE;
    const shown = rows.slice(first, first + ROWS_PER_PAGE);
    setText(this.count, rows.length ? `${number(first + 1)}–${number(first + shown.length)} of ${number(rows.length)} rows` : "No rows");
    this.before.disabled = this.page === 0;
    this.after.disabled = this.page >= pages - 1;
    const numeric = this.columns.map(
      (_, column) => shown.length > 0 && shown.every((row) => typeof row[column] === "number" || row[column] === null),
    );
    this.head.replaceChildren(
      h(
        "tr",
        null,
        this.columns.map((name, column) => this.#heading(String(name), column, numeric[column])),
      ),
    );
    this.body.replaceChildren(
      ...shown.map((row) =>
        h(
          "tr",
          null,
          row.map((item, column) => h("td", { class: numeric[column] ? "number" : "cut" }, this.#content(item, column))),
        ),
      ),
    );
  }

  #heading(name, column, numeric) {
    const active = this.sort?.column === column;
    const arrow = active ? h("span", { "aria-hidden": "true" }, this.sort.descending ? " ↓" : " ↑") : null;
    const next = !active ? { column, descending: false } : this.sort.descending ? null : { column, descending: true };
    return h(
      "th",
      { scope: "col", class: numeric ? "number" : null, "aria-sort": active ? (this.sort.descending ? "descending" : "ascending") : null },
      h(
        "button",
        {
          type: "button",
          onclick: () => {
            this.sort = next;
            this.draw();
          },
        },
        name,
        arrow,
      ),
    );
  }

  #content(item, column) {
    const element = this.cell?.(item, column);
    if (element) return element;
    const text = value(item);
    return text.length > TEXT_MAX ? h("span", { title: text.slice(0, 2000) }, `${text.slice(0, TEXT_MAX)}…`) : text;
  }

  csv() {
    return [this.columns, ...this.#rows()].map(csvLine).join("");
  }
}

// A condition on a column where the text is one, else a text that any cell may hold.
function rowFilter(text, columns) {
  const found = text.match(/^\s*(.+?)\s*(>=|<=|!=|=|>|<)\s*(.+?)\s*$/);
  const column = found ? columns.findIndex((name) => String(name).toLowerCase() === found[1].toLowerCase()) : -1;
  if (column < 0) {
    const wanted = text.trim().toLowerCase();
    return wanted ? (row) => row.some((item) => value(item).toLowerCase().includes(wanted)) : () => true;
  }
  const [, , operator, operand] = found;
  const order = (row) =>
    compare(
      row[column],
      typeof row[column] === "number" ? Number(operand) : typeof row[column] === "boolean" ? operand === "true" : operand,
    );
  return {
    ">": (row) => order(row) > 0,
    "<": (row) => order(row) < 0,
    ">=": (row) => order(row) >= 0,
    "<=": (row) => order(row) <= 0,
    "=": (row) => order(row) === 0,
    "!=": (row) => order(row) !== 0,
  }[operator];
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [emptyA, emptyB] = [a === null || a === undefined, b === null || b === undefined];
  if (emptyA || emptyB) return emptyA - emptyB;
  return byName(value(a), value(b));
}
