// The colours of lines: far apart from each other, and legible on light and on dark.

const PALETTE = [
  "#5b6cff",
  "#f08a24",
  "#12a594",
  "#e5484d",
  "#a259e6",
  "#d9a400",
  "#ec5fa4",
  "#1f9bd1",
  "#7cab1d",
  "#b0714a",
  "#3fb873",
  "#8a7bd8",
  "#d1495b",
  "#4f8f9e",
  "#c25bd0",
  "#7d8a99",
];

// The same number always has the same colour.
export function colorOf(number) {
  return PALETTE[number % PALETTE.length];
}

export function colorOfText(text) {
  return colorOf([...text].reduce((sum, c) => (sum * 31 + c.codePointAt(0)) >>> 0, 7));
}
