// Which parameters of a sweep matter: how much a forest of trees needs each, and in which direction the metric follows it.

import { h } from "./dom.js";
import { importances } from "./forest.js";

const RUNS_MIN = 8;

export function importanceTable(axes, metric, rows) {
  const parameters = axes.filter((axis) => axis !== metric);
  const complete = rows.filter((row) => parameters.every((axis) => row.values[axis] !== undefined && row.values[axis] !== null));
  if (complete.length < RUNS_MIN || !parameters.length)
    return h("p", { class: "hint padded" }, `After ${RUNS_MIN} runs that ended this shows which parameters matter.`);
  const target = complete.map((row) => row.values[metric]);
  const found = importances(
    parameters.map((axis) => complete.map((row) => row.values[axis])),
    target,
  );
  const ordered = parameters.map((axis, index) => ({ axis, ...found[index] })).sort((a, b) => b.importance - a.importance);
  const bar = (share, kind) => {
    const filled = h("i", { class: `filled ${kind}` });
    filled.style.width = `${Math.round(Math.abs(share) * 100)}%`;
    return h("span", { class: "meter" }, filled);
  };
  const percent = (share) => `${Math.round(share * 100)} %`;
  const signed = (share) => `${share > 0 ? "+" : share < 0 ? "−" : ""}${Math.abs(share).toFixed(2)}`;
  return h(
    "table",
    { class: "importance" },
    h(
      "thead",
      null,
      h(
        "tr",
        null,
        h("th", { scope: "col" }, "Parameter"),
        h("th", { scope: "col", title: "What a forest of regression trees loses without it" }, "Importance"),
        h("th", { scope: "col", title: "Correlation of ranks with the metric" }, "Correlation"),
      ),
    ),
    h(
      "tbody",
      null,
      ordered.map(({ axis, importance, correlation }) =>
        h(
          "tr",
          null,
          h("th", { scope: "row" }, axis),
          h("td", null, bar(importance, "plain"), percent(importance)),
          h("td", null, bar(correlation, correlation < 0 ? "down" : "up"), signed(correlation)),
        ),
      ),
    ),
  );
}
