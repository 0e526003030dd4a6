// Values as people read them.

export function number(value) {
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  if (size >= 1e5 && size < 1e12) return value.toLocaleString("en-US", { maximumFractionDigits: 2 });
  if (size !== 0 && (size < 1e-4 || size >= 1e12)) return value.toExponential(3).replace("e+", "e");
  return String(Number(value.toPrecision(5)));
}

// A number for the marks of an axis.
export function compact(item) {
  const size = Math.abs(item);
  if (size >= 1e15 || (size && size < 1e-3)) return item.toExponential(1).replace("e+", "e").replace(".0e", "e");
  for (const [unit, letter] of [
    [1e12, "T"],
    [1e9, "G"],
    [1e6, "M"],
    [1e3, "k"],
  ]) {
    if (size >= unit * 10 || (size >= unit && unit > 1e3)) return `${Number((item / unit).toPrecision(4))}${letter}`;
  }
  return String(Number(item.toPrecision(4)));
}

export function value(item) {
  if (item === null || item === undefined) return "";
  if (typeof item === "number") return number(item);
  if (typeof item === "string") return item;
  if (item._type) return `‹${item._type}›`;
  return JSON.stringify(item);
}

export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [days, hours] = [Math.floor(whole / 86400), Math.floor(whole / 3600) % 24];
  const [minutes, rest] = [Math.floor(whole / 60) % 60, whole % 60];
  if (days) return `${days}d ${hours}h`;
  if (hours) return minutes ? `${hours}h ${minutes}m` : `${hours}h`;
  if (minutes) return rest ? `${minutes}m ${rest}s` : `${minutes}m`;
  return `${rest}s`;
}

export function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let index = 0;
  while (count >= 1000 && index < units.length - 1) {
    count /= 1000;
    index += 1;
  }
  return `${index ? count.toFixed(1) : count} ${units[index]}`;
}

export function moment(seconds) {
  return new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

export function ago(seconds) {
  const passed = Date.now() / 1000 - seconds;
  return passed < 5 ? "just now" : `${duration(passed)} ago`;
}

// Nested objects as dotted names, the way metrics are named.
export function flat(object, prefix = "") {
  return Object.entries(object).flatMap(([key, item]) =>
    item && typeof item === "object" && !Array.isArray(item) && !item._type && Object.keys(item).length
      ? flat(item, `${prefix}${key}.`)
      : [[prefix + key, item]],
  );
}

// Cells as a line of CSV.
export function csvLine(cells) {
  const text = (item) => (item === null || item === undefined ? "" : typeof item === "object" ? JSON.stringify(item) : String(item));
  return `${cells
    .map(text)
    .map((cell) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell))
    .join(",")}\n`;
}

export function count(number_, one, many = `${one}s`) {
  return `${number(number_)} ${number_ === 1 ? one : many}`;
}
