// How much each parameter matters for a metric: a forest of regression trees, and what it loses when a parameter is shuffled.

const TREES = 60;
const DEPTH_MAX = 8;
const LEAF_MIN = 2;
const THRESHOLDS_MAX = 16;

// Chance that is the same each time, so that a page says the same twice.
function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

// Texts become the ranks of their means, so that a tree can cut between them.
function encoded(column, target) {
  if (column.every((item) => typeof item === "number")) return column;
  const sums = new Map();
  column.forEach((item, index) => {
    const name = String(item);
    const [sum, count] = sums.get(name) ?? [0, 0];
    sums.set(name, [sum + target[index], count + 1]);
  });
  const ranks = new Map([...sums].sort((a, b) => a[1][0] / a[1][1] - b[1][0] / b[1][1]).map(([name], rank) => [name, rank]));
  return column.map((item) => ranks.get(String(item)));
}

// `columns` are lists of values, one for each parameter. Returns {importance, correlation} for each, importance summing to 1.
export function importances(columns, target) {
  const rows = target.length;
  const features = columns.map((column) => encoded(column, target));
  const random = chance(rows * 31 + columns.length);
  const losses = new Float64Array(features.length);
  for (let tree = 0; tree < TREES; tree += 1) {
    const chosen = Array.from({ length: rows }, () => Math.floor(random() * rows));
    const held = new Set(chosen);
    const left = target.map((_, row) => row).filter((row) => !held.has(row));
    if (!left.length) continue;
    const root = grow(features, target, chosen, 0, random);
    const error = meanError(root, features, target, left);
    features.forEach((column, index) => {
      const shuffled = left.map((row) => column[row]);
      for (let at = shuffled.length - 1; at > 0; at -= 1) {
        const other = Math.floor(random() * (at + 1));
        [shuffled[at], shuffled[other]] = [shuffled[other], shuffled[at]];
      }
      losses[index] += Math.max(0, meanError(root, features, target, left, index, shuffled) - error);
    });
  }
  const total = losses.reduce((sum, item) => sum + item, 0) || 1;
  return features.map((column, index) => ({ importance: losses[index] / total, correlation: correlation(column, target) }));
}

function grow(features, target, rows, depth, random) {
  const mean = rows.reduce((sum, row) => sum + target[row], 0) / rows.length;
  if (depth >= DEPTH_MAX || rows.length < 2 * LEAF_MIN) return { mean };
  const tried = features.map((_, index) => index).filter(() => random() < 0.7);
  let best = null;
  for (const feature of tried.length ? tried : [Math.floor(random() * features.length)]) {
    const cut = bestCut(features[feature], target, rows);
    if (cut && (!best || cut.error < best.error)) best = { ...cut, feature };
  }
  if (!best) return { mean };
  const below = rows.filter((row) => features[best.feature][row] <= best.threshold);
  const above = rows.filter((row) => features[best.feature][row] > best.threshold);
  return {
    feature: best.feature,
    threshold: best.threshold,
    below: grow(features, target, below, depth + 1, random),
    above: grow(features, target, above, depth + 1, random),
  };
}

function bestCut(column, target, rows) {
  const sorted = [...rows].sort((a, b) => column[a] - column[b]);
  let [sum, squares] = [0, 0];
  for (const row of sorted) {
    sum += target[row];
    squares += target[row] ** 2;
  }
  const stride = Math.max(1, Math.floor(sorted.length / THRESHOLDS_MAX));
  let [leftSum, leftSquares, best] = [0, 0, null];
  for (let at = 0; at < sorted.length - LEAF_MIN; at += 1) {
    leftSum += target[sorted[at]];
    leftSquares += target[sorted[at]] ** 2;
    const count = at + 1;
    if (count < LEAF_MIN || count % stride || column[sorted[at]] === column[sorted[at + 1]]) continue;
    const rest = sorted.length - count;
    const error = leftSquares - leftSum ** 2 / count + (squares - leftSquares) - (sum - leftSum) ** 2 / rest;
    if (!best || error < best.error) best = { error, threshold: (column[sorted[at]] + column[sorted[at + 1]]) / 2 };
  }
  return best;
}

function meanError(root, features, target, rows, shuffledFeature, shuffled) {
  let sum = 0;
  rows.forEach((row, place) => {
    let node = root;
    while (node.feature !== undefined) {
      const item = node.feature === shuffledFeature ? shuffled[place] : features[node.feature][row];
      node = item <= node.threshold ? node.below : node.above;
    }
    sum += (target[row] - node.mean) ** 2;
  });
  return sum / rows.length;
}

// Of ranks, so that a parameter counts that moves the metric in one direction, however bent.
export function correlation(a, b) {
  const [x, y] = [ranks(a), ranks(b)];
  const mean = (x.length - 1) / 2;
  let [both, left, right] = [0, 0, 0];
  x.forEach((item, index) => {
    both += (item - mean) * (y[index] - mean);
    left += (item - mean) ** 2;
    right += (y[index] - mean) ** 2;
  });
  return left && right ? both / Math.sqrt(left * right) : 0;
}

function ranks(items) {
  const order = items.map((_, index) => index).sort((a, b) => items[a] - items[b]);
  const found = new Array(items.length);
  for (let at = 0; at < order.length;) {
    let end = at;
    while (end < order.length && items[order[end]] === items[order[at]]) end += 1;
    for (let place = at; place < end; place += 1) found[order[place]] = (at + end - 1) / 2;
    at = end;
  }
  return found;
}
