// Bars for a metric of which each run has one value, such as what was measured at the end: the largest on top.

import { number } from "./format.js";

const MARGIN = 8;
const ROW_MAX = 26;
// Below so many pixels a row has no room for words.
const WORDS_MIN = 13;

// Whether lines are better drawn so: where there are several, and none has a second point.
export function areBars(lines) {
  return lines.length > 1 && lines.every((line) => line.x.length === 1 && line.last[0] !== null);
}

// [{line, top, height}] from above.
export function barRows(lines, height) {
  const row = Math.min(ROW_MAX, (height - 2 * MARGIN) / lines.length);
  const ordered = [...lines].sort((a, b) => b.last[0] - a.last[0]);
  return ordered.map((line, index) => ({ line, top: MARGIN + index * row, height: row }));
}

export function drawBars({ context, width, height }, lines, theme, highlighted) {
  const rows = barRows(lines, height);
  const values = lines.map((line) => line.last[0]);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const known = lines.some((line) => line.id === highlighted);
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  // Numbers stand right of all bars.
  const right = width - MARGIN - (rows[0].height < WORDS_MIN ? 0 : 8 + Math.max(...values.map((item) => context.measureText(number(item)).width)));
  const toX = (item) => MARGIN + ((item - low) / (high - low || 1)) * (right - MARGIN);
  for (const { line, top, height: row } of rows) {
    const [item] = line.last;
    const space = Math.min(3, row / 5);
    context.globalAlpha = known && line.id !== highlighted ? 0.12 : 0.32;
    context.fillStyle = line.color;
    context.fillRect(Math.min(toX(0), toX(item)), top + space / 2, Math.max(1, Math.abs(toX(item) - toX(0))), row - space);
    context.globalAlpha = 1;
    context.fillRect(toX(item) - 1, top + space / 2, 2, row - space);
    if (row < WORDS_MIN) continue;
    context.fillStyle = theme.words;
    context.textAlign = "right";
    context.fillText(number(item), width - MARGIN, top + row / 2);
    context.textAlign = "left";
    context.fillText(cut(context, line.name, right - 2 * MARGIN), MARGIN + 5, top + row / 2);
  }
}

function cut(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > width) length -= 1;
  return `${text.slice(0, length)}…`;
}
