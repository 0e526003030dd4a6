// A line chart on a canvas: one metric in buckets, as the server sends them.
//
// The line joins the last value of each bucket; the band behind it spans lowest to highest, so a
// spike inside a bucket stays visible. Dragging zooms, a double click or Escape goes back, arrow
// keys move the cursor. Places where the value was not finite are marked at the edge.

import { h, setText } from "./dom.js";
import { duration, number } from "./format.js";

const MARGIN = { top: 8, right: 8, bottom: 20, left: 46 };
const DRAG_PIXELS_MIN = 6;
const COLORS = ["#6366f1", "#0ea5e9", "#10b981", "#f59e0b", "#ef4444", "#d946ef", "#14b8a6", "#f97316"];
const EMPTY = { x: [], last: [], marks: [] };

const charts = new Set();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((chart) => chart.draw()));
const resized = new ResizeObserver((entries) => entries.forEach((entry) => entry.target.chart.draw()));

export class Chart {
  // `onZoom(from, to)` asks for the data of a range; without arguments for all of it.
  constructor(name, onZoom) {
    this.name = name;
    this.onZoom = onZoom;
    this.data = EMPTY;
    this.axis = "_step";
    this.smoothing = 0;
    this.logarithmic = false;
    this.range = null;
    this.cursor = null;
    this.drag = null;
    this.color = COLORS[[...name].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) >>> 0, 7) % COLORS.length];
    this.#build();
    charts.add(this);
  }

  #build() {
    this.value = h("span", { class: "value" });
    this.logButton = h("button", { type: "button", "aria-pressed": "false", title: "Logarithmic scale", onclick: () => this.#toggleLog() }, "log");
    this.resetButton = h("button", { type: "button", hidden: true, onclick: () => this.#zoom(null) }, "reset zoom");
    this.canvas = h("canvas", { tabindex: "0", role: "img" });
    this.tip = h("div", { class: "tip", hidden: true });
    const title = h("h3", { title: this.name }, this.name);
    const plot = h("div", { class: "plot" }, this.canvas, this.tip);
    this.element = h("article", { class: "chart card" }, h("header", null, title, this.value, this.resetButton, this.logButton), plot);
    this.element.chart = this;
    resized.observe(this.element);
    this.canvas.addEventListener("pointerdown", (event) => this.#press(event));
    this.canvas.addEventListener("pointermove", (event) => this.#move(event));
    this.canvas.addEventListener("pointerup", (event) => this.#release(event));
    this.canvas.addEventListener("pointerleave", () => this.#point(null));
    this.canvas.addEventListener("blur", () => this.#point(null));
    this.canvas.addEventListener("dblclick", () => this.#zoom(null));
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  setData(data) {
    this.data = data ?? EMPTY;
    this.smooth = smoothed(this.data.last, this.smoothing);
    const known = this.data.last.filter((item) => item !== null);
    const last = known.length ? number(known.at(-1)) : "–";
    if (!this.range) setText(this.value, last);
    this.element.dataset.points = String(known.length);
    this.canvas.setAttribute("aria-label", `${this.name}: ${this.data.x.length} points, last value ${last}`);
    this.draw();
  }

  setView({ axis, smoothing }) {
    this.smoothing = smoothing;
    if (axis !== this.axis) {
      this.axis = axis;
      this.range = null;
      this.resetButton.hidden = true;
    }
    this.setData(this.data);
  }

  #toggleLog() {
    this.logarithmic = !this.logarithmic;
    this.logButton.setAttribute("aria-pressed", String(this.logarithmic));
    this.draw();
  }

  #zoom(range) {
    this.range = range;
    this.resetButton.hidden = range === null;
    this.#point(null);
    if (range) this.onZoom(...range);
    else this.onZoom();
  }

  // --- Drawing -----------------------------------------------------------------------------

  draw() {
    const ratio = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const [pixelWidth, pixelHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== pixelWidth || this.canvas.height !== pixelHeight) {
      this.canvas.width = pixelWidth;
      this.canvas.height = pixelHeight;
    }
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(this.element);
    this.theme = { grid: style.getPropertyValue("--grid"), text: style.getPropertyValue("--muted"), warn: style.getPropertyValue("--warn") };
    this.#scale(width, height);
    this.#drawAxes(context, width, height);
    context.save();
    context.beginPath();
    context.rect(MARGIN.left, 0, width - MARGIN.left - MARGIN.right + 4, height - MARGIN.bottom + 2);
    context.clip();
    this.#drawBand(context);
    if (this.smoothing) this.#drawLine(context, this.data.last, 0.28);
    this.#drawLine(context, this.smooth ?? this.data.last, 1);
    this.#drawMarks(context, height);
    context.restore();
    this.#drawCursor(context, height);
    this.#drawDrag(context, height);
  }

  #scale(width, height) {
    const { x, last, low, high } = this.data;
    const shown = x.length ? (this.range ?? [x[0], x.at(-1)]) : [0, 1];
    let [left, right] = shown;
    if (right <= left) [left, right] = [left - 0.5, right + 0.5];
    let [bottom, top] = [Infinity, -Infinity];
    for (let index = 0; index < x.length; index += 1) {
      if (x[index] < left || x[index] > right) continue;
      for (const item of [last[index], low?.[index], high?.[index]]) {
        if (item === null || item === undefined || (this.logarithmic && item <= 0)) continue;
        bottom = Math.min(bottom, item);
        top = Math.max(top, item);
      }
    }
    if (bottom > top) [bottom, top] = this.logarithmic ? [0.1, 1] : [0, 1];
    this.forward = this.logarithmic ? Math.log10 : (item) => item;
    let [floor, ceiling] = [this.forward(bottom), this.forward(top)];
    const space = (ceiling - floor) * 0.06 || Math.abs(floor) * 0.1 || 0.5;
    [floor, ceiling] = [floor - space, ceiling + space];
    const [innerWidth, innerHeight] = [width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom];
    this.bounds = { left, right, floor, ceiling };
    this.toX = (item) => MARGIN.left + ((item - left) / (right - left)) * innerWidth;
    this.fromX = (pixel) => left + ((pixel - MARGIN.left) / innerWidth) * (right - left);
    this.toY = (item) => MARGIN.top + (1 - (this.forward(item) - floor) / (ceiling - floor)) * innerHeight;
  }

  #drawAxes(context, width, height) {
    const { left, right, floor, ceiling } = this.bounds;
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = this.theme.text;
    context.strokeStyle = this.theme.grid;
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const rows = this.logarithmic ? logTicks(floor, ceiling) : ticks(floor, ceiling, 5);
    for (const tick of rows) {
      const y = Math.round(this.toY(tick)) + 0.5;
      context.beginPath();
      context.moveTo(MARGIN.left, y);
      context.lineTo(width - MARGIN.right, y);
      context.stroke();
      context.fillText(compact(tick), MARGIN.left - 6, y);
    }
    context.textBaseline = "top";
    const steps = this.axis === "_runtime" ? timeTicks(left, right) : ticks(left, right, Math.max(2, Math.floor(width / 70)));
    for (const tick of steps) {
      if (this.axis === "_step" && !Number.isInteger(tick)) continue;
      const text = this.#place(tick);
      const half = context.measureText(text).width / 2;
      context.textAlign = "center";
      context.fillText(text, Math.min(Math.max(this.toX(tick), MARGIN.left + half - 8), width - half - 2), height - MARGIN.bottom + 6);
    }
  }

  #place(x) {
    if (this.axis === "_runtime") return duration(x);
    if (this.axis === "_timestamp") return new Date(x * 1000).toLocaleTimeString();
    return compact(x);
  }

  // Calls `visit` for each stretch of points that can be drawn without a gap.
  #stretches(items, visit) {
    let stretch = [];
    for (let index = 0; index <= items.length; index += 1) {
      const item = items[index];
      if (index < items.length && item !== null && !(this.logarithmic && item <= 0)) {
        stretch.push(index);
      } else if (stretch.length) {
        visit(stretch);
        stretch = [];
      }
    }
  }

  #drawBand(context) {
    const { x, low, high } = this.data;
    if (!low) return;
    context.fillStyle = context.strokeStyle = this.color;
    context.lineWidth = 1;
    this.#stretches(low, (stretch) => {
      context.beginPath();
      stretch.forEach((index) => context.lineTo(this.toX(x[index]), this.toY(high[index])));
      stretch.reverse().forEach((index) => context.lineTo(this.toX(x[index]), this.toY(low[index])));
      context.closePath();
      context.globalAlpha = 0.16;
      context.fill();
      // A spike is narrower than a pixel; without an outline its part of the band fades away.
      context.globalAlpha = 0.4;
      context.stroke();
    });
    context.globalAlpha = 1;
  }

  #drawLine(context, items, opacity) {
    const { x } = this.data;
    context.strokeStyle = context.fillStyle = this.color;
    context.globalAlpha = opacity;
    context.lineWidth = 1.6;
    context.lineJoin = "round";
    this.#stretches(items, (stretch) => {
      context.beginPath();
      if (stretch.length === 1) {
        context.arc(this.toX(x[stretch[0]]), this.toY(items[stretch[0]]), 2.2, 0, 2 * Math.PI);
        context.fill();
        return;
      }
      stretch.forEach((index) => context.lineTo(this.toX(x[index]), this.toY(items[index])));
      context.stroke();
    });
    context.globalAlpha = 1;
  }

  #drawMarks(context, height) {
    context.fillStyle = this.theme.warn;
    let previous = -Infinity;
    for (const [x, what] of this.data.marks) {
      const [center, up] = [this.toX(x), what !== "-Infinity"];
      if (center - previous < 9) continue;
      previous = center;
      const y = up ? MARGIN.top : height - MARGIN.bottom;
      const tip = up ? 7 : -7;
      context.beginPath();
      context.moveTo(center - 4, y);
      context.lineTo(center + 4, y);
      context.lineTo(center, y + tip);
      context.fill();
    }
  }

  #drawCursor(context, height) {
    if (this.cursor === null || this.cursor >= this.data.x.length) return;
    const x = this.toX(this.data.x[this.cursor]);
    const item = (this.smooth ?? this.data.last)[this.cursor];
    context.strokeStyle = this.theme.text;
    context.globalAlpha = 0.5;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, MARGIN.top);
    context.lineTo(x, height - MARGIN.bottom);
    context.stroke();
    context.globalAlpha = 1;
    if (item === null || (this.logarithmic && item <= 0)) return;
    context.fillStyle = this.color;
    context.beginPath();
    context.arc(x, this.toY(item), 3.5, 0, 2 * Math.PI);
    context.fill();
  }

  #drawDrag(context, height) {
    if (!this.drag) return;
    const [from, to] = this.drag;
    context.fillStyle = this.color;
    context.globalAlpha = 0.15;
    context.fillRect(Math.min(from, to), MARGIN.top, Math.abs(to - from), height - MARGIN.top - MARGIN.bottom);
    context.globalAlpha = 1;
  }

  // --- Pointer and keys --------------------------------------------------------------------

  #press(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.drag = [event.offsetX, event.offsetX];
  }

  #move(event) {
    if (this.drag) this.drag[1] = event.offsetX;
    const { x } = this.data;
    this.#point(x.length ? nearest(x, this.fromX(event.offsetX)) : null);
  }

  #release() {
    const drag = this.drag;
    this.drag = null;
    if (!drag || Math.abs(drag[1] - drag[0]) < DRAG_PIXELS_MIN) {
      this.draw();
      return;
    }
    const [from, to] = drag.map((pixel) => this.fromX(pixel)).sort((a, b) => a - b);
    this.#zoom([Math.max(from, this.bounds.left), Math.min(to, this.bounds.right)]);
  }

  #key(event) {
    const count = this.data.x.length;
    if (event.key === "Escape") this.#zoom(null);
    else if (!count || !["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) return;
    else {
      const current = this.cursor ?? count - 1;
      const moved = { ArrowLeft: current - 1, ArrowRight: current + 1, Home: 0, End: count - 1 }[event.key];
      this.#point(Math.min(Math.max(moved, 0), count - 1));
    }
    event.preventDefault();
  }

  #point(index) {
    this.cursor = index;
    this.draw();
    this.tip.hidden = index === null;
    if (index === null) return;
    const { x, last, low, high } = this.data;
    const mark = this.data.marks.find(([place]) => place === x[index]);
    const shown = last[index] === null ? (mark?.[1] ?? "not finite") : number(last[index]);
    const lines = [h("b", null, shown)];
    if (this.smoothing && this.smooth[index] !== null) lines.push(h("span", null, ` · smoothed ${number(this.smooth[index])}`));
    if (low && low[index] !== high[index]) lines.push(h("br"), h("span", null, `${number(low[index])} to ${number(high[index])}`));
    lines.push(h("br"), h("span", null, `${this.axis.slice(1)} ${this.axis === "_step" ? number(x[index]) : this.#place(x[index])}`));
    this.tip.replaceChildren(...lines);
    const center = this.toX(x[index]);
    const width = this.tip.offsetWidth;
    const left = center + width + 20 > this.canvas.clientWidth ? center - width - 10 : center + 10;
    this.tip.style.left = `${Math.max(0, left)}px`;
    this.tip.style.top = "14px";
  }
}

// Exponential moving average; gaps stay gaps and do not pull the average.
function smoothed(items, weight) {
  if (!weight) return null;
  let [average, norm] = [0, 0];
  return items.map((item) => {
    if (item === null) return null;
    average = average * weight + (1 - weight) * item;
    norm = norm * weight + (1 - weight);
    return average / norm;
  });
}

function nearest(x, wanted) {
  let [low, high] = [0, x.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (x[middle] < wanted) low = middle;
    else high = middle;
  }
  return wanted - x[low] <= x[high] - wanted ? low : high;
}

function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let index = Math.ceil(low / step); index * step <= high && found.length < 20; index += 1) {
    found.push(Number((index * step).toPrecision(12)));
  }
  return found;
}

function timeTicks(low, high) {
  const rough = (high - low) / 4;
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200].find((item) => item >= rough);
  if (!step) return ticks(low / 86400, high / 86400, 4).map((item) => item * 86400);
  const found = [];
  for (let item = Math.ceil(low / step) * step; item <= high; item += step) found.push(item);
  return found;
}

// Whole powers of ten, thinned to a handful; a narrow range falls back to even ones.
function logTicks(floor, ceiling) {
  const [first, last] = [Math.ceil(floor), Math.floor(ceiling)];
  if (last - first < 1) return ticks(10 ** floor, 10 ** ceiling, 4).filter((item) => item > 0);
  const step = Math.ceil((last - first + 1) / 6);
  const found = [];
  for (let power = first; power <= last; power += step) found.push(Number(`1e${power}`));
  return found;
}

function compact(item) {
  const size = Math.abs(item);
  if (size >= 1e15 || (size && size < 1e-3)) return item.toExponential(1).replace("e+", "e").replace(".0e", "e");
  for (const [unit, letter] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (size >= unit * 10 || (size >= unit && unit > 1e3)) return `${Number((item / unit).toPrecision(4))}${letter}`;
  }
  return String(Number(item.toPrecision(4)));
}
