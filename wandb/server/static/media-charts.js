// The charts of `wandb.plot`: a table, and in the config which of the known charts to make of it.

import { colorOf } from "./colors.js";
import { h } from "./dom.js";
import { figureFrame } from "./media-figures.js";
import { loadTable } from "./media-tables.js";

// Whether a table only feeds a chart, so that it needs no card of its own.
export function isChartTable(key, run) {
  return key.endsWith("_table") && key.slice(0, -"_table".length) in (run?.charts ?? {});
}

export function chartViewer({ key, panel, definition }) {
  const frame = figureFrame(key);
  const element = h("div", { class: "figure" }, frame.element);
  async function show(value) {
    const { table } = await loadTable(value, panel);
    frame.draw(figureOf(definition.panel_config ?? {}, table));
  }
  return { element, show };
}

function figureOf({ panelDefId = "", fieldSettings = {}, stringSettings = {} }, { columns, data }) {
  const column = (name) => {
    const index = columns.indexOf(fieldSettings[name]);
    return index < 0 ? [] : data.map((row) => row[index]);
  };
  const kind = panelDefId.replace(/^wandb\//, "").replace(/\/v\d+$/, "");
  const make = CHARTS[kind] ?? CHARTS.scatter;
  const { traces, layout = {} } = make(column);
  const title = stringSettings.title ? { title: { text: stringSettings.title } } : {};
  const axis = (name) => ({ title: { text: stringSettings[`${name}-axis-title`] || fieldSettings[name] || "" } });
  return { data: traces, layout: { xaxis: axis("x"), yaxis: axis("y"), ...layout, ...title, showlegend: traces.length > 1 } };
}

const CHARTS = {
  line: (column) => ({ traces: series(column("x"), column("y"), column("stroke"), "lines") }),
  lineseries: (column) => ({ traces: series(column("step"), column("lineVal"), column("lineKey"), "lines") }),
  scatter: (column) => ({ traces: series(column("x"), column("y"), [], "markers") }),
  bar: (column) => ({
    traces: [{ type: "bar", orientation: "h", x: column("value"), y: column("label"), marker: { color: colorOf(0) } }],
    layout: { yaxis: { automargin: true } },
  }),
  histogram: (column) => ({ traces: [{ type: "histogram", x: column("value"), marker: { color: colorOf(0) } }] }),
  "area-under-curve": (column) => ({ traces: series(column("x"), column("y"), column("class"), "lines") }),
  confusion_matrix: (column) => confusion(column("Actual"), column("Predicted"), column("nPredictions")),
};

function series(x, y, names, mode) {
  const groups = new Map();
  x.forEach((item, index) => {
    const name = names[index] ?? "";
    if (!groups.has(name))
      groups.set(name, {
        type: "scatter",
        mode,
        name: String(name),
        x: [],
        y: [],
        line: { color: colorOf(groups.size) },
        marker: { color: colorOf(groups.size), size: 6 },
      });
    groups.get(name).x.push(item);
    groups.get(name).y.push(y[index]);
  });
  return [...groups.values()];
}

function confusion(actual, predicted, counts) {
  const names = [...new Set([...actual, ...predicted])];
  const z = names.map(() => names.map(() => 0));
  counts.forEach((count, index) => (z[names.indexOf(actual[index])][names.indexOf(predicted[index])] = count));
  const trace = {
    type: "heatmap",
    x: names,
    y: names,
    z,
    text: z,
    texttemplate: "%{text}",
    colorscale: [
      [0, "rgba(91, 108, 255, 0.06)"],
      [1, colorOf(0)],
    ],
    showscale: false,
  };
  return {
    traces: [trace],
    layout: { xaxis: { title: { text: "Predicted" } }, yaxis: { title: { text: "Actual" }, autorange: "reversed", automargin: true } },
  };
}
