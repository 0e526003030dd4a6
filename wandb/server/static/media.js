// The media of a run: a card for each key, and a slider that moves all of them through the steps.

import { getJson } from "./api.js";
import { empty, h, iconButton, setText } from "./dom.js";
import { number } from "./format.js";
import { chartViewer, isChartTable } from "./media-charts.js";
import { bokehViewer, figureViewer } from "./media-figures.js";
import { fileViewers } from "./media-files.js";
import { histogramViewer } from "./media-histograms.js";
import { imageViewer } from "./media-images.js";
import { tableViewer } from "./media-tables.js";
import { byName, searcher } from "./names.js";
import { showDialog } from "./popover.js";
import { View } from "./url.js";

const NEIGHBOURS = 2;
const VALUES_KEPT_MAX = 400;

// A viewer is made once a card: {element, show(value, place), close?}. `place` is {line, step, key, steps, values}.
const VIEWERS = {
  "image-file": imageViewer,
  "images/separated": imageViewer,
  images: imageViewer,
  histogram: histogramViewer,
  "table-file": tableViewer,
  "incremental-table-file": tableViewer,
  "joined-table": tableViewer,
  "plotly-file": figureViewer,
  "bokeh-file": bokehViewer,
  bokeh: bokehViewer,
  plotly: figureViewer,
  "object3D-file": figureViewer,
  object3D: figureViewer,
  "molecule-file": figureViewer,
  molecule: figureViewer,
  ...fileViewers,
};

export class MediaPanel {
  constructor(base, files, run) {
    Object.assign(this, { base, files, run });
    this.state = new View({ media: "", step: -1 });
    this.state.listen((changed) => {
      if (changed.includes("media")) this.#search();
      if (changed.includes("step")) this.#moved();
    });
    this.cards = new Map();
    this.values = new Map();
    this.steps = [];
    this.search = h("input", {
      type: "search",
      placeholder: "Search media",
      "aria-label": "Search media",
      value: this.state.get("media"),
      oninput: () => this.state.set({ media: this.search.value }),
    });
    this.slider = h("input", {
      type: "range",
      min: "0",
      step: "1",
      class: "steps",
      "aria-label": "Step",
      oninput: () => this.#goTo(Number(this.slider.value)),
    });
    this.label = h("output", null);
    this.tools = h(
      "div",
      { class: "tools" },
      this.search,
      h("label", { class: "step-slider" }, "Step", this.slider, this.label),
      iconButton("chevron", "Step before", () => this.#goTo(this.#at() - 1), { class: "quiet icon-button turned" }),
      iconButton("chevron", "Next step", () => this.#goTo(this.#at() + 1)),
    );
    this.grid = h("div", { class: "grid media-grid" });
    this.nothing = empty('No media yet. Log some: run.log({"picture": wandb.Image(…)})');
    this.watcher = new IntersectionObserver(
      (entries) => entries.forEach(({ target, isIntersecting }) => target.card.seen(isIntersecting)),
      { rootMargin: "200px" },
    );
    this.element = h("div", null, this.tools, this.nothing, this.grid);
  }

  async refresh() {
    const { keys, complete } = await getJson(`${this.base}/media`);
    this.complete = complete;
    const shown = Object.entries(keys).filter(([key]) => !isChartTable(key, this.run()));
    const steps = [...new Set(Object.values(keys).flatMap(({ steps: own }) => own))].sort((a, b) => a - b);
    this.nothing.hidden = steps.length > 0;
    this.tools.hidden = !steps.length;
    const atEnd = this.#at() >= this.steps.length - 1;
    this.steps = steps;
    this.slider.max = String(Math.max(0, steps.length - 1));
    if (atEnd && this.state.get("step") < 0) this.slider.value = this.slider.max;
    for (const [key, facts] of shown) {
      if (!this.cards.has(key)) this.#add(key, facts);
      this.cards.get(key).update(facts);
    }
    for (const key of Object.keys(this.run()?.charts ?? {})) if (!this.cards.has(key)) this.#addChart(key, keys);
    this.#search();
    this.#moved();
  }

  #add(key, facts) {
    const make = VIEWERS[facts.kind] ?? fileViewers.unknown;
    this.#place(new MediaCard(this, key, facts, make({ key, panel: this })));
  }

  // A chart of a table, as `wandb.plot` logs it.
  #addChart(key, keys) {
    const table = keys[`${key}_table`];
    if (table)
      this.#place(
        new MediaCard(this, `${key}_table`, table, chartViewer({ key, panel: this, definition: this.run().charts[key] }), key),
        key,
      );
  }

  #place(card, key = card.key) {
    this.cards.set(key, card);
    const next = [...this.grid.children].find((other) => byName(other.card.name, card.name) > 0);
    this.grid.insertBefore(card.element, next ?? null);
    this.watcher.observe(card.element);
  }

  #search() {
    const matches = searcher(this.state.get("media"));
    this.cards.forEach((card) => (card.element.hidden = !matches(card.name)));
  }

  // Where the slider stands: at the end, unless somebody moved it.
  #at() {
    const step = this.state.get("step");
    if (step < 0) return this.steps.length - 1;
    return Math.max(
      0,
      this.steps.findLastIndex((other) => other <= step),
    );
  }

  #goTo(index) {
    const at = Math.max(0, Math.min(index, this.steps.length - 1));
    this.state.set({ step: at === this.steps.length - 1 ? -1 : this.steps[at] });
  }

  #moved() {
    const at = this.#at();
    this.slider.value = String(at);
    setText(this.label, this.steps.length ? number(this.steps[at]) : "");
    this.slider.setAttribute("aria-valuetext", `step ${this.label.textContent}`);
    this.cards.forEach((card) => card.goTo(this.steps[at]));
  }

  // Media of a key at some lines, each asked for once.
  async load(key, lines) {
    const missing = lines.filter((line) => !this.values.has(`${key}\0${line}`));
    if (missing.length) {
      const query = new URLSearchParams([["key", key], ...missing.map((line) => ["line", line])]);
      const asked = getJson(`${this.base}/media/values?${query}`);
      missing.forEach((line) =>
        this.values.set(
          `${key}\0${line}`,
          asked.then(({ values }) => values.find((item) => item.line === line)?.value),
        ),
      );
      while (this.values.size > VALUES_KEPT_MAX) this.values.delete(this.values.keys().next().value);
    }
    return Promise.all(lines.map((line) => this.values.get(`${key}\0${line}`)));
  }

  file(path) {
    return `${this.files}/${path.split("/").map(encodeURIComponent).join("/")}`;
  }
}

class MediaCard {
  constructor(panel, key, facts, viewer, name = key) {
    Object.assign(this, { panel, key, facts, viewer, name });
    this.caption = h("span", { class: "value" });
    const slash = name.lastIndexOf("/");
    const title = h(
      "h2",
      { title: name },
      slash > 0 ? h("span", { class: "hint" }, name.slice(0, slash + 1)) : null,
      name.slice(slash + 1),
    );
    this.body = h("div", { class: "media" }, viewer.element);
    const expand = iconButton("expand", `Expand ${name}`, () => this.#expand());
    this.element = h(
      "article",
      { class: `chart card media-card ${viewer.wide ? "wide" : ""}`, "aria-label": name },
      h("header", null, title, this.caption, h("span", { class: "chart-buttons" }, expand)),
      this.body,
    );
    this.element.card = this;
  }

  update(facts) {
    this.facts = facts;
  }

  seen(visible) {
    this.visible = visible;
    if (visible) this.#draw();
  }

  goTo(step) {
    this.step = step;
    if (this.visible) this.#draw();
  }

  // Shows what was logged last up to the step.
  async #draw() {
    const { steps, lines } = this.facts;
    const found = steps.findLastIndex((other) => other <= this.step);
    const at = found < 0 ? 0 : found;
    const line = lines[at];
    if (this.drawn === line || line === undefined) return;
    this.drawn = line;
    setText(this.caption, `step ${number(steps[at])}${steps.length > 1 ? ` · ${at + 1} of ${number(this.facts.count)}` : ""}`);
    try {
      const [value] = await this.panel.load(this.key, [line]);
      if (this.drawn !== line) return;
      await this.viewer.show(value, { line, step: steps[at], at, facts: this.facts });
    } catch (error) {
      this.viewer.element.replaceChildren(h("p", { class: "error" }, error.message));
    }
    // The next ones the reader will want.
    const around = lines.slice(Math.max(0, at - NEIGHBOURS), at + NEIGHBOURS + 1);
    this.panel.load(this.key, around).catch(() => {});
  }

  #expand() {
    const place = h("div");
    this.body.replaceWith(place);
    this.body.classList.add("large");
    showDialog(this.name, () => this.body, "wide").then(() => {
      this.body.classList.remove("large");
      place.replaceWith(this.body);
    });
  }
}
