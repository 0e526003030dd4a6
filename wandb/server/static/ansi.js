// Colours of terminals as elements. Whatever else an escape sequence says, a page has no use for.

import { h } from "./dom.js";

const SEQUENCE = /\u001b\[([0-9;?]*)[ -/]*([@-~])/g;
const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

export function plain(text) {
  return text.replace(SEQUENCE, "");
}

// Pieces of a line, those with a colour or weight in elements whose class says it.
export function coloured(text) {
  if (!text.includes("\u001b")) return [text];
  const pieces = [];
  let [at, look] = [0, {}];
  const take = (end) => {
    if (end === at) return;
    const classes = [look.color && `ansi-${look.color}`, look.bold && "ansi-bold", look.faint && "hint"].filter(Boolean).join(" ");
    const part = text.slice(at, end);
    pieces.push(classes ? h("span", { class: classes }, part) : part);
  };
  for (const found of text.matchAll(SEQUENCE)) {
    take(found.index);
    at = found.index + found[0].length;
    if (found[2] === "m") look = changed(look, found[1]);
  }
  take(text.length);
  return pieces;
}

function changed(look, codes) {
  const next = { ...look };
  const numbers = codes.split(";").map(Number);
  for (let index = 0; index < numbers.length; index += 1) {
    const code = numbers[index];
    if (code === 0) Object.keys(next).forEach((name) => delete next[name]);
    else if (code === 1) next.bold = true;
    else if (code === 2) next.faint = true;
    else if (code === 22) next.bold = next.faint = false;
    else if (code === 39) next.color = null;
    else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) next.color = NAMES[code % 10];
    // A colour by number or by its parts: the page has its own few.
    else if (code === 38 || code === 48) index += numbers[index + 1] === 5 ? 2 : 4;
  }
  return next;
}
