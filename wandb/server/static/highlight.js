// Source text as elements: comments, strings, numbers and words of Python in their colours, patches by line.

import { h } from "./dom.js";

const WORDS = new Set(
  "and as assert async await break class continue def del elif else except False finally for from global if import in is lambda None nonlocal not or pass raise return True try while with yield match case self".split(
    " ",
  ),
);
const TOKEN =
  /(#.*)|([rbfuRBFU]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?))|(\b\d[\w.]*\b)|(@[\w.]+)|(\b[A-Za-z_]\w*\b)/g;
const LINES_MAX = 20_000;

export function codeView(name, text) {
  const lines = text.split("\n");
  const shown = lines.slice(0, LINES_MAX).join("\n");
  const numbers = h(
    "pre",
    { class: "numbers", "aria-hidden": "true" },
    lines
      .slice(0, LINES_MAX)
      .map((_, index) => index + 1)
      .join("\n"),
  );
  const content = /\.pyi?$/.test(name) ? python(shown) : [shown];
  const note = lines.length > LINES_MAX ? h("p", { class: "hint" }, `The first ${LINES_MAX} of ${lines.length} lines.`) : null;
  return h(
    "div",
    { class: "source" },
    h("div", { class: "source-lines", tabindex: "0", role: "region", "aria-label": name }, numbers, h("pre", null, content)),
    note,
  );
}

function python(text) {
  const pieces = [];
  let at = 0;
  for (const found of text.matchAll(TOKEN)) {
    const [token, comment, string, digits, decorator, word] = found;
    const kind = comment ? "comment" : string ? "string" : digits ? "digits" : decorator ? "decorator" : WORDS.has(word) ? "word" : null;
    if (!kind) continue;
    pieces.push(text.slice(at, found.index), h("span", { class: `code-${kind}` }, token));
    at = found.index + token.length;
  }
  pieces.push(text.slice(at));
  return pieces;
}

// A patch as git writes it: headings of files, places, and lines that came and went.
export function patchView(text) {
  const kindOf = (line) => {
    if (/^(diff |index |--- |\+\+\+ |new file|deleted file|similarity|rename)/.test(line)) return "file";
    if (line.startsWith("@@")) return "place";
    return { "+": "added", "-": "removed" }[line[0]] ?? null;
  };
  return h(
    "pre",
    { class: "patch", tabindex: "0", role: "region", "aria-label": "Patch" },
    text
      .split("\n")
      .slice(0, LINES_MAX)
      .map((line) => h("span", { class: kindOf(line) }, `${line}\n`)),
  );
}
