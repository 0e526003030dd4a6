// Lines of a group as one: their mean, and a band from the lowest to the highest.

export function grouped(lines) {
  if (!lines.some((line) => line.group !== undefined)) return lines;
  const groups = new Map();
  for (const line of lines) {
    if (!groups.has(line.group)) groups.set(line.group, []);
    groups.get(line.group).push(line);
  }
  return [...groups].map(([name, members]) => (members.length === 1 ? { ...members[0], id: name, name } : meanOf(name, members)));
}

// Over the places of the longest line; between two points of a member its value is on the straight line between them.
function meanOf(name, members) {
  const { x } = members.reduce((best, line) => (line.x.length > best.x.length ? line : best));
  const readers = members.map(reader);
  const [last, low, high] = [[], [], []];
  for (const place of x) {
    const values = readers.map((read) => read(place)).filter((item) => item !== null);
    last.push(values.length ? values.reduce((sum, item) => sum + item, 0) / values.length : null);
    low.push(values.length ? Math.min(...values) : null);
    high.push(values.length ? Math.max(...values) : null);
  }
  return { id: name, name: `${name} (mean of ${members.length})`, color: members[0].color, x, last, low, high, band: true, marks: [] };
}

// Reads a line at places that only grow.
function reader({ x, last }) {
  let at = 0;
  return (place) => {
    if (!x.length || place < x[0] || place > x.at(-1)) return null;
    while (at + 1 < x.length && x[at + 1] < place) at += 1;
    const [left, right] = [last[at], last[Math.min(at + 1, last.length - 1)]];
    if (left === null || right === null) return left ?? right;
    const width = x[Math.min(at + 1, x.length - 1)] - x[at];
    return width > 0 ? left + ((place - x[at]) / width) * (right - left) : left;
  };
}
