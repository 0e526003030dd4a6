// The difference of two texts, line by line.

import { h } from "./dom.js";

const LINES_MAX = 4000;
const CONTEXT = 3;

// The shortest way from one list of lines to the other, as [kind, line]: " ", "-" or "+".
function lineDiff(before, after) {
  const [a, b] = [before.split("\n").slice(0, LINES_MAX), after.split("\n").slice(0, LINES_MAX)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const middle = shortest(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return [...a.slice(0, start).map(same), ...middle, ...a.slice(a.length - end).map(same)];
}

const same = (line) => [" ", line];

// Lengths of the longest common part of what is left, then the way along them.
function shortest(a, b) {
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] =
        a[i] === b[j] ? lengths[(i + 1) * width + j + 1] + 1 : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  const steps = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      steps.push([" ", a[i]]);
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && lengths[(i + 1) * width + j] >= lengths[i * width + j + 1])) {
      steps.push(["-", a[i]]);
      i += 1;
    } else {
      steps.push(["+", b[j]]);
      j += 1;
    }
  }
  return steps;
}

export function diffView(name, before, after) {
  const steps = lineDiff(before, after);
  const near = steps.map((_, index) => steps.slice(Math.max(0, index - CONTEXT), index + CONTEXT + 1).some(([kind]) => kind !== " "));
  if (!near.includes(true)) return h("p", { class: "hint padded" }, "No difference.");
  const rows = [];
  let hidden = 0;
  steps.forEach(([kind, line], index) => {
    if (!near[index]) {
      hidden += 1;
      return;
    }
    if (hidden) rows.push(h("span", { class: "place" }, `@@ ${hidden} equal lines\n`));
    hidden = 0;
    rows.push(h("span", { class: { "+": "added", "-": "removed" }[kind] }, `${kind} ${line}\n`));
  });
  return h("pre", { class: "patch", tabindex: "0", role: "region", "aria-label": `Difference of ${name}` }, rows);
}
