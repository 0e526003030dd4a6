// Parallel coordinates: an axis for each parameter and one for the metric, a line for each run.
// Dragging along an axis keeps only the lines that pass there; a click on it lets go.

import { svg } from "./dom.js";
import { compact, number } from "./format.js";

const [WIDTH, HEIGHT, TOP, SIDE, BOTTOM] = [1000, 280, 34, 70, 18];
const LABELS_MAX = 8;
const VALUES_MAX = 5;
const BRUSH_MIN = 0.02;

// `rows` are {id, name, values: {axis: value}}; the last axis is the one that is coloured by. `chosen` is told which rows
// pass through all brushes.
export function parallelCoordinates(axes, rows, { maximize, open, chosen = () => {} }) {
  const picture = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    class: "parallel",
    role: "group",
    "aria-label": `Runs by ${axes.join(", ")}`,
  });
  const scales = axes.map((axis) => scaleOf(rows.map((row) => row.values[axis])));
  const x = (index) => SIDE + (index * (WIDTH - 2 * SIDE)) / Math.max(1, axes.length - 1);
  const y = (place) => HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM);
  const brushes = axes.map(() => null);
  const lines = [];
  for (const row of rows) {
    const places = axes.map((axis, index) => scales[index].place(row.values[axis]));
    if (places.some((place) => place === undefined)) continue;
    const good = maximize ? places.at(-1) : 1 - places.at(-1);
    const text = `${row.name}: ${axes.map((axis) => `${axis} ${number(row.values[axis])}`).join(", ")}`;
    const path = svg(
      "path",
      {
        d: curve(places.map((place, index) => [x(index), y(place)])),
        tabindex: "0",
        role: "link",
        "aria-label": text,
        onclick: () => open(row),
        onkeydown: (event) => event.key === "Enter" && open(row),
      },
      svg("title", null, text),
    );
    path.style.setProperty("--share", `${Math.round(good * 100)}%`);
    lines.push({ row, path, places, good });
  }
  // The best lie above the rest.
  lines.sort((a, b) => a.good - b.good).forEach(({ path }) => picture.append(path));
  const apply = () => {
    const passes = ({ places }) => brushes.every((brush, index) => !brush || (places[index] >= brush[0] && places[index] <= brush[1]));
    lines.forEach((line) => line.path.classList.toggle("off", !passes(line)));
    chosen(brushes.some(Boolean) ? new Set(lines.filter(passes).map(({ row }) => row.id)) : null);
  };
  axes.forEach((axis, index) => {
    picture.append(
      svg("line", { x1: x(index), x2: x(index), y1: TOP, y2: HEIGHT - BOTTOM }),
      svg("text", { x: x(index), y: 16, "text-anchor": "middle", class: "axis" }, axis),
    );
    for (const [place, text] of scales[index].labels)
      picture.append(svg("text", { x: x(index) - 6, y: y(place) + 4, "text-anchor": "end" }, text));
    picture.append(
      ...brushOf(picture, x(index), axis, (range) => {
        brushes[index] = range;
        apply();
      }),
    );
  });
  return picture;
}

// Bends between axes, so that lines can be told apart where they meet.
function curve(points) {
  return points
    .map(([x, y], index) => {
      if (!index) return `M${x},${y}`;
      const [before, level] = points[index - 1];
      const bend = (x - before) * 0.35;
      return `C${before + bend},${level} ${x - bend},${y} ${x},${y}`;
    })
    .join("");
}

function brushOf(picture, x, axis, changed) {
  const shown = svg("rect", { class: "brush", x: x - 7, width: 14, rx: 3, visibility: "hidden" });
  const area = svg(
    "rect",
    { class: "brush-area", x: x - 12, y: TOP, width: 24, height: HEIGHT - TOP - BOTTOM },
    svg("title", null, `Drag to choose a part of ${axis}`),
  );
  let from = null;
  const placeOf = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
    return Math.min(1, Math.max(0, (HEIGHT - BOTTOM - point.y) / (HEIGHT - TOP - BOTTOM)));
  };
  const draw = (range) => {
    shown.setAttribute("visibility", range ? "visible" : "hidden");
    if (!range) return;
    shown.setAttribute("y", HEIGHT - BOTTOM - range[1] * (HEIGHT - TOP - BOTTOM));
    shown.setAttribute("height", Math.max(2, (range[1] - range[0]) * (HEIGHT - TOP - BOTTOM)));
  };
  area.addEventListener("pointerdown", (event) => {
    area.setPointerCapture(event.pointerId);
    from = placeOf(event);
  });
  area.addEventListener("pointermove", (event) => from !== null && draw([from, placeOf(event)].sort((a, b) => a - b)));
  area.addEventListener("pointerup", (event) => {
    const range = [from, placeOf(event)].sort((a, b) => a - b);
    from = null;
    const kept = range[1] - range[0] > BRUSH_MIN ? range : null;
    draw(kept);
    changed(kept);
  });
  return [shown, area];
}

function scaleOf(values) {
  const known = values.filter((value) => value !== undefined && value !== null);
  if (known.length && known.every((value) => typeof value === "number")) {
    const [low, high] = [Math.min(...known), Math.max(...known)];
    if (high === low) return { place: (value) => (typeof value === "number" ? 0.5 : undefined), labels: [[0.5, number(low)]] };
    // Parameters that were chosen by powers of ten would crowd at the foot of an even axis.
    const median = [...known].sort((a, b) => a - b)[known.length >> 1];
    const forward = low > 0 && high / low >= 30 && (median - low) / (high - low) < 0.15 ? Math.log : (value) => value;
    const place = (value) => (typeof value === "number" ? (forward(value) - forward(low)) / (forward(high) - forward(low)) : undefined);
    const distinct = [...new Set(known)].sort((a, b) => a - b);
    // Where a few values were tried, each is named.
    if (distinct.length <= VALUES_MAX) return { place, labels: distinct.map((value) => [place(value), compact(value)]) };
    const middle = forward === Math.log ? Math.sqrt(low * high) : (low + high) / 2;
    return {
      place,
      labels: [
        [0, compact(low)],
        [0.5, compact(middle)],
        [1, compact(high)],
      ],
    };
  }
  const texts = [...new Set(known.map(String))].sort();
  const place = (value) =>
    value === undefined || value === null ? undefined : texts.length > 1 ? texts.indexOf(String(value)) / (texts.length - 1) : 0.5;
  return { place, labels: texts.slice(0, LABELS_MAX).map((text) => [place(text), text.slice(0, 12)]) };
}
