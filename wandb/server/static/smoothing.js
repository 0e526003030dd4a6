// Three ways to smooth a line, each with a weight between 0 and 1. Gaps stay gaps and do not pull the rest.

export const SMOOTHINGS = [
  ["ema", "Exponential"],
  ["gaussian", "Gaussian"],
  ["average", "Running average"],
];

export function smoothed(items, weight, kind) {
  if (!weight) return items;
  return { ema: exponential, gaussian, average: running }[kind in KINDS ? kind : "ema"](items, weight);
}

const KINDS = Object.fromEntries(SMOOTHINGS);

// The first values count in full: the average is divided by the weights that it has seen.
function exponential(items, weight) {
  let [average, norm] = [0, 0];
  return items.map((item) => {
    if (item === null) return null;
    average = average * weight + (1 - weight) * item;
    norm = norm * weight + (1 - weight);
    return average / norm;
  });
}

// A weight of 1 spreads over a quarter of the points.
function gaussian(items, weight) {
  const deviation = Math.max(0.3, (weight * items.length) / 12);
  const reach = Math.ceil(deviation * 3);
  const kernel = Array.from({ length: reach + 1 }, (_, distance) => Math.exp(-0.5 * (distance / deviation) ** 2));
  return items.map((item, index) => (item === null ? null : weighted(items, index, reach, (distance) => kernel[distance])));
}

function running(items, weight) {
  const reach = Math.max(1, Math.round((weight * items.length) / 8));
  return items.map((item, index) => (item === null ? null : weighted(items, index, reach, () => 1)));
}

function weighted(items, index, reach, weightAt) {
  let [sum, norm] = [0, 0];
  for (let at = Math.max(0, index - reach); at <= Math.min(items.length - 1, index + reach); at += 1) {
    if (items[at] === null) continue;
    const weight = weightAt(Math.abs(at - index));
    sum += weight * items[at];
    norm += weight;
  }
  return sum / norm;
}
