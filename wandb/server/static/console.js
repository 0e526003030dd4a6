// What the program printed: of any length, because only the lines in view are in the page and those around them at hand.

import { coloured } from "./ansi.js";
import { getJson } from "./api.js";
import { button, empty, h, iconButton, setText } from "./dom.js";
import { number } from "./format.js";

const LINE_PIXELS = 19;
const PAGE = 1000;
const PAGES_KEPT_MAX = 40;
const LINES_BEYOND = 30;
// Progress bars rewrite recent lines; clients rewrite at most this many.
const REWRITABLE_LINES = 64;

export class ConsolePanel {
  constructor(base, files) {
    this.base = base;
    this.pages = new Map();
    this.count = 0;
    this.found = [];
    this.at = -1;
    this.follow = true;
    this.search = h("input", {
      type: "search",
      placeholder: "Search output",
      "aria-label": "Search output",
      onkeydown: (event) => event.key === "Enter" && this.#jump(event.shiftKey ? -1 : 1),
      oninput: () => this.#searchSoon(),
    });
    this.hits = h("span", { class: "hint", role: "status" });
    this.tail = h("button", { type: "button", "aria-pressed": "true", onclick: () => this.#setFollow(!this.follow) }, "Follow");
    this.wrap = h("button", { type: "button", "aria-pressed": "false", onclick: () => this.#setWrap() }, "Wrap");
    const tools = h(
      "div",
      { class: "tools" },
      this.search,
      iconButton("chevron", "Hit before", () => this.#jump(-1), { class: "quiet icon-button turned" }),
      iconButton("chevron", "Next hit", () => this.#jump(1)),
      this.hits,
      h("span", { class: "space" }),
      button("To the start", () => this.#scrollTo(0)),
      this.tail,
      this.wrap,
      h("a", { class: "button", href: `${files}/output.log`, download: "" }, "output.log"),
    );
    this.list = h("ol");
    this.space = h("div", { class: "console-space" }, this.list);
    this.box = h(
      "div",
      { class: "console card", tabindex: "0", role: "log", "aria-label": "Console output", "aria-live": "off" },
      this.space,
    );
    this.box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.empty = empty("The run has printed nothing yet.");
    this.tools = tools;
    this.element = h("div", null, tools, this.empty, this.box);
    this.box.hidden = this.tools.hidden = true;
    new ResizeObserver(() => this.#draw()).observe(this.box);
  }

  async refresh() {
    const from = Math.max(0, this.count - REWRITABLE_LINES);
    const first = Math.floor(from / PAGE);
    let page = await this.#load(first, true);
    for (let next = first + 1; next * PAGE < page.count && this.follow; next += 1)
      page = await this.#load(Math.floor((page.count - 1) / PAGE), true);
    this.count = page.count;
    this.empty.hidden = this.count > 0;
    this.box.hidden = this.tools.hidden = !this.count;
    this.space.style.height = this.wrapped ? "auto" : `${this.count * LINE_PIXELS}px`;
    if (this.follow) this.box.scrollTop = this.box.scrollHeight;
    this.#draw(true);
  }

  async #load(index, anew = false) {
    if (anew || !this.pages.has(index)) {
      const asked = getJson(`${this.base}/console?from=${index * PAGE}`);
      if (!this.pages.has(index)) this.pages.set(index, { lines: [], asked });
      const answer = await asked;
      this.pages.set(index, { lines: answer.lines, count: answer.count });
      while (this.pages.size > PAGES_KEPT_MAX) this.pages.delete(this.pages.keys().next().value);
      return answer;
    }
    return this.pages.get(index);
  }

  #scrolled() {
    const atEnd = this.box.scrollTop + this.box.clientHeight >= this.box.scrollHeight - LINE_PIXELS;
    if (this.follow !== atEnd) this.#mark(atEnd);
    this.#draw();
  }

  #mark(follow) {
    this.follow = follow;
    this.tail.setAttribute("aria-pressed", String(follow));
  }

  #setFollow(follow) {
    this.#mark(follow);
    if (follow) this.box.scrollTop = this.box.scrollHeight;
  }

  // Wrapped lines have heights of their own, so what is at hand is shown as a whole.
  #setWrap() {
    this.wrapped = !this.wrapped;
    this.wrap.setAttribute("aria-pressed", String(this.wrapped));
    this.box.classList.toggle("wrapped", this.wrapped);
    this.space.style.height = this.wrapped ? "auto" : `${this.count * LINE_PIXELS}px`;
    this.#draw(true);
    if (this.follow) this.box.scrollTop = this.box.scrollHeight;
  }

  #view() {
    if (this.wrapped) return [Math.max(0, this.count - 2 * PAGE), this.count];
    const first = Math.max(0, Math.floor(this.box.scrollTop / LINE_PIXELS) - LINES_BEYOND);
    return [first, Math.min(this.count, Math.ceil((this.box.scrollTop + this.box.clientHeight) / LINE_PIXELS) + LINES_BEYOND)];
  }

  #draw(anew = false) {
    if (!this.count || this.box.hidden) return;
    const [first, end] = this.#view();
    if (!anew && this.drawn === `${first} ${end}`) return;
    this.drawn = `${first} ${end}`;
    const rows = [];
    for (let index = first; index < end; index += 1) rows.push(this.#row(index));
    this.list.style.transform = this.wrapped ? "none" : `translateY(${first * LINE_PIXELS}px)`;
    this.list.replaceChildren(...rows);
    for (let page = Math.floor(first / PAGE); page * PAGE < end; page += 1) {
      if (!this.pages.has(page)) this.#load(page).then(() => this.#draw(true));
    }
  }

  #row(index) {
    const line = this.pages.get(Math.floor(index / PAGE))?.lines.find((item) => item.number === index);
    const kind = [line?.level === "error" ? "error" : null, this.found[this.at] === index ? "hit" : null].filter(Boolean).join(" ");
    const time = h("time", { title: line?.timestamp ?? null }, line?.timestamp ? line.timestamp.slice(11, 19) : "");
    return h(
      "li",
      { class: kind || null },
      h("span", { class: "line-number", "aria-hidden": "true" }, String(index + 1)),
      time,
      h("span", { class: "text" }, line ? [line.label ? h("b", null, `[${line.label}] `) : null, ...coloured(line.text)] : ""),
    );
  }

  // --- Searching ---------------------------------------------------------------------------

  #searchSoon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.#search(), 200);
  }

  async #search() {
    const text = this.search.value;
    this.found = [];
    this.at = -1;
    for (let from = 0; text && from !== null && this.search.value === text;) {
      const answer = await getJson(`${this.base}/console?search=${encodeURIComponent(text)}&from=${from}`);
      if (this.search.value !== text) return;
      this.found.push(...answer.found);
      if (this.at < 0 && this.found.length) this.#jump(1);
      from = this.found.length < 10_000 ? answer.next : null;
    }
    this.#say();
    this.#draw(true);
  }

  #say() {
    const none = this.search.value ? "No hits" : "";
    setText(this.hits, this.found.length ? `${number(this.at + 1)} of ${number(this.found.length)}` : none);
  }

  #jump(step) {
    if (!this.found.length) return;
    this.at = (this.at + step + this.found.length) % this.found.length;
    this.#scrollTo(this.found[this.at]);
    this.#say();
  }

  #scrollTo(line) {
    this.#mark(false);
    this.box.scrollTop = line * LINE_PIXELS - this.box.clientHeight / 3;
    this.#draw(true);
  }
}
