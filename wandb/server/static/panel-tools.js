// The row above the charts: what is searched, over what they are drawn, how smooth, and the rest in a menu.

import { h, icon, setText } from "./dom.js";
import { popoverButton } from "./popover.js";
import { SMOOTHINGS } from "./smoothing.js";

const AXIS_NAMES = { auto: "Automatic", _step: "Step", _runtime: "Run time", _timestamp: "Clock time" };
const SIZES = { small: "Small", medium: "Medium", large: "Large" };

export const AXES = Object.keys(AXIS_NAMES);

export class PanelTools {
  // `panel` has `get` and `set` of its view's values, `useAxis` and `setSize`; `axes` are those that are no metrics.
  constructor(panel, axes) {
    this.panel = panel;
    this.axes = axes;
    this.search = h("input", {
      type: "search",
      placeholder: "Search metrics",
      "aria-label": "Search metrics",
      oninput: () => panel.set("search", this.search.value),
    });
    this.axis = h("select", { "aria-label": "X axis", onchange: () => panel.useAxis(this.axis.value) });
    this.shown = h("output", null);
    this.slider = h("input", {
      type: "range",
      min: "0",
      max: "0.99",
      step: "0.01",
      "aria-label": "Smoothing",
      oninput: () => panel.set("smoothing", Number(this.slider.value)),
    });
    const more = popoverButton([icon("settings"), "View"], "How charts are drawn", () => this.#options(), { class: "with-icon" });
    const axis = h("label", null, "X axis", this.axis);
    this.element = h("div", { class: "tools" }, this.search, axis, h("label", null, "Smoothing", this.slider, this.shown), more);
    this.fillAxes([]);
    this.update();
  }

  // Shows what the view says now.
  update() {
    const { panel } = this;
    setText(this.shown, panel.get("smoothing").toFixed(2));
    this.slider.value = panel.get("smoothing");
    if (this.search.value !== panel.get("search")) this.search.value = panel.get("search");
    this.axis.value = panel.get("x");
  }

  fillAxes(keys) {
    const options = this.axes.map((key) => h("option", { value: key }, AXIS_NAMES[key]));
    const chosen = this.panel.get("x");
    const metrics = new Set(keys);
    if (!this.axes.includes(chosen)) metrics.add(chosen);
    const others = [...metrics].sort().map((key) => h("option", { value: key }, key));
    this.axis.replaceChildren(...options, others.length ? h("optgroup", { label: "Metrics" }, others) : "");
    this.axis.value = chosen;
  }

  #options() {
    const { panel } = this;
    const input = (type, properties, text) => h("label", { class: "option" }, h("input", { type, ...properties }), text);
    const radio = (name, value, text, checked, onchange) => input("radio", { name, value, checked, onchange }, text);
    const check = (name, text) =>
      input("checkbox", { checked: panel.get(name), onchange: (event) => panel.set(name, event.target.checked) }, text);
    const group = (title, ...items) => h("fieldset", null, h("legend", null, title), items);
    const kinds = SMOOTHINGS.map(([kind, text]) =>
      radio("smoothing", kind, text, panel.get("smoothingKind") === kind, () => panel.set("smoothingKind", kind)),
    );
    const sizes = Object.entries(SIZES).map(([size, text]) => radio("size", size, text, panel.size === size, () => panel.setSize(size)));
    return [
      group("Smoothing", kinds),
      group("Scales", check("outliers", "Leave outliers out of view"), check("logX", "Logarithmic x axis")),
      group("Size of charts", sizes),
    ];
  }
}
