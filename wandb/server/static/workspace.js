// A project's runs: the table on one side, the charts of the runs that are shown on the other.

import { getJson, path, repeat } from "./api.js";
import { BulkBar, SHOWN_MAX } from "./bulk.js";
import { colorOf } from "./colors.js";
import { columnChooser } from "./columns.js";
import { h, icon, iconButton, setText, setTrail } from "./dom.js";
import { FilterBar, withSearch } from "./filters.js";
import { count, number } from "./format.js";
import { ChartPanel } from "./panels.js";
import { openBeside } from "./popover.js";
import { projectHead } from "./project.js";
import { FACTS, RunTable, groupColors, groupName } from "./runtable.js";
import { saveAs } from "./save.js";
import { View, remember, remembered } from "./url.js";

const LIVE_WAIT_MS = 2000;
const QUIET_WAIT_MS = 10_000;
const PAGE = 1000;
const RUNS_MAX = 10_000;
// Shown in the charts where nobody chose, and at most.
const SHOWN_STANDARD = 10;
const NONE = "-";
const FACT_COLUMNS = ["created_at", "seconds", "tags"];
const ORDERS = { name: "display_name", id: "name" };
const MODES = [
  ["split", "Table and charts"],
  ["table", "Table only"],
  ["chart", "Charts only"],
];

export function showWorkspace(main, entity, project) {
  setTrail([entity, "/"], [project]);
  const page = new Workspace(entity, project);
  main.classList.add("wide");
  main.replaceChildren(page.element);
  page.start();
}

class Workspace {
  constructor(entity, project) {
    this.base = `/api/projects/${path(entity, project)}`;
    this.home = `/${path(entity, project)}`;
    this.view = new View({ q: "", filter: {}, order: "-created_at", columns: [], group: [], runs: [], mode: "split" });
    this.view.listen((changed) => this.#changed(changed));
    this.answer = { runs: [], matching: 0, total: 0, columns: [] };
    this.wanted = PAGE;
    this.table = new RunTable(this);
    this.panel = new ChartPanel(
      { fetch: (question) => this.#fetch(question), highlighted: (id) => this.table.mark(id) },
      { note: "Charts appear here for the runs that are shown. Pick some with the eyes in the table." },
    );
    this.#build(entity, project);
  }

  #build(entity, project) {
    this.count = h("span", { class: "hint" });
    const search = h("input", {
      type: "search",
      placeholder: "Search runs",
      "aria-label": "Search runs",
      value: this.view.get("q"),
      oninput: () => this.view.set({ q: search.value }),
    });
    this.filter = new FilterBar(
      () => this.columns(),
      (filter) => this.view.set({ filter }),
    );
    this.filter.set(this.view.get("filter"));
    this.grouping = h(
      "button",
      { type: "button", class: "with-icon", "aria-haspopup": "dialog", onclick: () => this.#openGroups() },
      icon("group"),
      h("span"),
    );
    const columns = h(
      "button",
      { type: "button", class: "with-icon", "aria-haspopup": "dialog", onclick: () => this.#openColumns(columns) },
      icon("columns"),
      "Columns",
    );
    const save = iconButton("download", "Save the table as CSV", () =>
      saveAs(`${project}.csv`, new Blob([this.table.csv()], { type: "text/csv" })),
    );
    const share = async () => (await import("./sharing.js")).sharePage(entity, project);
    this.share = iconButton("share", "Share this page", share, { hidden: true });
    this.modes = h(
      "span",
      { class: "segments", role: "group", "aria-label": "Layout" },
      MODES.map(([mode, text]) =>
        h(
          "button",
          { type: "button", title: text, "aria-label": text, "data-mode": mode, onclick: () => this.view.set({ mode }) },
          icon(mode),
        ),
      ),
    );
    const tools = h(
      "div",
      { class: "tools" },
      search,
      this.filter.element,
      this.grouping,
      columns,
      this.count,
      h("span", { class: "space" }),
      save,
      this.share,
      this.modes,
    );
    this.bulk = new BulkBar(this);
    this.side = h("section", { class: "side", "aria-label": "Runs" }, this.bulk.element, this.table.element);
    this.divider = this.#divider();
    this.charts = h("section", { class: "charts", "aria-label": "Charts" }, this.panel.element);
    this.body = h("div", { class: "workspace" }, this.side, this.divider, this.charts);
    this.element = h("div", { class: "workspace-page" }, projectHead(entity, project, "Runs"), tools, this.body);
    this.#setWidth(remembered("side", 460));
    this.#showMode();
  }

  #divider() {
    const bar = h("div", {
      class: "divider",
      role: "separator",
      "aria-orientation": "vertical",
      "aria-label": "Width of the table",
      tabindex: "0",
    });
    bar.addEventListener("pointerdown", (event) => bar.setPointerCapture(event.pointerId));
    bar.addEventListener(
      "pointermove",
      (event) => event.buttons && remember("side", this.#setWidth(event.clientX - this.body.getBoundingClientRect().left)),
    );
    bar.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -40, ArrowRight: 40 }[event.key];
      if (step) remember("side", this.#setWidth(this.side.offsetWidth + step));
    });
    return bar;
  }

  #setWidth(pixels) {
    const width = Math.round(Math.max(220, Math.min(pixels, innerWidth - 320)));
    this.body.style.setProperty("--side", `${width}px`);
    for (const [name, item] of [
      ["now", width],
      ["min", 220],
      ["max", innerWidth - 320],
    ])
      this.divider.setAttribute(`aria-value${name}`, String(item));
    return width;
  }

  #showMode() {
    this.body.dataset.mode = this.view.get("mode");
    for (const item of this.modes.children) item.setAttribute("aria-pressed", String(item.dataset.mode === this.view.get("mode")));
  }

  start() {
    repeat(async () => {
      await this.load();
      return this.answer.runs.some((run) => run.state === "running") ? LIVE_WAIT_MS : QUIET_WAIT_MS;
    });
  }

  columns() {
    this.known ??= getJson(`${this.base}/columns`);
    return this.known;
  }

  // --- Loading -----------------------------------------------------------------------------

  async load() {
    const query = new URLSearchParams({ order: this.#order(), first: this.wanted });
    const filter = withSearch(this.view.get("filter"), this.view.get("q"));
    if (Object.keys(filter).length) query.set("filters", JSON.stringify(filter));
    const columns = this.view.get("columns").length ? this.view.get("columns") : (this.automatic ?? []);
    columns.filter((key) => !(key in FACTS)).forEach((key) => query.append("columns", key));
    for (const key of this.view.get("group").filter((key) => !(key in FACTS))) query.append("with", key);
    const asked = query.toString();
    this.asked = asked;
    const answer = await getJson(`${this.base}/runs?${query}`);
    // Somebody may have asked something else meanwhile.
    if (this.asked !== asked) return;
    this.automatic ??= answer.columns;
    this.answer = answer;
    this.share.hidden = !answer.may_change;
    this.draw();
    await this.#showCharts();
  }

  #order() {
    const order = this.view.get("order");
    const key = order.slice(1);
    return order[0] + (ORDERS[key] ?? key.replace(/^summary\./, "summary_metrics."));
  }

  draw() {
    const { runs, matching, total } = this.answer;
    setText(this.count, matching === total ? count(total, "run") : `${number(matching)} of ${count(total, "run")}`);
    const group = this.view.get("group");
    const names = group.map((key) => key.replace(/^(config|summary)\./, ""));
    setText(this.grouping.lastChild, names.length ? `Grouped by ${names.join(", ")}` : "Group");
    this.colors = group.length ? groupColors(runs, group) : new Map();
    this.#chooseShown();
    const chosen = this.view.get("columns");
    const columns = chosen.length ? chosen : [...FACT_COLUMNS, ...(this.automatic ?? [])];
    const numeric = new Set(columns.filter((key) => runs.some((run) => typeof run.values[key] === "number")));
    this.table.update({
      runs,
      matching: Math.min(matching, RUNS_MAX),
      columns,
      order: this.view.get("order"),
      group,
      colors: this.colors,
      numeric,
    });
    this.bulk.draw();
  }

  more() {
    if (this.wanted >= RUNS_MAX || this.answer.runs.length < this.wanted) return;
    this.wanted = Math.min(RUNS_MAX, this.wanted + PAGE);
    this.load();
  }

  // --- Which runs the charts show ----------------------------------------------------------

  #chooseShown() {
    const chosen = this.view.get("runs");
    const standard = this.view.get("group").length ? SHOWN_MAX : SHOWN_STANDARD;
    const ids = chosen.length ? chosen : this.answer.runs.slice(0, standard).map((run) => run.id);
    this.shown = new Set(ids);
  }

  isShown(run) {
    return this.shown?.has(run.id) ?? false;
  }

  toggleShown(runs, on) {
    const next = new Set(this.shown);
    next.delete(NONE);
    runs.forEach((run) => (on ? next.add(run.id) : next.delete(run.id)));
    const ids = [...next].slice(0, SHOWN_MAX);
    this.view.set({ runs: ids.length ? ids : [NONE] });
  }

  async #showCharts() {
    const shown = this.answer.runs.filter((run) => this.shown.has(run.id)).slice(0, SHOWN_MAX);
    const group = this.view.get("group");
    const runs = shown.map((run) => ({
      id: run.id,
      name: run.name,
      version: run.version,
      color: group.length ? this.colors.get(groupName(run, group)) : colorOf(run.number),
      ...(group.length ? { group: groupName(run, group) } : {}),
    }));
    if (this.view.get("mode") === "table") return;
    const query = new URLSearchParams(shown.map((run) => ["runs", run.id]));
    const { metrics, axes } = shown.length ? await getJson(`${this.base}/metrics?${query}`) : { metrics: [], axes: [] };
    await this.panel.show({ runs, keys: metrics, axes });
  }

  #fetch({ axis, range, keys, points, runs }) {
    const query = new URLSearchParams({ x: axis, points, ...(range ? { from: range[0], to: range[1] } : {}) });
    keys.forEach((key) => query.append("keys", key));
    runs.forEach((run) => query.append("runs", run));
    return getJson(`${this.base}/series?${query}`);
  }

  // --- What the table asks for -------------------------------------------------------------

  address(run) {
    return `${this.home}/runs/${encodeURIComponent(run.id)}`;
  }

  sort(order) {
    this.view.set({ order });
  }

  hover(id) {
    this.panel.highlight(this.view.get("group").length ? null : id);
  }

  select() {
    this.bulk.draw();
  }

  #changed(changed) {
    const is = (...names) => names.some((name) => changed.includes(name));
    if (is("mode")) this.#showMode();
    if (is("filter")) this.filter.set(this.view.get("filter"));
    if (is("q", "filter", "order")) this.table.element.scrollTop = 0;
    this.draw();
    if (is("q", "filter", "order", "columns", "group")) this.load();
    else this.#showCharts();
  }

  // --- Menus -------------------------------------------------------------------------------

  async #openColumns(anchor) {
    const { columns } = await this.columns();
    const chosen = this.view.get("columns");
    openBeside(anchor, "Columns", (close) =>
      columnChooser(close, {
        chosen: chosen.length ? chosen : [...FACT_COLUMNS, ...(this.automatic ?? [])],
        known: columns,
        changed: (next) => this.view.set({ columns: next }),
      }),
    );
  }

  async #openGroups() {
    const { columns } = await this.columns();
    const varied = columns.filter((column) => column.varied && column.key.startsWith("config.")).map((column) => column.key);
    const choose = (key) => {
      const chosen = this.view.get("group");
      const rest = chosen.filter((other) => other !== key);
      this.view.set({ group: key ? (rest.length < chosen.length ? rest : [...chosen, key]) : [], runs: [] });
      mark();
    };
    const items = [
      ["", "No groups"],
      ["group", "Group"],
      ["job_type", "Job type"],
      ["state", "State"],
      ["tags", "Tags"],
      ["sweep", "Sweep"],
      ["user", "User"],
      ...varied.map((key) => [key, key.slice("config.".length)]),
    ].map(([key, text]) => h("button", { type: "button", "data-key": key, onclick: () => choose(key) }, text));
    const mark = () => {
      const chosen = this.view.get("group");
      items.forEach((item) => {
        const on = item.dataset.key ? chosen.includes(item.dataset.key) : !chosen.length;
        item.setAttribute("aria-pressed", String(on));
      });
    };
    mark();
    openBeside(this.grouping, "Group by", () => h("div", { class: "menu" }, items));
  }
}
