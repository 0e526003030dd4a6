// A run, or several, on a page that needs nothing else: what `wandb replay --html` writes.
//
// The data stands in the page. Charts are those of the server's dashboard.

import { Chart } from "../server/static/chart.js";
import { h, stateLabel, tag } from "../server/static/dom.js";
import { bytes, compact, duration, flat, moment, number, value } from "../server/static/format.js";

const COLORS = ["#6366f1", "#f97316", "#10b981", "#d946ef", "#0ea5e9", "#f59e0b", "#ef4444", "#14b8a6"];
const CHARTS_AT_ONCE = 60;

const { runs, made } = JSON.parse(document.getElementById("data").textContent);
const several = runs.length > 1;
runs.forEach((run, index) => {
  run.color = COLORS[index % COLORS.length];
  // Of several runs with one name the ids tell which is which.
  if (runs.some((other) => other !== run && other.name === run.name)) run.label = `${run.name} · ${run.id}`;
});
const nameOf = (run) => run.label ?? run.name;

// What the charts share; each asks it how it is drawn.
const panel = {
  view: { smoothing: 0, smoothingKind: "ema", outliers: false, logX: false },
  axis: "_step",
  ranges: {},
  logs: new Set(),
  highlighted: null,
  charts: [],
  isLog(name) { return this.logs.has(name); },
  rangeOf(axis) { return this.ranges[axis] ?? null; },
  zoom(axis, range) {
    if (range) this.ranges[axis] = range;
    else delete this.ranges[axis];
    this.redraw();
  },
  point(axis, x) { this.charts.filter((chart) => chart.axis === axis).forEach((chart) => chart.setCursor(x)); },
  highlight(id) {
    if (this.highlighted === id) return;
    this.highlighted = id;
    this.redraw();
  },
  toggleLog(chart) {
    if (!this.logs.delete(chart.name)) this.logs.add(chart.name);
    chart.draw();
  },
  menu(chart) {
    return [
      ["Save as PNG", async () => save(`${chart.name}.png`, await chart.picture())],
      ["Save as CSV", () => save(`${chart.name}.csv`, new Blob([chart.csv()], { type: "text/csv" }))],
    ];
  },
  redraw() { this.charts.forEach((chart) => chart.draw()); },
};

function save(name, blob) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name.replaceAll("/", "_") });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
}

// --- Charts --------------------------------------------------------------------------------

const filter = h("input", { type: "search", placeholder: "Filter: loss, val/", "aria-label": "Filter charts" });
const smoothing = h("input", { type: "range", min: "0", max: "0.99", step: "0.01", value: "0", "aria-label": "Smoothing" });
const axis = h("select", { "aria-label": "Axis" }, h("option", { value: "_step" }, "Step"), h("option", { value: "_runtime" }, "Time"));
const grid = h("div", { class: "panels" });
const more = h("button", { type: "button", hidden: true }, "Show more");
const machine = h("div", { class: "panels" });
let shown = CHARTS_AT_ONCE;

function namesOf(kind) {
  return [...new Set(runs.flatMap((run) => Object.keys(run[kind])))];
}

function linesOf(kind, name) {
  const over = kind === "system" || panel.axis === "_runtime" ? "times" : "steps";
  return runs.flatMap((run) => {
    const curve = run[kind][name]?.[over];
    return curve ? [{ id: run.id, name: nameOf(run), color: run.color, ...curve }] : [];
  });
}

function drawCharts() {
  const text = filter.value.toLowerCase();
  const names = namesOf("metrics").filter((name) => name.toLowerCase().includes(text));
  panel.charts.forEach((chart) => chart.remove());
  panel.charts = names.slice(0, shown).map((name) => chartOf(name, "metrics", panel.axis, grid));
  more.hidden = names.length <= shown;
  panel.charts.push(...namesOf("system").map((name) => chartOf(name, "system", "_runtime", machine)));
}

function chartOf(name, kind, over, place) {
  const chart = new Chart(name, panel, over);
  place.append(chart.element);
  chart.setLines(linesOf(kind, name), over);
  return chart;
}

filter.addEventListener("input", () => { shown = CHARTS_AT_ONCE; drawCharts(); });
more.addEventListener("click", () => { shown += CHARTS_AT_ONCE; drawCharts(); });
axis.addEventListener("change", () => { panel.axis = axis.value; panel.ranges = {}; drawCharts(); });
smoothing.addEventListener("input", () => { panel.view.smoothing = Number(smoothing.value); drawCharts(); });

// --- What else a run tells -------------------------------------------------------------------

function section(title, ...children) {
  return h("details", { class: "card section", open: true }, h("summary", null, h("h2", null, title)), children);
}

function pairs(entries) {
  return h("div", { class: "scroll" }, h("table", null, h("tbody", null, entries.map(([name, item]) => h("tr", null, h("td", null, name), h("td", { class: "mono" }, value(item)))))));
}

// A table of one thing for all runs: a row a key, a column a run.
function compared(title, what) {
  const flats = runs.map((run) => new Map(flat(run[what])));
  const keys = [...new Set(flats.flatMap((known) => [...known.keys()]))].filter((key) => !key.startsWith("_"));
  if (!keys.length) return null;
  if (!several) return section(title, pairs(keys.map((key) => [key, flats[0].get(key)])));
  const head = h("tr", null, h("th", null, ""), runs.map((run) => h("th", null, swatch(run), nameOf(run))));
  const rows = keys.map((key) => h("tr", null, h("td", null, key), flats.map((known) => h("td", { class: "mono" }, value(known.get(key))))));
  return section(title, h("div", { class: "scroll" }, h("table", null, h("thead", null, head), h("tbody", null, rows))));
}

function swatch(run) {
  const mark = h("i", { class: "swatch" });
  mark.style.background = run.color;
  return mark;
}

function about(run) {
  const facts = [
    [run.ended.state === "running" ? "now" : "ended", run.ended.evidence],
    ["started", run.started ? `${moment(run.started)}, lasted ${duration(run.runtime)}` : ""],
    ["rows", `${number(run.rows)}${run.steps ? `, steps ${compact(run.steps[0])} to ${compact(run.steps[1])}` : ""}`],
    ["host", run.host], ["program", run.program], ["group", run.group], ["job type", run.job_type], ["notes", run.notes],
    ["log", `${run.folder}${run.bytes ? `, ${bytes(run.bytes)}` : ""}`],
  ].filter(([, text]) => text);
  const head = h("div", { class: "head" }, several ? swatch(run) : null, h("h1", null, run.name), stateLabel(run.ended.state), run.project ? h("span", { class: "hint" }, run.project) : null, h("span", { class: "hint" }, `id ${run.id}`), run.tags.map(tag));
  return h("div", { class: "run-head" }, head, h("div", { class: "facts" }, facts.map(([name, text]) => h("span", null, `${name} `, h("b", null, text)))));
}

function perRun(title, build) {
  return runs.flatMap((run) => {
    const content = build(run);
    return content ? [section(several ? `${title} · ${nameOf(run)}` : title, content)] : [];
  });
}

function changes(run) {
  if (!run.config_steps.length) return null;
  return pairs(run.config_steps.flatMap((step) => Object.keys({ ...step.old, ...step.new }).map((key) => [`step ${number(step.step)} · ${key}`, `${value(step.old[key] ?? "(none)")} → ${value(step.new[key] ?? "(removed)")}`])));
}

function written(run) {
  if (!run.console.lines.length) return null;
  const hidden = run.console.count - run.console.lines.length;
  const lines = run.console.lines.map(([stream, text]) => h("div", { class: stream ? "notice" : null }, text || " "));
  return h("div", { class: "mono console-text" }, hidden > 0 ? h("div", { class: "hint" }, `${number(hidden)} earlier lines are in the log`) : null, lines);
}

const controls = h("div", { class: "head" }, filter, h("label", { class: "with-icon" }, "Axis", axis), h("label", { class: "with-icon" }, "Smoothing", smoothing), h("span", { class: "hint" }, "Drag across a chart to zoom, double-click to go back."));
document.querySelector("main").append(
  ...runs.map(about),
  ...[section("Charts", controls, grid, more)],
  ...[compared("Config", "config"), compared("Summary", "summary")].filter(Boolean),
  ...perRun("Config changes", changes),
  ...(namesOf("system").length ? [section("Machine", machine)] : []),
  ...perRun("Alerts", (run) => run.alerts.length && pairs(run.alerts.map((alert) => [`${alert.level} ${moment(alert.time)}`, `${alert.title}: ${alert.text}`]))),
  ...perRun("Files", (run) => run.files.length && pairs(run.files.map((path) => [path, ""]))),
  ...perRun("Artifacts", (run) => run.artifacts.length && pairs(run.artifacts.map((one) => [one.name, `${one.used ? "used" : "logged"} · ${one.type}`]))),
  ...perRun("Console", written),
  h("p", { class: "hint" }, `Made by wandb replay, ${moment(made)}.`),
);
drawCharts();
