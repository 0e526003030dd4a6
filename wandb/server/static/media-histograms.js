// Histograms: the one of a step, and all of them over the steps as a map of heat.

import { h, setText } from "./dom.js";
import { compact, number } from "./format.js";
import { contextOf, themeOf } from "./plot.js";

const STEPS_DRAWN_MAX = 100;
const [LEFT, BOTTOM, TOP] = [46, 18, 6];

export function histogramViewer({ key, panel }) {
  const [now, all] = [h("canvas", { role: "img", "aria-label": key }), h("canvas", { role: "img", "aria-label": `${key} over the steps` })];
  const note = h("p", { class: "hint" });
  const element = h("div", { class: "histograms" }, h("div", { class: "plot half" }, now), h("div", { class: "plot half" }, all), note);
  let loaded = [];
  let loadedCount = 0;
  let current = null;

  const draw = () => {
    if (!current) return;
    drawBars(now, current.value);
    drawHeat(all, loaded, current.step);
  };
  new ResizeObserver(draw).observe(element);
  addEventListener("themechange", draw);

  async function show(value, { step, facts }) {
    current = { value, step };
    const total = value.values.reduce((sum, item) => sum + item, 0);
    setText(note, `${number(total)} values from ${number(value.bins[0])} to ${number(value.bins.at(-1))}`);
    now.setAttribute("aria-label", `${key} at step ${step}: ${note.textContent}`);
    all.setAttribute("aria-label", `${key} over ${facts.count} steps`);
    draw();
    if (loadedCount === facts.count) return;
    loadedCount = facts.count;
    const stride = Math.max(1, Math.ceil(facts.lines.length / STEPS_DRAWN_MAX));
    const chosen = facts.lines
      .map((line, index) => [line, facts.steps[index]])
      .filter((_, index) => (facts.lines.length - 1 - index) % stride === 0);
    const values = await panel.load(
      key,
      chosen.map(([line]) => line),
    );
    loaded = values.map((item, index) => ({ ...item, step: chosen[index][1] })).filter((item) => item.bins);
    draw();
  }
  return { element, show };
}

function drawBars(canvas, { values, bins }) {
  const sheet = contextOf(canvas);
  if (!sheet) return;
  const { context, width, height } = sheet;
  const theme = themeOf(canvas);
  const [low, high] = [bins[0], bins.at(-1)];
  const highest = Math.max(...values, 1);
  const toX = (item) => LEFT + ((item - low) / (high - low || 1)) * (width - LEFT - 8);
  const toY = (item) => TOP + (1 - item / highest) * (height - TOP - BOTTOM);
  context.fillStyle = getComputedStyle(canvas).getPropertyValue("color");
  context.globalAlpha = 0.85;
  values.forEach((item, index) =>
    context.fillRect(toX(bins[index]), toY(item), Math.max(1, toX(bins[index + 1]) - toX(bins[index]) - 0.5), toY(0) - toY(item)),
  );
  context.globalAlpha = 1;
  label(
    context,
    theme,
    width,
    height,
    [
      [low, toX(low)],
      [(low + high) / 2, toX((low + high) / 2)],
      [high, toX(high)],
    ],
    [
      [highest, toY(highest)],
      [0, toY(0)],
    ],
  );
}

// Each column is a step, darker where it has more values.
function drawHeat(canvas, items, step) {
  const sheet = contextOf(canvas);
  if (!sheet || !items.length) return;
  const { context, width, height } = sheet;
  const theme = themeOf(canvas);
  const low = Math.min(...items.map((item) => item.bins[0]));
  const high = Math.max(...items.map((item) => item.bins.at(-1)));
  const toY = (item) => TOP + (1 - (item - low) / (high - low || 1)) * (height - TOP - BOTTOM);
  const column = (width - LEFT - 8) / items.length;
  const color = getComputedStyle(canvas).getPropertyValue("color");
  items.forEach(({ values, bins, step: own }, place) => {
    const highest = Math.max(...values, 1);
    context.fillStyle = color;
    values.forEach((item, index) => {
      if (!item) return;
      context.globalAlpha = 0.08 + 0.92 * Math.sqrt(item / highest);
      context.fillRect(
        LEFT + place * column,
        toY(bins[index + 1]),
        Math.ceil(column),
        Math.max(1, toY(bins[index]) - toY(bins[index + 1]) + 0.5),
      );
    });
    context.globalAlpha = 1;
    if (own !== step) return;
    context.strokeStyle = theme.text;
    context.strokeRect(LEFT + place * column + 0.5, TOP, Math.max(2, column - 1), height - TOP - BOTTOM);
  });
  label(
    context,
    theme,
    width,
    height,
    [
      [items[0].step, LEFT + column / 2],
      [items.at(-1).step, width - 8 - column / 2],
    ],
    [
      [high, toY(high)],
      [low, toY(low)],
    ],
  );
}

function label(context, theme, width, height, below, beside) {
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = theme.text;
  context.textBaseline = "top";
  for (const [item, x] of below) {
    context.textAlign = x > width - 30 ? "right" : x < LEFT + 14 ? "left" : "center";
    context.fillText(compact(item), x, height - BOTTOM + 4);
  }
  context.textAlign = "right";
  for (const [item, y] of beside) {
    context.textBaseline = y < 12 ? "top" : "alphabetic";
    context.fillText(compact(item), LEFT - 6, y);
  }
}
