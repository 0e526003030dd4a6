// What the program printed, following the end while the reader is there.

import { getJson } from "./api.js";
import { h } from "./dom.js";

// Progress bars rewrite recent lines; clients rewrite at most this many.
const REWRITABLE_LINES = 64;

// The page stays light when a program prints for days.
const LINES_SHOWN_MAX = 5000;

// Colours and cursor movements of terminals, which a page has no use for.
const ESCAPES = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;

export class ConsolePanel {
  constructor(base) {
    this.base = base;
    this.lines = new Map();
    this.list = h("ol");
    this.box = h("div", { class: "console card", tabindex: "0", role: "log", "aria-label": "Console output" }, this.list);
    this.empty = h("p", { class: "card empty" }, "The run has printed nothing yet.");
    this.note = h("p", { class: "hint" });
    this.element = h("div", null, this.note, this.empty, this.box);
    this.box.hidden = true;
  }

  async refresh() {
    const follow = this.box.scrollTop + this.box.clientHeight >= this.box.scrollHeight - 8;
    let from = this.next === undefined ? undefined : Math.max(this.first, this.next - REWRITABLE_LINES);
    for (;;) {
      const page = await getJson(`${this.base}/console${from === undefined ? "" : `?from=${from}`}`);
      this.first ??= page.first;
      page.lines.forEach((line) => this.#set(line));
      this.next = page.lines.length ? page.lines.at(-1).number + 1 : (this.next ?? 0);
      if (!page.lines.length || this.next >= page.count) break;
      from = this.next;
    }
    this.empty.hidden = this.lines.size > 0;
    this.box.hidden = !this.lines.size;
    while (this.lines.size > LINES_SHOWN_MAX) {
      const [number, element] = this.lines.entries().next().value;
      element.remove();
      this.lines.delete(number);
      this.first = number + 1;
    }
    this.note.textContent = this.first ? `Showing lines from ${this.first + 1}; the file output.log has all of them.` : "";
    if (follow) this.box.scrollTop = this.box.scrollHeight;
  }

  #set(line) {
    const time = line.timestamp ? h("time", { title: line.timestamp }, line.timestamp.slice(11, 19)) : null;
    const text = line.text.replace(ESCAPES, "");
    const element = h("li", { class: line.level === "error" ? "error" : null }, time, h("span", null, (line.label ? `[${line.label}] ` : "") + text));
    const known = this.lines.get(line.number);
    if (known) known.replaceWith(element);
    else this.list.append(element);
    this.lines.set(line.number, element);
  }
}
