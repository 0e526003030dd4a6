// The filter of the run table: the expressions of the public Api, written with a few menus or as they are.
//
// A filter is {"$and": [{key: {operator: value}}, …]}; what the menus cannot show is edited as JSON.

import { button, h, icon, iconButton } from "./dom.js";
import { openBeside } from "./popover.js";

const OPERATORS = [
  ["$eq", "="],
  ["$ne", "≠"],
  ["$gt", ">"],
  ["$gte", "≥"],
  ["$lt", "<"],
  ["$lte", "≤"],
  ["$in", "one of"],
  ["$nin", "none of"],
  ["$regex", "matches"],
  ["$exists", "is there"],
];
const SYMBOLS = Object.fromEntries(OPERATORS);
const FACTS = ["state", "display_name", "tags", "group", "job_type", "user", "sweep", "created_at", "notes"];
const STATES = ["running", "finished", "failed", "crashed", "killed", "preempting", "preempted", "pending"];

// The simple conditions of a filter, as [key, operator, value]; null where it holds anything else.
function conditionsOf(filter) {
  const entries = Object.entries(filter).flatMap(([key, wanted]) =>
    key === "$and" && Array.isArray(wanted) ? wanted.flatMap((part) => Object.entries(part ?? {})) : [[key, wanted]],
  );
  const conditions = [];
  for (const [key, wanted] of entries) {
    if (key.startsWith("$")) return null;
    const isObject = wanted !== null && typeof wanted === "object" && !Array.isArray(wanted);
    const operators = isObject ? Object.entries(wanted) : [["$eq", wanted]];
    if (operators.some(([operator]) => !(operator in SYMBOLS))) return null;
    for (const [operator, value] of operators) conditions.push([key, operator, value]);
  }
  return conditions;
}

function filterOf(conditions) {
  if (!conditions.length) return {};
  return { $and: conditions.map(([key, operator, value]) => ({ [key]: operator === "$eq" ? value : { [operator]: value } })) };
}

// The whole question: the filter, and a text that is looked for in names, ids and tags.
export function withSearch(filter, text) {
  if (!text) return filter;
  const pattern = { $regex: `(?i)${text.replace(/[\\^$.|?+*()[\]{}]/g, "\\$&")}` };
  const found = { $or: [{ display_name: pattern }, { name: pattern }, { tags: text }, { group: pattern }] };
  return Object.keys(filter).length ? { $and: [filter, found] } : found;
}

// A value as somebody types it: a number, true, false, null, or else a text.
function typed(text) {
  const trimmed = text.trim();
  if (/^(true|false|null|-?\d+(\.\d+)?(e[+-]?\d+)?)$/i.test(trimmed)) return JSON.parse(trimmed.toLowerCase());
  return trimmed.replace(/^"(.*)"$/, "$1");
}

export class FilterBar {
  // `columns` resolves to what keys there are; `changed` takes the new filter.
  constructor(columns, changed) {
    this.columns = columns;
    this.changed = changed;
    this.opener = h(
      "button",
      { type: "button", class: "with-icon", "aria-haspopup": "dialog", "aria-expanded": "false", onclick: () => this.#open(null) },
      icon("filter"),
      "Filter",
    );
    this.chips = h("span", { class: "chips" });
    this.element = h("span", { class: "filter-bar" }, this.opener, this.chips);
  }

  set(filter) {
    this.filter = filter;
    const conditions = conditionsOf(filter);
    const remove = (index) => this.changed(filterOf(conditions.filter((_, other) => other !== index)));
    if (conditions === null) {
      this.chips.replaceChildren(
        h(
          "span",
          { class: "chip" },
          h("button", { type: "button", onclick: () => this.#openJson() }, "filter as JSON"),
          iconButton("close", "Remove the filter", () => this.changed({})),
        ),
      );
      return;
    }
    this.chips.replaceChildren(
      ...conditions.map((condition, index) =>
        h(
          "span",
          { class: "chip" },
          h("button", { type: "button", title: "Change this condition", onclick: () => this.#open(index) }, spelled(condition)),
          iconButton("close", `Remove ${spelled(condition)}`, () => remove(index)),
        ),
      ),
    );
  }

  async #open(index) {
    const conditions = conditionsOf(this.filter);
    if (conditions === null) {
      this.#openJson();
      return;
    }
    const { columns } = await this.columns();
    const anchor = index === null ? this.opener : this.chips.children[index];
    openBeside(anchor, "Filter", (close) => this.#form(close, conditions, index, columns));
  }

  #form(close, conditions, index, columns) {
    const [key, operator, value] = conditions[index] ?? ["state", "$eq", ""];
    const names = [...FACTS, ...columns.map((column) => column.key)];
    const suggestions = h("datalist", { id: "filter-values" });
    const suggest = () => {
      const known = columns.find((column) => column.key === keyInput.value);
      suggestions.replaceChildren(
        ...(keyInput.value === "state" ? STATES : (known?.values ?? [])).map((item) => h("option", { value: item })),
      );
    };
    const keyInput = h("input", {
      list: "filter-keys",
      value: key,
      "aria-label": "Column",
      required: true,
      oninput: suggest,
      onfocus: (event) => event.target.select(),
      autofocus: true,
    });
    const operatorInput = h(
      "select",
      { "aria-label": "Comparison", onchange: () => (valueInput.hidden = operatorInput.value === "$exists") },
      OPERATORS.map(([name, text]) => h("option", { value: name, selected: name === operator }, text)),
    );
    const valueInput = h("input", {
      list: "filter-values",
      "aria-label": "Value",
      value: Array.isArray(value) ? value.join(", ") : String(value ?? "null"),
      hidden: operator === "$exists",
    });
    suggest();
    const submit = (event) => {
      event.preventDefault();
      const chosen = operatorInput.value;
      const parsed =
        chosen === "$exists"
          ? true
          : ["$in", "$nin"].includes(chosen)
            ? valueInput.value.split(",").map(typed)
            : chosen === "$regex"
              ? valueInput.value
              : typed(valueInput.value);
      const made = [keyInput.value, chosen, parsed];
      close();
      this.changed(filterOf(index === null ? [...conditions, made] : conditions.map((old, other) => (other === index ? made : old))));
    };
    const asJson = h(
      "button",
      {
        type: "button",
        class: "quiet",
        onclick: () => {
          close();
          this.#openJson();
        },
      },
      "Edit as JSON",
    );
    return h(
      "form",
      { class: "filter-form", onsubmit: submit },
      h(
        "datalist",
        { id: "filter-keys" },
        names.map((name) => h("option", { value: name })),
      ),
      suggestions,
      keyInput,
      operatorInput,
      valueInput,
      h("div", { class: "buttons" }, asJson, h("button", { type: "submit", class: "primary" }, index === null ? "Add" : "Change")),
    );
  }

  #openJson() {
    openBeside(this.opener, "Filter as JSON", (close) => {
      const text = h("textarea", { rows: "8", spellcheck: "false", "aria-label": "Filter as JSON", class: "mono", autofocus: true });
      text.value = JSON.stringify(this.filter, null, 2);
      const problem = h("p", { class: "error", role: "alert" });
      const apply = () => {
        try {
          const parsed = JSON.parse(text.value || "{}");
          close();
          this.changed(parsed);
        } catch (error) {
          problem.textContent = error.message;
        }
      };
      return h(
        "div",
        { class: "filter-json" },
        h("p", { class: "hint" }, "As in wandb.Api().runs(filters=…)"),
        text,
        problem,
        h("div", { class: "buttons" }, button("Cancel", close), button("Apply", apply, { class: "primary" })),
      );
    });
  }
}

function spelled([key, operator, value]) {
  const name = key.replace(/^(config|summary|summary_metrics)\./, "");
  if (operator === "$exists") return value ? `${name} is there` : `${name} is missing`;
  return `${name} ${SYMBOLS[operator]} ${Array.isArray(value) ? value.join(", ") : value}`;
}
