// A chart of lines on a canvas, in buckets as the server sends them.
//
// A line joins the last value of each bucket; the band behind it spans lowest to highest, so a spike inside a bucket
// stays visible. Two canvases lie on each other: lines below, and above them what follows the pointer, so that moving
// it through a page of charts redraws no line. What charts share, the panel knows: axis, zoom, smoothing, the cursor.

import { areBars, barRows, drawBars } from "./bars.js";
import { h, iconButton, setText } from "./dom.js";
import { csvLine, duration, moment, number } from "./format.js";
import { menuItems, openBeside } from "./popover.js";
import { contextOf, drawAxes, drawCursor, drawDrag, drawLines, drawMarks, themeOf } from "./plot.js";
import { nearest, scalesOf } from "./scale.js";
import { smoothed } from "./smoothing.js";

const DRAG_PIXELS_MIN = 6;
const TIP_LINES_MAX = 12;
// How near to a line the pointer must be to mean it, in pixels.
const TOUCH_PIXELS = 24;

const charts = new Set();
const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => target.chart.draw()));
export function redrawCharts() {
  charts.forEach((chart) => chart.draw());
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCharts);

// One for all charts; it lies over everything, dialogs too, so that nothing cuts it off.
const tip = h("div", { class: "tip", role: "status", popover: "manual" });
document.body.append(tip);

export class Chart {
  // `panel` has the view (`smoothing`, `smoothingKind`, `outliers`, `logX`), `isLog`, `rangeOf`, `zoom`, `point`,
  // `highlight` and `menu`. What a reader knows under another name than the metric's has a title, and a unit.
  constructor(name, panel, axis, { title, unit } = {}) {
    this.name = name;
    this.title = title;
    this.unit = unit;
    this.panel = panel;
    this.axis = axis;
    this.lines = [];
    this.cursor = null;
    this.drag = null;
    this.#build();
    charts.add(this);
  }

  #build() {
    this.value = h("span", { class: "value" });
    this.logButton = h(
      "button",
      { type: "button", "aria-pressed": "false", title: "Logarithmic scale", onclick: () => this.panel.toggleLog(this) },
      "log",
    );
    this.resetButton = h("button", { type: "button", hidden: true, onclick: () => this.panel.zoom(this.axis, null) }, "reset zoom");
    const more = iconButton("more", `More for ${this.name}`, () =>
      openBeside(more, this.name, (close) => menuItems(close, this.panel.menu(this))),
    );
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.above = h("canvas", { tabindex: "0", role: "img", "aria-label": this.name });
    this.note = h("p", { class: "plot-note hint" });
    this.element = h(
      "article",
      { class: "chart card" },
      h("header", null, this.#heading(), this.value, this.resetButton, h("span", { class: "chart-buttons" }, this.logButton, more)),
      h("div", { class: "plot" }, this.canvas, this.note, this.above),
    );
    this.element.chart = this;
    resized.observe(this.element);
    const on = (type, act) => this.above.addEventListener(type, act);
    on("pointerdown", (event) => this.#press(event));
    on("pointermove", (event) => this.#move(event));
    on("pointerup", () => this.#release());
    on("pointercancel", () => {
      this.drag = null;
      this.#leave();
    });
    on("pointerleave", () => this.#leave());
    on("blur", () => this.#leave());
    on("dblclick", () => this.panel.zoom(this.axis, null));
    on("keydown", (event) => this.#key(event));
  }

  #heading() {
    if (this.title) return h("h2", { title: this.name }, this.title, this.unit ? h("span", { class: "hint" }, ` ${this.unit}`) : null);
    const slash = this.name.lastIndexOf("/");
    const group = slash > 0 ? h("span", { class: "hint" }, this.name.slice(0, slash + 1)) : null;
    return h("h2", { title: this.name }, group, this.name.slice(slash + 1));
  }

  // Takes the chart out of the page for good.
  remove() {
    charts.delete(this);
    resized.unobserve(this.element);
    this.element.remove();
  }

  // Each line is {id, name, color, x, last, low?, high?, marks, band?, strong?, dash?}; `note` stands where there is none.
  setLines(lines, axis = this.axis, note = "") {
    this.axis = axis;
    setText(this.note, lines.length ? "" : note);
    const { smoothing, smoothingKind } = this.panel.view;
    this.lines = lines.map((line) => ({ ...line, shown: smoothed(line.last, smoothing, smoothingKind) }));
    const points = this.lines.reduce((sum, line) => sum + line.last.filter((item) => item !== null).length, 0);
    this.element.dataset.points = String(points);
    this.element.dataset.lines = String(lines.length);
    const [only] = this.lines;
    const lastValue = this.lines.length === 1 ? only.last.findLast((item) => item !== null) : undefined;
    this.lastText = lastValue === undefined ? "" : number(lastValue);
    setText(this.value, this.lastText);
    const what = lines.length === 1 ? `last value ${this.lastText || "–"}` : `${lines.length} lines`;
    this.above.setAttribute("aria-label", `${this.title ?? this.name}: ${points} points, ${what}. Arrow keys read it, Escape zooms out.`);
    this.draw();
  }

  // Draws when the browser next does, however often it is asked to.
  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (this.element.isConnected) this.#drawAll();
    });
  }

  #drawAll() {
    const canvas = contextOf(this.canvas);
    if (!canvas) return;
    const { logX, outliers, smoothing } = this.panel.view;
    const range = this.panel.rangeOf(this.axis);
    const logY = this.panel.isLog(this.name);
    this.logButton.setAttribute("aria-pressed", String(logY));
    this.resetButton.hidden = !range;
    this.theme = themeOf(this.element);
    this.bars = areBars(this.lines);
    this.logButton.hidden = this.bars;
    if (this.bars) {
      contextOf(this.above);
      drawBars(canvas, this.lines, this.theme, this.panel.highlighted);
      return;
    }
    this.scales = scalesOf(this.lines, {
      width: canvas.width,
      height: canvas.height,
      range,
      logX: logX && this.axis !== "_timestamp",
      logY,
      outliers,
    });
    // Axes of nothing would look like numbers.
    if (this.lines.length) drawAxes(canvas, this.scales, this.axis, this.theme);
    const above = this.panel.highlighted;
    const ordered = above ? [...this.lines].sort((a, b) => (a.id === above) - (b.id === above)) : this.lines;
    const known = ordered.some((line) => line.id === above);
    drawLines(
      canvas,
      ordered.map((line) => (line.id === above ? { ...line, strong: true } : line)),
      this.scales,
      { smoothing, faded: (line) => known && line.id !== above },
    );
    drawMarks(canvas, this.lines, this.scales, this.theme);
    this.#drawAbove();
  }

  #drawAbove() {
    const canvas = contextOf(this.above);
    if (!canvas || !this.scales || this.bars) return;
    if (this.drag) drawDrag(canvas, ...this.drag, this.lines[0]?.color ?? this.theme.text);
    if (this.cursor === null || this.cursor < this.scales.left || this.cursor > this.scales.right) return;
    drawCursor(canvas, this.#pointsAt(this.cursor), this.scales, this.cursor, this.theme);
  }

  // The point of each line that is nearest to a place, where the line reaches that far.
  #pointsAt(x) {
    const slack = (this.scales.right - this.scales.left) * 0.02;
    return this.lines.flatMap((line) => {
      const index = nearest(line.x, x);
      if (index < 0 || (line.x[index] < x - slack && index === line.x.length - 1) || (line.x[index] > x + slack && index === 0)) return [];
      return [{ line, index }];
    });
  }

  // --- Pointer and keys --------------------------------------------------------------------

  #press(event) {
    if (event.button !== 0 || !this.scales || this.bars) return;
    this.above.setPointerCapture(event.pointerId);
    this.drag = [event.offsetX, event.offsetX];
  }

  #move(event) {
    if (this.bars) this.#moveOverBars(event.offsetX, event.offsetY);
    if (!this.scales || this.bars) return;
    if (this.drag) this.drag[1] = event.offsetX;
    const wanted = this.scales.fromX(event.offsetX);
    const points = this.#pointsAt(wanted);
    if (!points.length) {
      this.#leave();
      return;
    }
    const distance = ({ line, index }) =>
      line.shown[index] === null ? Infinity : Math.abs(this.scales.toY(line.shown[index]) - event.offsetY);
    const closest = points.reduce((best, point) => (distance(point) < distance(best) ? point : best));
    const touched = this.lines.length > 1 && distance(closest) < TOUCH_PIXELS ? closest.line.id : null;
    this.panel.highlight(touched);
    this.panel.point(this.axis, closest.line.x[closest.index]);
    this.#showTip(points, touched);
  }

  #moveOverBars(x, y) {
    const row = barRows(this.lines, this.above.clientHeight).find(({ top, height }) => y >= top && y < top + height);
    if (!row) {
      this.#leave();
      return;
    }
    this.panel.highlight(row.line.id);
    this.#showTip([{ line: row.line, index: 0 }], row.line.id, x);
  }

  #release() {
    const drag = this.drag;
    this.drag = null;
    if (!drag || Math.abs(drag[1] - drag[0]) < DRAG_PIXELS_MIN) {
      this.#drawAbove();
      return;
    }
    const [from, to] = drag.map((pixel) => this.scales.fromX(pixel)).sort((a, b) => a - b);
    this.#leave();
    this.panel.zoom(this.axis, [Math.max(from, this.scales.left), Math.min(to, this.scales.right)]);
  }

  #leave() {
    if (this.drag) return;
    if (tip.matches(":popover-open")) tip.hidePopover();
    this.panel.highlight(null);
    this.panel.point(this.axis, null);
  }

  #key(event) {
    if (event.key === "Escape") this.panel.zoom(this.axis, null);
    else if (event.key === "l") this.panel.toggleLog(this);
    else if (event.key === "Enter") this.panel.expand?.(this);
    else if (!["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key) || !this.lines.length || event.metaKey || event.ctrlKey)
      return;
    else this.#step(event.key);
    event.preventDefault();
    event.stopPropagation();
  }

  #step(key) {
    if (this.bars) {
      this.#stepOverBars(key);
      return;
    }
    const { x } = this.lines.reduce((best, line) => (line.x.length > best.x.length ? line : best));
    if (!x.length) return;
    const current = this.cursor === null ? x.length - 1 : nearest(x, this.cursor);
    const moved = { ArrowLeft: current - 1, ArrowRight: current + 1, Home: 0, End: x.length - 1 }[key];
    this.panel.point(this.axis, x[Math.min(Math.max(moved, 0), x.length - 1)]);
    this.#showTip(this.#pointsAt(this.cursor), null);
  }

  #stepOverBars(key) {
    const rows = barRows(this.lines, this.above.clientHeight);
    const moved = { ArrowLeft: (this.row ?? 0) - 1, ArrowRight: (this.row ?? -1) + 1, Home: 0, End: rows.length - 1 }[key];
    this.row = Math.min(Math.max(moved, 0), rows.length - 1);
    const { line } = rows[this.row];
    this.panel.highlight(line.id);
    this.#showTip([{ line, index: 0 }], line.id, this.above.clientWidth / 2);
  }

  // Called by the panel for every chart of an axis.
  setCursor(x) {
    if (this.cursor === x && !this.drag) return;
    this.cursor = x;
    this.#drawAbove();
    if (this.lines.length !== 1 || !this.scales) return;
    const [point] = x === null ? [] : this.#pointsAt(x);
    setText(this.value, point ? this.#valueText(point) : this.lastText);
  }

  #valueText({ line, index }) {
    if (line.last[index] !== null) return number(line.last[index]);
    return line.marks.find(([place]) => place === line.x[index])?.[1] ?? "not finite";
  }

  // Beside the place of the cursor, or of a bar so many pixels from the left.
  #showTip(points, touched, pixels) {
    const sorted = points.filter(({ line, index }) => line.last[index] !== null || line.marks.length);
    sorted.sort((a, b) => (b.line.shown[b.index] ?? -Infinity) - (a.line.shown[a.index] ?? -Infinity));
    // The line that is meant is never among those that are left out.
    const at = sorted.findIndex(({ line }) => line.id === touched);
    const from = Math.max(0, Math.min(at - TIP_LINES_MAX + 2, sorted.length - TIP_LINES_MAX));
    const shown = sorted.slice(from, from + TIP_LINES_MAX);
    const rows = shown.map((point) => this.#tipRow(point, point.line.id === touched));
    if (sorted.length > shown.length)
      rows.push(h("tr", null, h("td", { colspan: "3", class: "hint" }, `${sorted.length - shown.length} more`)));
    const place = pixels === undefined ? this.cursor : points[0].line.x[0];
    tip.replaceChildren(h("div", { class: "hint" }, this.#placeName(place)), h("table", null, h("tbody", null, rows)));
    if (!tip.matches(":popover-open")) tip.showPopover();
    const { left, top } = this.above.getBoundingClientRect();
    const center = left + (pixels ?? this.scales.toX(this.cursor));
    const { offsetWidth: width, offsetHeight: height } = tip;
    tip.style.left = `${center + width + 24 > innerWidth ? Math.max(4, center - width - 14) : center + 14}px`;
    tip.style.top = `${Math.max(4, Math.min(top + 12, innerHeight - height - 8))}px`;
  }

  #tipRow(point, strong) {
    const { line, index } = point;
    const notes = [];
    if (this.panel.view.smoothing && line.shown[index] !== null) notes.push(`smoothed ${number(line.shown[index])}`);
    if (line.low && line.low[index] !== line.high[index] && line.low[index] !== null)
      notes.push(`${number(line.low[index])} to ${number(line.high[index])}`);
    const swatch = h("i", { class: "swatch" });
    swatch.style.background = line.color;
    return h(
      "tr",
      { class: strong ? "strong" : null },
      h("td", null, swatch, this.lines.length > 1 ? line.name : null),
      h("td", { class: "number" }, h("b", null, this.#valueText(point))),
      h("td", { class: "hint" }, notes.join(" · ")),
    );
  }

  #placeName(x) {
    if (this.axis === "_step") return `step ${number(x)}`;
    if (this.axis === "_runtime") return `after ${duration(x)}`;
    return this.axis === "_timestamp" ? moment(x) : `${this.axis} ${number(x)}`;
  }

  // --- Taking it along ---------------------------------------------------------------------

  csv() {
    const rows = this.lines.flatMap((line) =>
      line.x.map((x, index) => [line.name, x, line.last[index], line.low?.[index], line.high?.[index]]),
    );
    return [["run", this.axis, this.name, "lowest", "highest"], ...rows].map(csvLine).join("");
  }

  picture() {
    const { width, height } = this.canvas;
    const copy = new OffscreenCanvas(width, height);
    const context = copy.getContext("2d");
    context.fillStyle = this.theme.surface;
    context.fillRect(0, 0, width, height);
    context.drawImage(this.canvas, 0, 0);
    return copy.convertToBlob({ type: "image/png" });
  }
}
