// Drawing on a canvas: axes, lines with the band between their lowest and highest values, marks.

import { compact, duration } from "./format.js";
import { MARGIN, logTicks, ticks, timeTicks } from "./scale.js";

// Above so many lines their bands would cover everything, and lines are as thin as can be: that is also five times as fast.
const BANDS_MAX = 6;

export function themeOf(element) {
  const style = getComputedStyle(element);
  const read = (name) => style.getPropertyValue(name);
  return { grid: read("--grid"), text: read("--muted"), words: style.color, warn: read("--warn"), surface: read("--surface") };
}

// A canvas as sharp as the screen; undefined while it has no size.
export function contextOf(canvas) {
  const ratio = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width || !height) return undefined;
  const [pixelWidth, pixelHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) {
    canvas.width = pixelWidth;
    canvas.height = pixelHeight;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

export function drawAxes({ context, width, height }, scales, axis, theme) {
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = theme.text;
  context.strokeStyle = theme.grid;
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  const { floor, ceiling, logY } = scales;
  for (const item of logY ? logTicks(floor, ceiling) : ticks(floor, ceiling, height > 300 ? 8 : 5)) {
    const y = Math.round(scales.toY(item)) + 0.5;
    context.beginPath();
    context.moveTo(MARGIN.left, y);
    context.lineTo(width - MARGIN.right, y);
    context.stroke();
    context.fillText(compact(item), MARGIN.left - 6, y);
  }
  context.textAlign = "center";
  context.textBaseline = "top";
  let end = -Infinity;
  for (const item of ticksX(scales, axis, width)) {
    const [x, text] = [scales.toX(item), placeText(axis, item, scales.right - scales.left)];
    const half = context.measureText(text).width / 2;
    if (x - half < end + 8 || x + half > width) continue;
    end = x + half;
    context.fillText(text, x, height - MARGIN.bottom + 5);
  }
}

function ticksX({ left, right, logX }, axis, width) {
  if (logX) return logTicks(Math.log10(left), Math.log10(right));
  const count = Math.max(2, Math.min(9, Math.floor(width / 65)));
  return axis === "_runtime" || axis === "_timestamp" ? timeTicks(left, right, count) : ticks(left, right, count);
}

// A place on an axis, as short as its span allows.
function placeText(axis, item, span) {
  if (axis === "_runtime") return duration(item);
  if (axis !== "_timestamp") return compact(item);
  const moment = new Date(item * 1000);
  if (span > 2 * 86400) return moment.toLocaleDateString(undefined, { month: "short", day: "numeric" });
  return moment.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", ...(span < 300 ? { second: "2-digit" } : {}) });
}

// `lines` in the order in which they are drawn; `faded` tells which stand back.
export function drawLines({ context, width, height }, lines, scales, { smoothing, faded }) {
  context.save();
  context.beginPath();
  context.rect(MARGIN.left, 0, width - MARGIN.left - MARGIN.right + 4, height - MARGIN.bottom + 2);
  context.clip();
  for (const line of lines) if (line.low && (lines.length <= BANDS_MAX || line.band)) drawBand(context, line, scales, faded(line));
  for (const line of lines) {
    const strength = faded(line) ? 0.18 : 1;
    context.lineWidth = line.strong ? 2.4 : lines.length > BANDS_MAX ? 1 : 1.5;
    if (smoothing && lines.length <= BANDS_MAX) drawLine(context, line, line.last, scales, 0.26 * strength);
    drawLine(context, line, line.shown, scales, strength);
  }
  context.restore();
}

// Calls `visit` for each stretch of points that can be drawn without a gap.
function stretches(items, logY, visit) {
  let first = -1;
  for (let index = 0; index <= items.length; index += 1) {
    const item = items[index];
    const drawn = index < items.length && item !== null && !(logY && item <= 0);
    if (drawn && first < 0) first = index;
    if (!drawn && first >= 0) {
      visit(first, index);
      first = -1;
    }
  }
}

function drawBand(context, { x, low, high, color }, { toX, toY, logY }, faded) {
  context.fillStyle = context.strokeStyle = color;
  context.lineWidth = 1;
  stretches(low, logY, (first, end) => {
    context.beginPath();
    for (let index = first; index < end; index += 1) context.lineTo(toX(x[index]), toY(high[index]));
    for (let index = end - 1; index >= first; index -= 1) context.lineTo(toX(x[index]), toY(low[index]));
    context.closePath();
    context.globalAlpha = faded ? 0.04 : 0.14;
    context.fill();
    // A spike is narrower than a pixel; without an outline its part of the band fades away.
    context.globalAlpha = faded ? 0.08 : 0.35;
    context.stroke();
  });
  context.globalAlpha = 1;
}

function drawLine(context, { x, color, dash }, items, { toX, toY, logY }, opacity) {
  context.strokeStyle = context.fillStyle = color;
  context.globalAlpha = opacity;
  context.lineJoin = "bevel";
  context.setLineDash(dash ? [5, 4] : []);
  stretches(items, logY, (first, end) => {
    context.beginPath();
    if (end - first === 1) {
      context.arc(toX(x[first]), toY(items[first]), 2.2, 0, 2 * Math.PI);
      context.fill();
      return;
    }
    for (let index = first; index < end; index += 1) context.lineTo(toX(x[index]), toY(items[index]));
    context.stroke();
  });
  context.setLineDash([]);
  context.globalAlpha = 1;
}

// Where values were not finite: a wedge at the edge to which they went.
export function drawMarks({ context, height }, lines, { toX }, theme) {
  context.fillStyle = theme.warn;
  let previous = -Infinity;
  for (const [x, what] of lines.flatMap((line) => line.marks).sort((a, b) => a[0] - b[0])) {
    const [center, up] = [toX(x), what !== "-Infinity"];
    if (center < MARGIN.left || center - previous < 9) continue;
    previous = center;
    const y = up ? MARGIN.top : height - MARGIN.bottom;
    context.beginPath();
    context.moveTo(center - 4, y);
    context.lineTo(center + 4, y);
    context.lineTo(center, y + (up ? 7 : -7));
    context.fill();
  }
}

// The upright line at a place, and a dot on each line there.
export function drawCursor({ context, height }, lines, scales, x, theme) {
  const center = scales.toX(x);
  context.strokeStyle = theme.text;
  context.globalAlpha = 0.55;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(Math.round(center) + 0.5, MARGIN.top);
  context.lineTo(Math.round(center) + 0.5, height - MARGIN.bottom);
  context.stroke();
  context.globalAlpha = 1;
  for (const { line, index } of lines) {
    const item = line.shown[index];
    if (item === null || (scales.logY && item <= 0)) continue;
    context.fillStyle = line.color;
    context.strokeStyle = theme.surface;
    context.lineWidth = 1.5;
    context.beginPath();
    context.arc(scales.toX(line.x[index]), scales.toY(item), 3.5, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
  }
}

export function drawDrag({ context, height }, from, to, color) {
  context.fillStyle = color;
  context.globalAlpha = 0.14;
  context.fillRect(Math.min(from, to), MARGIN.top, Math.abs(to - from), height - MARGIN.top - MARGIN.bottom);
  context.globalAlpha = 1;
}
