// The sweeps of a project, and one sweep: how its parameters bear on its metric, and its runs.

import { getJson, path, post, repeat } from "./api.js";
import { button, h, setTrail, stateLabel } from "./dom.js";
import { importanceTable } from "./importance.js";
import { ago, duration, flat, moment, number, value } from "./format.js";
import { parallelCoordinates } from "./parallel.js";
import { plainTable, projectHead } from "./project.js";

const WAIT_MS = 5000;
const AXES_MAX = 8;
const OVER = new Set(["FINISHED", "CANCELED", "STOPPED"]);

export function showSweeps(main, entity, project) {
  setTrail([entity, "/"], [project, `/${path(entity, project)}`], ["Sweeps"]);
  const body = h("div");
  main.replaceChildren(projectHead(entity, project, "Sweeps"), body);
  repeat(async () => {
    const { sweeps } = await getJson(`/api/projects/${path(entity, project)}/sweeps`);
    body.replaceChildren(
      sweeps.length
        ? sweepTable(entity, project, sweeps)
        : h("p", { class: "card empty" }, "No sweeps yet. Make one with wandb.sweep(config), or with `wandb sweep config.yaml`."),
    );
    return WAIT_MS;
  });
}

function sweepTable(entity, project, sweeps) {
  const columns = [["Name"], ["State"], ["Method"], ["Runs", "number"], ["Metric"], ["Best", "number"], ["Created"]];
  const rows = sweeps.map((sweep) => [
    h("a", { href: `/${path(entity, project, "sweeps", sweep.id)}` }, sweep.name),
    stateLabel(sweep.state),
    sweep.method,
    count(sweep),
    sweep.metric,
    sweep.best === null ? "" : number(sweep.best),
    h("time", { title: moment(sweep.created_at) }, ago(sweep.created_at)),
  ]);
  return plainTable(columns, rows);
}

function count(sweep) {
  return sweep.expected === null ? number(sweep.runs) : `${number(sweep.runs)} of ${number(sweep.expected)}`;
}

export function showSweep(main, entity, project, id) {
  const base = `/${path(entity, project)}`;
  const source = `/api/projects/${path(entity, project)}/sweeps/${encodeURIComponent(id)}`;
  setTrail([entity, "/"], [project, base], ["Sweeps", `${base}/sweeps`], [id]);
  const draw = async () => {
    const sweep = await getJson(source);
    const text = JSON.stringify(sweep);
    if (main.source !== text)
      main.replaceChildren(
        ...sweepPage(base, sweep, async (action) => {
          await post(`${source}/${action}`);
          await draw();
        }),
      );
    main.source = text;
    return WAIT_MS;
  };
  repeat(draw);
}

function sweepPage(base, sweep, ask) {
  const action = (name, text, danger) => button(text, () => ask(name), { class: danger ? "danger" : null });
  const buttons = OVER.has(sweep.state)
    ? []
    : [
        sweep.state === "PAUSED" ? action("resume", "Resume") : action("pause", "Pause"),
        action("finish", "Finish"),
        action("cancel", "Cancel", true),
      ];
  const rows = sweep.members.map((run) => ({
    ...run,
    values: { ...Object.fromEntries(flat(run.config)), [sweep.metric]: Object.fromEntries(flat(run.summary))[sweep.metric] },
  }));
  const address = (run) => `${base}/runs/${encodeURIComponent(run.id)}`;
  const facts = [
    ["Method", sweep.method],
    ["Runs", count(sweep)],
    ["Metric", sweep.metric ? `${sweep.metric}, ${sweep.maximize ? "more" : "less"} is better` : ""],
    ["Best", sweep.best === null ? "" : bestLink(sweep, rows, address)],
  ];
  const table = h("div");
  const list = (ids) => table.replaceChildren(runTable(sweep, ids ? rows.filter((row) => ids.has(row.id)) : rows, address));
  list(null);
  return [
    h(
      "div",
      { class: "head" },
      h("h1", null, sweep.name),
      stateLabel(sweep.state),
      buttons,
      h("span", { class: "space" }),
      h("a", { class: "button", href: `${base}?filter=${encodeURIComponent(JSON.stringify({ sweep: sweep.id }))}` }, "Charts of its runs"),
    ),
    h(
      "p",
      { class: "facts" },
      facts.filter(([, text]) => text).map(([label, text]) => h("span", null, `${label} `, h("b", null, text))),
    ),
    chart(sweep, rows, (row) => location.assign(address(row)), list),
    OVER.has(sweep.state) ? null : upcoming(`/api/projects${base}/sweeps/${encodeURIComponent(sweep.id)}/next`),
    h("h2", null, "Runs"),
    table,
    h("details", { class: "section" }, h("summary", null, "Configuration"), h("pre", { class: "card code" }, sweep.config)),
  ].filter(Boolean);
}

function bestLink(sweep, rows, address) {
  const run = rows.find((row) => row.values[sweep.metric] === sweep.best);
  const text = number(sweep.best);
  return run ? h("a", { href: address(run) }, `${text}, ${run.name}`) : text;
}

// What the next runs would try, if they began now.
function upcoming(source) {
  const place = h("div");
  getJson(source).then((found) => {
    const names = [...new Set(found.next.flatMap((values) => Object.keys(unwrapped(values))))];
    const rows = found.next.map((values) => names.map((name) => value(unwrapped(values)[name])));
    const columns = names.map((name) => [name, found.next.every((values) => typeof unwrapped(values)[name] === "number") ? "number" : ""]);
    const table = rows.length ? plainTable(columns, rows) : null;
    if (table || found.why) place.append(h("h2", null, "Tried next"), table ?? h("p", { class: "hint" }, found.why));
  });
  return place;
}

function unwrapped(values) {
  return Object.fromEntries(flat(Object.fromEntries(Object.entries(values).map(([name, { value: held }]) => [name, held]))));
}

// The parameters that differ between the runs, and the metric last.
function axesOf(sweep, rows) {
  const keys = new Set(rows.flatMap((row) => Object.keys(row.values)));
  keys.delete(sweep.metric);
  const varied = [...keys].filter((key) => new Set(rows.map((row) => JSON.stringify(row.values[key]))).size > 1);
  return [...varied.slice(0, AXES_MAX), sweep.metric];
}

function chart(sweep, rows, open, chosen) {
  const done = rows.filter((row) => typeof row.values[sweep.metric] === "number");
  const axes = axesOf(sweep, rows);
  if (done.length < 2 || axes.length < 2) return null;
  return h(
    "div",
    { class: "sweep-charts" },
    h(
      "section",
      { class: "card scroll", "aria-label": "Parallel coordinates" },
      parallelCoordinates(axes, done, { maximize: sweep.maximize, open, chosen }),
    ),
    h(
      "section",
      { class: "card", "aria-label": "Importance" },
      h("h2", null, `What matters for ${sweep.metric}`),
      importanceTable(axes, sweep.metric, done),
    ),
  );
}

function runTable(sweep, rows, address) {
  if (!rows.length) return h("p", { class: "card empty" }, "No runs yet. Begin them with `wandb agent`.");
  const axes = axesOf(sweep, rows).filter(Boolean);
  const sign = sweep.maximize ? -1 : 1;
  const order = (row) => (typeof row.values[sweep.metric] === "number" ? sign * row.values[sweep.metric] : Infinity);
  const sorted = [...rows].sort((a, b) => order(a) - order(b) || 0);
  const columns = [["Name"], ["State"], ["Ran for", "number"], ...axes.map((axis) => [axis, "number"])];
  return plainTable(
    columns,
    sorted.map((row) => [
      h("a", { href: address(row) }, row.name),
      stateLabel(row.state),
      duration(row.seconds),
      ...axes.map((axis) => value(row.values[axis])),
    ]),
  );
}
