// Charts by the first part of their name, drawn and fetched as they come into view.
//
// Where the numbers come from is the page's business: `source.fetch({axis, runs, keys, range, points})` resolves to
// {complete, runs: {id: {xs, series}}}. The panel keeps what came by run, so that showing one more run asks for that
// run only, and a run that goes on is the only one that is asked for again.

import { Chart } from "./chart.js";
import { button, empty, h, icon, setText } from "./dom.js";
import { number } from "./format.js";
import { grouped } from "./grouped.js";
import { popoverButton, showDialog } from "./popover.js";
import { SMOOTHINGS } from "./smoothing.js";
import { View, remember, remembered } from "./url.js";

// A request holds so many charts: the first of a page appear before the last are read.
const KEYS_PER_REQUEST = 12;
const POINTS_WIDE = 1024;
const POINTS_OF_MANY = 400;
const SIZES = { small: "Small", medium: "Medium", large: "Large" };
const SYSTEM_SECTIONS = { gpu: "GPU", tpu: "TPU", trn: "Trainium", proc: "Process", disk: "Disk", network: "Network" };
const REST = "Metrics";
const AXES = { auto: "Automatic", _step: "Step", _runtime: "Run time", _timestamp: "Clock time" };

export class ChartPanel {
  // `prefix` keeps the addresses of several panels of a page apart; `named` says of each key its section.
  constructor(source, { prefix = "", axes = Object.keys(AXES), sectionOf = sectionOfMetric, note = "No numbers yet. Charts appear as soon as the run logs some." } = {}) {
    this.source = source;
    this.sectionOf = sectionOf;
    this.standardAxes = axes;
    this.names = Object.fromEntries(["search", "x", "smoothing", "smoothingKind", "outliers", "logX", "logY", "range", "closed"].map((name) => [name, prefix ? prefix + name[0].toUpperCase() + name.slice(1) : name]));
    const standards = { search: "", x: axes[0], smoothing: 0, smoothingKind: "ema", outliers: false, logX: false, logY: [], range: [], closed: [] };
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
    this.element = h("div", null, this.#tools(), this.nothing, this.body);
    this.#setSize(remembered("chart-size", "medium"));
  }

  #get(name) {
    return this.state.get(this.names[name]);
  }

  #set(name, value) {
    this.state.set({ [this.names[name]]: value });
  }

  // What charts look at when they draw.
  get view() {
    return { smoothing: this.#get("smoothing"), smoothingKind: this.#get("smoothingKind"), outliers: this.#get("outliers"), logX: this.#get("logX") };
  }

  isLog(name) {
    return this.#get("logY").includes(name);
  }

  rangeOf(axis) {
    const [of, from, to] = this.#get("range");
    return of === axis && Number.isFinite(Number(from)) && Number.isFinite(Number(to)) ? [Number(from), Number(to)] : null;
  }

  toggleLog(chart) {
    this.state.toggle(this.names.logY, chart.name);
  }

  zoom(axis, range) {
    if (!range && !this.rangeOf(axis)) return;
    this.#set("range", range ? [axis, ...range.map((item) => String(Number(item.toPrecision(12))))] : []);
  }

  // --- The row of tools --------------------------------------------------------------------

  #tools() {
    this.search = h("input", { type: "search", placeholder: "Search metrics", "aria-label": "Search metrics", value: this.#get("search"), oninput: () => this.#set("search", this.search.value) });
    this.axis = h("select", { "aria-label": "X axis", onchange: () => this.state.set({ [this.names.x]: this.axis.value, [this.names.range]: [] }) });
    this.shown = h("output", null, this.#get("smoothing").toFixed(2));
    this.slider = h("input", { type: "range", min: "0", max: "0.99", step: "0.01", value: this.#get("smoothing"), "aria-label": "Smoothing", oninput: () => this.#set("smoothing", Number(this.slider.value)) });
    const more = popoverButton([icon("settings"), "View"], "How charts are drawn", () => this.#options(), { class: "with-icon" });
    this.#fillAxes([]);
    return h("div", { class: "tools" }, this.search, h("label", null, "X axis", this.axis), h("label", null, "Smoothing", this.slider, this.shown), more);
  }

  #options() {
    const radio = (group, value, text, checked, act) => h("label", { class: "option" }, h("input", { type: "radio", name: group, value, checked, onchange: act }), text);
    const check = (name, text) => h("label", { class: "option" }, h("input", { type: "checkbox", checked: this.#get(name), onchange: (event) => this.#set(name, event.target.checked) }), text);
    const group = (title, ...items) => h("fieldset", null, h("legend", null, title), items);
    return [
      group("Smoothing", SMOOTHINGS.map(([kind, text]) => radio("smoothing", kind, text, this.#get("smoothingKind") === kind, () => this.#set("smoothingKind", kind)))),
      group("Scales", check("outliers", "Leave outliers out of view"), check("logX", "Logarithmic x axis")),
      group("Size of charts", Object.entries(SIZES).map(([size, text]) => radio("size", size, text, this.size === size, () => this.#setSize(size)))),
    ];
  }

  #setSize(size) {
    this.size = size in SIZES ? size : "medium";
    remember("chart-size", this.size);
    this.body.dataset.size = this.size;
  }

  #fillAxes(keys) {
    const options = this.standardAxes.map((key) => h("option", { value: key }, AXES[key]));
    const chosen = this.#get("x");
    const metrics = new Set(keys);
    if (!this.standardAxes.includes(chosen)) metrics.add(chosen);
    const others = [...metrics].sort().map((key) => h("option", { value: key }, key));
    this.axis.replaceChildren(...options, others.length ? h("optgroup", { label: "Metrics" }, others) : "");
    this.axis.value = chosen;
  }

  // --- What is shown -----------------------------------------------------------------------

  // `runs` are {id, name, color, version, group?}; what is not finished changes its version with each row.
  // `axes` are [pattern, metric]: which metric others are drawn over, as their script defined it.
  show({ runs, keys, axes = [] }) {
    this.runs = runs;
    this.axesOfKeys = axes.map(([pattern, metric]) => [globOf(pattern), metric]);
    const wanted = [...new Set(keys)].sort(byName);
    if (wanted.join("\n") !== this.keys.join("\n")) {
      this.keys = wanted;
      this.#fillAxes(wanted);
      this.#arrange();
    }
    this.nothing.hidden = wanted.length > 0;
    this.#forget();
    this.visible.forEach((key) => this.#fill(key));
    return this.refresh();
  }

  axisOf(key) {
    const chosen = this.#get("x");
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
    for (const [key, chart] of this.charts) if (chart.element.closest("details")?.dataset.name !== this.sectionNames.get(key)) this.#put(chart);
    for (const key of this.keys) if (!this.charts.has(key)) this.#add(key);
    this.#applySearch();
  }

  #add(key) {
    const chart = new Chart(key, this, this.axisOf(key));
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
      const element = h("details", { class: "section", open: !this.#get("closed").includes(name) }, h("summary", null, name, " ", count), grid);
      element.addEventListener("toggle", () => {
        if (element.open === this.#get("closed").includes(name)) this.state.toggle(this.names.closed, name);
      });
      // What has no section of its own comes last.
      const next = [...this.body.children].find((other) => (other.dataset.name === REST) > (name === REST) || ((other.dataset.name === REST) === (name === REST) && byName(other.dataset.name, name) > 0));
      element.dataset.name = name;
      this.body.insertBefore(element, next ?? null);
      this.sections.set(name, { element, grid, count });
    }
    return this.sections.get(name);
  }

  #applySearch() {
    const matches = searcher(this.#get("search"));
    this.charts.forEach((chart, key) => (chart.element.hidden = !matches(key)));
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
    setText(this.shown, this.#get("smoothing").toFixed(2));
    this.slider.value = this.#get("smoothing");
    if (this.search.value !== this.#get("search")) this.search.value = this.#get("search");
    if (is("search")) this.#applySearch();
    if (is("x")) this.axis.value = this.#get("x");
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
      if (!shown.has(entry.run) || (entry.range && JSON.stringify(entry.range) !== JSON.stringify(this.rangeOf(axis)))) this.cache.delete(name);
    }
  }

  #isStale(key) {
    const [axis, range] = this.#place(key);
    return this.runs.some((run) => this.#entry(axis, range, run).columns.get(key)?.version !== run.version);
  }

  // Fetches what is both visible and out of date.
  async refresh() {
    if (this.busy) return;
    this.busy = true;
    try {
      for (;;) {
        const stale = this.keys.filter((key) => this.visible.has(key) && !this.charts.get(key).element.hidden && this.#isStale(key));
        if (!stale.length) return;
        const [axis, range] = this.#place(stale[0]);
        const keys = stale.filter((key) => this.axisOf(key) === axis).slice(0, KEYS_PER_REQUEST);
        const runs = this.runs.filter((run) => keys.some((key) => this.#entry(axis, range, run).columns.get(key)?.version !== run.version));
        const points = this.runs.length > 4 ? POINTS_OF_MANY : POINTS_WIDE;
        const answer = await this.source.fetch({ axis, range, keys, points, runs: runs.map((run) => run.id) });
        for (const run of runs) this.#keep(axis, range, run, keys, answer);
        keys.forEach((key) => this.charts.has(key) && this.#fill(key));
        // The server is still reading a long run; the next round of the page asks again.
        if (!answer.complete) return;
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
    const lines = this.runs.flatMap((run) => {
      const data = this.#entry(axis, range, run).columns.get(key)?.data;
      return data ? [{ id: run.id, name: run.name, color: run.color, group: run.group, ...data }] : [];
    });
    // Only one run: a colour a metric tells more than one colour for all.
    if (this.runs.length === 1 && lines.length) lines[0].color = this.source.colorOf?.(key) ?? lines[0].color;
    const drawn = grouped(lines);
    chart.setLines(drawn, axis);
    if (this.large?.name === key) this.large.setLines(drawn, axis);
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
      ["Use as x axis", () => this.state.set({ [this.names.x]: chart.name, [this.names.range]: [] })],
      ["Save as CSV", () => saveAs(`${chart.name.replaceAll("/", "-")}.csv`, new Blob([chart.csv()], { type: "text/csv" }))],
      ["Save as picture", async () => saveAs(`${chart.name.replaceAll("/", "-")}.png`, await chart.picture())],
    ];
  }

  expand(chart) {
    const panel = this;
    const shared = {
      get view() { return panel.view; },
      get highlighted() { return panel.highlighted; },
      isLog: (name) => this.isLog(name),
      rangeOf: (axis) => this.rangeOf(axis),
      toggleLog: (which) => this.toggleLog(which),
      zoom: (axis, range) => this.zoom(axis, range),
      highlight: (id) => this.highlight(id),
      menu: (which) => this.menu(which).slice(1),
      point: (axis, x) => this.large.setCursor(x),
    };
    this.large = new Chart(chart.name, shared, chart.axis);
    this.large.setLines(chart.lines, chart.axis);
    return showDialog(chart.name, (finish) => [this.large.element, h("div", { class: "buttons" }, button("Close", () => finish()))], "wide").then(() => {
      this.large.remove();
      this.large = null;
    });
  }
}

export function saveAs(name, blob) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// Names in the order in which people count: layer 2 before layer 10.
const order = new Intl.Collator("en", { numeric: true });
export function byName(a, b) {
  return order.compare(a, b);
}

function globOf(pattern) {
  return new RegExp(`^${pattern.split("*").map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&")).join(".*")}$`);
}

// A search is a regular expression where it is one, else a text.
export function searcher(text) {
  if (!text) return () => true;
  try {
    const pattern = new RegExp(text, "i");
    return (key) => pattern.test(key);
  } catch {
    return (key) => key.toLowerCase().includes(text.toLowerCase());
  }
}

function sectionOfMetric(key) {
  return key.includes("/") ? key.split("/")[0] : REST;
}

// A section of one chart would leave the rest of its row empty.
function sectionNames(keys, sectionOf) {
  const counts = new Map();
  for (const key of keys) counts.set(sectionOf(key), (counts.get(sectionOf(key)) ?? 0) + 1);
  return new Map(keys.map((key) => [key, counts.get(sectionOf(key)) > 1 ? sectionOf(key) : REST]));
}

export function sectionOfSystem(key) {
  return SYSTEM_SECTIONS[key.split(".")[1]] ?? "Machine";
}
