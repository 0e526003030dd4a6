// Names of metrics and runs: their order, searching among them, patterns, and the sections that they make.

// Names in the order in which people count: layer 2 before layer 10.
const order = new Intl.Collator("en", { numeric: true });
export function byName(a, b) {
  return order.compare(a, b);
}

export function globOf(pattern) {
  return new RegExp(
    `^${pattern
      .split("*")
      .map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&"))
      .join(".*")}$`,
  );
}

// A search is a regular expression where it is one, else a text.
export function searcher(text) {
  if (!text) return () => true;
  try {
    const pattern = new RegExp(text, "i");
    return (key) => pattern.test(key);
  } catch {
    return (key) => key.toLowerCase().includes(text.toLowerCase());
  }
}

// What has no section of its own.
export const REST = "Metrics";

export function sectionOfMetric(key) {
  return key.includes("/") ? key.split("/")[0] : REST;
}

// A section of one chart would leave the rest of its row empty.
export function sectionNames(keys, sectionOf) {
  const counts = new Map();
  for (const key of keys) counts.set(sectionOf(key), (counts.get(sectionOf(key)) ?? 0) + 1);
  return new Map(keys.map((key) => [key, counts.get(sectionOf(key)) > 1 ? sectionOf(key) : REST]));
}
