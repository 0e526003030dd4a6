// The charts of one stream of a run: sections by the first part of the name, drawn as they come
// into view, filtered, smoothed, and fed by the page's polling.

import { Chart } from "./chart.js";
import { getJson } from "./api.js";
import { h } from "./dom.js";

// Addresses have a length limit; this many names stay far below it.
const KEYS_PER_REQUEST = 40;

const SYSTEM_SECTIONS = { gpu: "GPU", tpu: "TPU", trn: "Trainium", proc: "Process", disk: "Disk", network: "Network" };

export class ChartPanel {
  constructor(base, stream) {
    this.base = base;
    this.stream = stream;
    this.axis = stream === "history" ? "_step" : "_runtime";
    this.smoothing = 0;
    this.charts = new Map();
    this.sections = new Map();
    this.stale = new Set();
    this.visible = new Set();
    this.watcher = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: "300px" });
    this.body = h("div");
    this.empty = h("p", { class: "card empty" }, "No numbers yet. Charts appear as soon as the run logs some.");
    this.element = h("div", null, this.#tools(), this.empty, this.body);
  }

  #tools() {
    const axes = this.stream === "history" ? [["_step", "Step"], ["_runtime", "Run time"], ["_timestamp", "Clock time"]] : [["_runtime", "Run time"], ["_timestamp", "Clock time"]];
    const shown = h("output", null, "0");
    const filter = h("input", { type: "search", placeholder: "Filter metrics", "aria-label": "Filter metrics", oninput: () => this.#filter(filter.value) });
    const axis = h("select", { onchange: () => this.#setAxis(axis.value) }, axes.map(([key, text]) => h("option", { value: key }, text)));
    const slider = h("input", {
      type: "range", min: "0", max: "0.99", step: "0.01", value: "0",
      oninput: () => {
        this.smoothing = Number(slider.value);
        shown.textContent = slider.value;
        this.#view();
      },
    });
    return h("div", { class: "tools" }, filter, h("label", null, "X axis", axis), h("label", null, "Smoothing", slider, shown));
  }

  // Makes charts for names that are new and marks all of them as out of date.
  setKeys(keys) {
    this.empty.hidden = keys.length > 0;
    for (const key of keys) {
      if (!this.charts.has(key)) this.#add(key);
      this.stale.add(key);
    }
  }

  #add(key) {
    const chart = new Chart(key, (from, to) => this.#zoom(chart, from, to));
    chart.setView({ axis: this.axis, smoothing: this.smoothing });
    this.charts.set(key, chart);
    const [grid, count] = this.#section(sectionOf(key, this.stream));
    const next = [...grid.children].find((other) => other.chart.name > key);
    grid.insertBefore(chart.element, next ?? null);
    count.textContent = String(grid.children.length);
    this.watcher.observe(chart.element);
  }

  #section(name) {
    if (!this.sections.has(name)) {
      const [grid, count] = [h("div", { class: "grid" }), h("small")];
      const element = h("details", { class: "section", open: true }, h("summary", null, name, " ", count), grid);
      element.name_ = name;
      const next = [...this.body.children].find((other) => other.name_ > name);
      this.body.insertBefore(element, next ?? null);
      this.sections.set(name, [grid, count]);
    }
    return this.sections.get(name);
  }

  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.visible.add(target.chart.name);
      else this.visible.delete(target.chart.name);
    }
    this.refresh();
  }

  // Fetches what is both visible and out of date.
  async refresh() {
    if (this.busy) return;
    this.busy = true;
    try {
      for (;;) {
        const keys = [...this.visible].filter((key) => this.stale.has(key) && !this.charts.get(key).range).slice(0, KEYS_PER_REQUEST);
        if (!keys.length) return;
        const axis = this.axis;
        const { series, complete } = await getJson(this.#address(keys));
        if (axis !== this.axis) continue;
        for (const key of keys) {
          if (complete) this.stale.delete(key);
          this.charts.get(key).setData(series[key]);
        }
        // The server is still reading a long run; the next round of the page asks again.
        if (!complete) return;
      }
    } finally {
      this.busy = false;
    }
  }

  async #zoom(chart, from, to) {
    if (from === undefined) {
      this.stale.add(chart.name);
      await this.refresh();
      return;
    }
    const { series } = await getJson(`${this.#address([chart.name])}&from=${from}&to=${to}`);
    chart.setData(series[chart.name]);
  }

  #address(keys) {
    const query = new URLSearchParams({ stream: this.stream, x: this.axis });
    keys.forEach((key) => query.append("keys", key));
    return `${this.base}/series?${query}`;
  }

  #setAxis(axis) {
    this.axis = axis;
    this.charts.forEach((chart, key) => this.stale.add(key));
    this.#view();
    this.refresh();
  }

  #view() {
    this.charts.forEach((chart) => chart.setView({ axis: this.axis, smoothing: this.smoothing }));
  }

  #filter(text) {
    const wanted = text.toLowerCase();
    this.charts.forEach((chart, key) => (chart.element.hidden = !key.toLowerCase().includes(wanted)));
    for (const section of this.body.children) {
      section.hidden = [...section.querySelectorAll(".chart")].every((element) => element.hidden);
    }
  }
}

function sectionOf(key, stream) {
  if (stream === "events") return SYSTEM_SECTIONS[key.split(".")[1]] ?? "Machine";
  return key.includes("/") ? key.split("/")[0] : "Metrics";
}
