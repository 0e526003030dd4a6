// Charts by the first part of their name, drawn and fetched as they come into view.
//
// Where the numbers come from is the page's business: `source.fetch({axis, runs, keys, range, points})` resolves to
// {complete, runs: {id: {xs, series}}}. The panel keeps what came by run, so that showing one more run asks for that
// run only, and a run that goes on is the only one that is asked for again.

import { Chart } from "./chart.js";
import { colorOf } from "./colors.js";
import { button, empty, h, setText } from "./dom.js";
import { number } from "./format.js";
import { grouped } from "./grouped.js";
import { REST, byName, globOf, searcher, sectionNames, sectionOfMetric } from "./names.js";
import { AXES, PanelTools } from "./panel-tools.js";
import { showDialog } from "./popover.js";
import { saveAs } from "./save.js";
import { View, remember, remembered } from "./url.js";

// A request holds so many charts: the first of a page appear before the last are read.
const KEYS_PER_REQUEST = 12;
const POINTS_WIDE = 1024;
const LEGEND_MAX = 30;
const POINTS_OF_SOME = 400;
const POINTS_OF_MANY = 200;

export class ChartPanel {
  // `prefix` keeps the addresses of several panels of a page apart; `sectionOf` says of each chart its section, and
  // `describe` of each key its chart: {chart, line, title, unit}. Keys that name one chart are lines of it.
  constructor(
    source,
    {
      prefix = "",
      axes = AXES,
      sectionOf = sectionOfMetric,
      describe = (key) => ({ chart: key }),
      note = "No numbers yet. Charts appear as soon as the run logs some.",
    } = {},
  ) {
    this.source = source;
    this.sectionOf = sectionOf;
    this.describe = describe;
    // Chart -> its keys.
    this.members = new Map();
    this.names = Object.fromEntries(
      ["search", "x", "smoothing", "smoothingKind", "outliers", "logX", "logY", "range", "closed"].map((name) => [
        name,
        prefix ? prefix + name[0].toUpperCase() + name.slice(1) : name,
      ]),
    );
    const standards = {
      search: "",
      x: axes[0],
      smoothing: 0,
      smoothingKind: "ema",
      outliers: false,
      logX: false,
      logY: [],
      range: [],
      closed: [],
    };
    this.state = new View(Object.fromEntries(Object.entries(standards).map(([name, standard]) => [this.names[name], standard])));
    this.state.listen((changed) => this.#changed(changed));
    this.runs = [];
    this.axesOfKeys = [];
    this.keys = [];
    this.charts = new Map();
    this.sections = new Map();
    this.visible = new Set();
    this.cache = new Map();
    this.highlighted = null;
    this.watcher = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "250px" });
    this.body = h("div", { class: "panels" });
    this.nothing = empty(note);
    this.tools = new PanelTools(this, axes);
    this.element = h("div", null, this.tools.element, this.nothing, this.body);
    this.setSize(remembered("chart-size", "medium"));
  }

  get(name) {
    return this.state.get(this.names[name]);
  }

  set(name, value) {
    this.state.set({ [this.names[name]]: value });
  }

  // What charts look at when they draw.
  get view() {
    return {
      smoothing: this.get("smoothing"),
      smoothingKind: this.get("smoothingKind"),
      outliers: this.get("outliers"),
      logX: this.get("logX"),
    };
  }

  setSize(size) {
    this.size = size;
    remember("chart-size", size);
    this.body.dataset.size = size;
  }

  useAxis(axis) {
    this.state.set({ [this.names.x]: axis, [this.names.range]: [] });
  }

  isLog(name) {
    return this.get("logY").includes(name);
  }

  rangeOf(axis) {
    const [of, from, to] = this.get("range");
    return of === axis && Number.isFinite(Number(from)) && Number.isFinite(Number(to)) ? [Number(from), Number(to)] : null;
  }

  toggleLog(chart) {
    this.state.toggle(this.names.logY, chart.name);
  }

  zoom(axis, range) {
    if (!range && !this.rangeOf(axis)) return;
    this.set("range", range ? [axis, ...range.map((item) => String(Number(item.toPrecision(12))))] : []);
  }

  // --- What is shown -----------------------------------------------------------------------

  // `runs` are {id, name, color, version, group?}; what is not finished changes its version with each row.
  // `axes` are [pattern, metric]: which metric others are drawn over, as their script defined it.
  show({ runs, keys, axes = [] }) {
    this.runs = runs;
    this.axesOfKeys = axes.map(([pattern, metric]) => [globOf(pattern), metric]);
    this.members = Map.groupBy([...new Set(keys)].sort(byName), (key) => this.describe(key).chart);
    const wanted = [...this.members.keys()].sort(byName);
    if (wanted.join("\n") !== this.keys.join("\n")) {
      this.keys = wanted;
      this.tools.fillAxes(wanted);
      this.#arrange();
    }
    this.nothing.hidden = wanted.length > 0;
    this.#forget();
    this.visible.forEach((key) => this.#fill(key));
    return this.refresh();
  }

  axisOf(key) {
    const chosen = this.get("x");
    if (chosen !== "auto") return chosen;
    return this.axesOfKeys.find(([pattern, metric]) => pattern.test(key) && metric !== key)?.[1] ?? "_step";
  }

  #arrange() {
    const wanted = new Set(this.keys);
    for (const [key, chart] of this.charts) {
      if (wanted.has(key)) continue;
      this.watcher.unobserve(chart.element);
      chart.remove();
      this.charts.delete(key);
      this.visible.delete(key);
    }
    this.sectionNames = sectionNames(this.keys, this.sectionOf);
    for (const [key, chart] of this.charts)
      if (chart.element.closest("details")?.dataset.name !== this.sectionNames.get(key)) this.#put(chart);
    for (const key of this.keys) if (!this.charts.has(key)) this.#add(key);
    this.#applySearch();
  }

  #add(key) {
    const chart = new Chart(key, this, this.axisOf(key), this.describe(this.members.get(key)[0]));
    this.charts.set(key, chart);
    this.#put(chart);
    this.watcher.observe(chart.element);
  }

  #put(chart) {
    const { grid } = this.#section(this.sectionNames.get(chart.name));
    const next = [...grid.children].find((other) => other !== chart.element && byName(other.chart.name, chart.name) > 0);
    grid.insertBefore(chart.element, next ?? null);
  }

  #section(name) {
    if (!this.sections.has(name)) {
      const [grid, count] = [h("div", { class: "grid" }), h("small")];
      const element = h(
        "details",
        { class: "section", open: !this.get("closed").includes(name) },
        h("summary", null, name, " ", count),
        grid,
      );
      element.addEventListener("toggle", () => {
        if (element.open === this.get("closed").includes(name)) this.state.toggle(this.names.closed, name);
      });
      // What has no section of its own comes last.
      const next = [...this.body.children].find(
        (other) =>
          (other.dataset.name === REST) > (name === REST) ||
          ((other.dataset.name === REST) === (name === REST) && byName(other.dataset.name, name) > 0),
      );
      element.dataset.name = name;
      this.body.insertBefore(element, next ?? null);
      this.sections.set(name, { element, grid, count });
    }
    return this.sections.get(name);
  }

  #applySearch() {
    const matches = searcher(this.get("search"));
    this.charts.forEach((chart, key) => (chart.element.hidden = ![key, chart.title ?? "", ...this.members.get(key)].some(matches)));
    for (const [name, { element, grid, count }] of this.sections) {
      if (!grid.children.length) {
        element.remove();
        this.sections.delete(name);
        continue;
      }
      const found = [...grid.children].filter((child) => !child.hidden).length;
      element.hidden = !found;
      setText(count, found === grid.children.length ? number(found) : `${found} of ${grid.children.length}`);
    }
  }

  #changed(changed) {
    const is = (name) => changed.includes(this.names[name]);
    this.tools.update();
    if (is("search")) this.#applySearch();
    if (is("x") || is("range")) {
      this.#forget();
      this.refresh();
    }
    if (["x", "range", "smoothing", "smoothingKind"].some(is)) this.visible.forEach((key) => this.#fill(key));
    else this.charts.forEach((chart, key) => this.visible.has(key) && chart.draw());
    this.large?.draw();
  }

  // --- Fetching ----------------------------------------------------------------------------

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const key = target.chart.name;
      if (isIntersecting) {
        this.visible.add(key);
        this.#fill(key);
      } else this.visible.delete(key);
    }
    this.refresh();
  }

  #place(key) {
    const axis = this.axisOf(key);
    return [axis, this.rangeOf(axis)];
  }

  #entry(axis, range, run) {
    const name = JSON.stringify([axis, range, run.id]);
    if (!this.cache.has(name)) this.cache.set(name, { run: run.id, range, columns: new Map() });
    return this.cache.get(name);
  }

  // Drops what nobody looks at any more: other ranges, and runs that are not shown.
  #forget() {
    const shown = new Set(this.runs.map((run) => run.id));
    for (const [name, entry] of this.cache) {
      const [axis] = JSON.parse(name);
      if (!shown.has(entry.run) || (entry.range && JSON.stringify(entry.range) !== JSON.stringify(this.rangeOf(axis))))
        this.cache.delete(name);
    }
  }

  // The keys of a chart that are not there as they are now.
  #stale(chart) {
    const [axis, range] = this.#place(chart);
    return this.members.get(chart).filter((key) => this.#isStale(axis, range, key));
  }

  #isStale(axis, range, key) {
    return this.runs.some((run) => this.#entry(axis, range, run).columns.get(key)?.version !== run.version);
  }

  // Fetches what is both visible and out of date.
  async refresh() {
    if (this.busy) return;
    this.busy = true;
    // Of a long run that the server is still reading; the next round of the page asks again.
    const partial = new Set();
    try {
      for (;;) {
        const nameOf = (key, member) => JSON.stringify([...this.#place(key), member]);
        const wanted = (key) => this.#stale(key).filter((member) => !partial.has(nameOf(key, member)));
        const shown = this.keys.filter((key) => this.visible.has(key) && !this.charts.get(key).element.hidden);
        const first = shown.find((key) => wanted(key).length);
        if (first === undefined) return;
        const [axis, range] = this.#place(first);
        const alike = shown.filter((key) => this.axisOf(key) === axis);
        const keys = alike.flatMap(wanted).slice(0, KEYS_PER_REQUEST);
        const runs = this.runs.filter((run) => keys.some((key) => this.#entry(axis, range, run).columns.get(key)?.version !== run.version));
        const points = this.runs.length > 30 ? POINTS_OF_MANY : this.runs.length > 4 ? POINTS_OF_SOME : POINTS_WIDE;
        const answer = await this.source.fetch({ axis, range, keys, points, runs: runs.map((run) => run.id) });
        for (const run of runs) this.#keep(axis, range, run, keys, answer);
        new Set(keys.map((key) => this.describe(key).chart)).forEach((key) => this.charts.has(key) && this.#fill(key));
        if (!answer.complete) keys.forEach((key) => partial.add(JSON.stringify([axis, range, key])));
      }
    } finally {
      this.busy = false;
    }
  }

  #keep(axis, range, run, keys, { complete, runs }) {
    const { columns } = this.#entry(axis, range, run);
    const found = runs[run.id];
    for (const key of keys) {
      const column = found?.series[key];
      columns.set(key, { version: complete ? run.version : undefined, data: column ? { ...column, x: found.xs[column.x] } : null });
    }
  }

  #fill(key) {
    const chart = this.charts.get(key);
    const [axis, range] = this.#place(key);
    const lines = this.runs.flatMap((run) => this.#linesOf(key, run, axis, range));
    // Only one run: a colour a metric tells more than one colour for all.
    if (this.runs.length === 1 && lines.length === 1) lines[0].color = this.source.colorOf?.(key) ?? lines[0].color;
    const drawn = grouped(lines);
    const note = this.#stale(key).length ? "Loading…" : "Nothing here in this range.";
    for (const one of [chart, this.large?.name === key ? this.large : null]) one?.setLines(drawn, axis, note);
  }

  #linesOf(key, run, axis, range) {
    const { columns } = this.#entry(axis, range, run);
    const members = this.members.get(key);
    return members.flatMap((member, index) => {
      const data = columns.get(member)?.data;
      if (!data) return [];
      if (members.length === 1) return [{ id: run.id, name: run.name, color: run.color, group: run.group, ...data }];
      return [{ id: `${run.id}/${member}`, name: this.describe(member).line, color: colorOf(index), ...data }];
    });
  }

  // --- What charts share -------------------------------------------------------------------

  point(axis, x) {
    for (const key of this.visible) {
      const chart = this.charts.get(key);
      if (chart.axis === axis) chart.setCursor(x);
    }
  }

  highlight(id) {
    if (this.highlighted === id) return;
    this.highlighted = id;
    this.visible.forEach((key) => this.charts.get(key).draw());
    this.large?.draw();
    this.source.highlighted?.(id);
  }

  menu(chart) {
    return [
      ["Expand", () => this.expand(chart)],
      [this.isLog(chart.name) ? "Linear scale" : "Logarithmic scale", () => this.toggleLog(chart)],
      ...(this.members.get(chart.name).length === 1 ? [["Use as x axis", () => this.useAxis(chart.name)]] : []),
      ["Save as CSV", () => saveAs(`${chart.name.replaceAll("/", "-")}.csv`, new Blob([chart.csv()], { type: "text/csv" }))],
      ["Save as picture", async () => saveAs(`${chart.name.replaceAll("/", "-")}.png`, await chart.picture())],
    ];
  }

  expand(chart) {
    const panel = this;
    const shared = {
      get view() {
        return panel.view;
      },
      get highlighted() {
        return panel.highlighted;
      },
      isLog: (name) => this.isLog(name),
      rangeOf: (axis) => this.rangeOf(axis),
      toggleLog: (which) => this.toggleLog(which),
      zoom: (axis, range) => this.zoom(axis, range),
      highlight: (id) => this.highlight(id),
      menu: (which) => this.menu(which).slice(1),
      point: (axis, x) => this.large.setCursor(x),
    };
    this.large = new Chart(chart.name, shared, chart.axis, chart);
    this.large.setLines(chart.lines, chart.axis, chart.note.textContent);
    return showDialog(
      chart.title ?? chart.name,
      (finish) => [
        this.large.element,
        legend(chart.lines),
        h(
          "div",
          { class: "buttons" },
          button("Close", () => finish()),
        ),
      ],
      "wide",
    ).then(() => {
      this.large.remove();
      this.large = null;
    });
  }
}

// The names of the lines, where there are few enough to be read.
function legend(lines) {
  if (lines.length < 2 || lines.length > LEGEND_MAX) return "";
  const named = lines.map(({ name, color }) => {
    const swatch = h("i", { class: "swatch" });
    swatch.style.color = color;
    return h("span", { class: "layer" }, swatch, name);
  });
  return h("div", { class: "legend" }, named);
}
