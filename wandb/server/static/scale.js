// From values to pixels and back, and where an axis has its marks.

export const MARGIN = { top: 8, right: 10, bottom: 20, left: 46 };

// What the lines span, as scales for a canvas of this size.
// `lines` are objects with `x`, `shown` (what the line joins), `last`, `low` and `high`.
export function scalesOf(lines, { width, height, range, logX, logY, outliers }) {
  const [left, right] = spanX(lines, range, logX);
  const [bottom, top] = spanY(lines, left, right, logY, outliers);
  const [forwardX, backX] = logX ? [Math.log10, (item) => 10 ** item] : [same, same];
  const forwardY = logY ? Math.log10 : same;
  let [floor, ceiling] = [forwardY(bottom), forwardY(top)];
  const space = (ceiling - floor) * 0.06 || Math.abs(floor) * 0.1 || 0.5;
  [floor, ceiling] = [floor - space, ceiling + space];
  const [innerWidth, innerHeight] = [width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom];
  const [first, last] = [forwardX(left), forwardX(right)];
  return {
    left,
    right,
    floor,
    ceiling,
    logX,
    logY,
    toX: (item) => MARGIN.left + ((forwardX(item) - first) / (last - first)) * innerWidth,
    fromX: (pixel) => backX(first + ((pixel - MARGIN.left) / innerWidth) * (last - first)),
    toY: (item) => MARGIN.top + (1 - (forwardY(item) - floor) / (ceiling - floor)) * innerHeight,
  };
}

const same = (item) => item;

function spanX(lines, range, logX) {
  let [left, right] = range ?? [Infinity, -Infinity];
  if (!range) {
    for (const { x } of lines) {
      if (!x.length) continue;
      // On a logarithmic axis nothing stands at zero or before.
      const first = logX ? x.find((item) => item > 0) : x[0];
      if (first !== undefined) left = Math.min(left, first);
      right = Math.max(right, x.at(-1));
    }
  }
  if (logX && !(left > 0)) left = Math.min(1, right / 10);
  if (left > right || !Number.isFinite(left) || !Number.isFinite(right)) return logX ? [0.1, 1] : [0, 1];
  if (left === right) return logX ? [left / 2, left * 2] : [left - 0.5, left + 0.5];
  return [left, right];
}

function spanY(lines, left, right, logY, outliers) {
  let [bottom, top] = [Infinity, -Infinity];
  const values = [];
  for (const { x, last, shown, low, high } of lines) {
    for (let index = 0; index < x.length; index += 1) {
      if (x[index] < left || x[index] > right) continue;
      const items = outliers ? [shown[index]] : [last[index], low?.[index], high?.[index]];
      for (const item of items) {
        if (item === null || item === undefined || (logY && item <= 0)) continue;
        if (outliers) values.push(item);
        bottom = Math.min(bottom, item);
        top = Math.max(top, item);
      }
    }
  }
  if (outliers && values.length > 20) {
    values.sort((a, b) => a - b);
    [bottom, top] = [values[Math.floor(values.length * 0.02)], values[Math.ceil(values.length * 0.98) - 1]];
  }
  if (bottom > top) return logY ? [0.1, 1] : [0, 1];
  return [bottom, top];
}

export function nearest(x, wanted) {
  let [low, high] = [0, x.length - 1];
  if (high < 0) return -1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (x[middle] < wanted) low = middle;
    else high = middle;
  }
  return wanted - x[low] <= x[high] - wanted ? low : high;
}

export function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9));
  const found = [];
  for (let index = Math.ceil(low / step); index * step <= high && found.length < 20; index += 1) {
    found.push(Number((index * step).toPrecision(12)));
  }
  return found;
}

export function timeTicks(low, high, count) {
  const rough = (high - low) / count;
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200].find((item) => item >= rough);
  if (!step) return ticks(low / 86400, high / 86400, count).map((item) => item * 86400);
  const found = [];
  for (let item = Math.ceil(low / step) * step; item <= high; item += step) found.push(item);
  return found;
}

// Whole powers of ten, thinned to a handful; a narrow range falls back to even ones.
export function logTicks(floor, ceiling) {
  const [first, last] = [Math.ceil(floor), Math.floor(ceiling)];
  if (last - first < 1) return ticks(10 ** floor, 10 ** ceiling, 4).filter((item) => item > 0);
  const step = Math.ceil((last - first + 1) / 6);
  const found = [];
  for (let power = first; power <= last; power += step) found.push(Number(`1e${power}`));
  return found;
}
