// Parallel coordinates: an axis for each parameter and one for the metric, a line for each run.

import { number } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, TOP, SIDE, BOTTOM] = [1000, 300, 34, 70, 24];
const LABELS_MAX = 8;

function element(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, item] of Object.entries(attributes)) made.setAttribute(name, item);
  if (text !== undefined) made.textContent = text;
  return made;
}

// `rows` are objects of axis to value; the last axis is the one that is coloured by.
export function parallelCoordinates(axes, rows, better, open) {
  const picture = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "parallel", role: "img", "aria-label": `Runs by ${axes.join(", ")}` });
  const scales = axes.map((axis) => scaleOf(rows.map((row) => row.values[axis])));
  const x = (index) => SIDE + (index * (WIDTH - 2 * SIDE)) / Math.max(1, axes.length - 1);
  const y = (place) => HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM);
  for (const row of rows) {
    const places = axes.map((axis, index) => scales[index].place(row.values[axis]));
    if (places.some((place) => place === undefined)) continue;
    const good = better ? places.at(-1) : 1 - places.at(-1);
    const line = element("path", { d: places.map((place, index) => `${index ? "L" : "M"}${x(index)},${y(place)}`).join(""), tabindex: "0", role: "link" });
    line.style.setProperty("--share", `${Math.round(good * 100)}%`);
    line.append(element("title", {}, `${row.name}: ${axes.map((axis) => `${axis} ${number(row.values[axis])}`).join(", ")}`));
    line.addEventListener("click", () => open(row));
    line.addEventListener("keydown", (event) => event.key === "Enter" && open(row));
    picture.append(line);
  }
  axes.forEach((axis, index) => {
    picture.append(element("line", { x1: x(index), x2: x(index), y1: TOP, y2: HEIGHT - BOTTOM }));
    picture.append(element("text", { x: x(index), y: 16, "text-anchor": "middle", class: "axis" }, axis));
    for (const [place, text] of scales[index].labels) picture.append(element("text", { x: x(index) - 6, y: y(place) + 4, "text-anchor": "end" }, text));
  });
  return picture;
}

function scaleOf(values) {
  const known = values.filter((value) => value !== undefined && value !== null);
  if (known.length && known.every((value) => typeof value === "number")) {
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const place = (value) => (typeof value === "number" ? (high > low ? (value - low) / (high - low) : 0.5) : undefined);
    return { place, labels: high > low ? [[0, number(low)], [1, number(high)]] : [[0.5, number(low)]] };
  }
  const texts = [...new Set(known.map(String))].sort();
  const place = (value) => (value === undefined || value === null ? undefined : texts.length > 1 ? texts.indexOf(String(value)) / (texts.length - 1) : 0.5);
  return { place, labels: texts.slice(0, LABELS_MAX).map((text) => [place(text), text.slice(0, 12)]) };
}
