// Choosing the columns of the run table: a list to tick, search and put in order.

import { button, h, iconButton } from "./dom.js";
import { FACTS } from "./runtable.js";

export function columnChooser(close, { chosen, known, changed }) {
  let current = [...chosen];
  const search = h("input", {
    type: "search",
    placeholder: "Search columns",
    "aria-label": "Search columns",
    autofocus: true,
    oninput: () => draw(),
  });
  const list = h("div", { class: "column-list" });
  const names = [...Object.keys(FACTS), ...known.map((column) => column.key)];
  const change = (next) => {
    current = next;
    changed(next);
    draw();
  };
  const move = (key, step) => {
    const next = current.filter((other) => other !== key);
    next.splice(Math.max(0, current.indexOf(key) + step), 0, key);
    change(next);
  };
  const item = (key) => {
    const on = current.includes(key);
    const box = h("input", { type: "checkbox", onchange: () => change(on ? current.filter((other) => other !== key) : [...current, key]) });
    box.checked = on;
    const [group, ...rest] = key in FACTS ? ["", FACTS[key].text] : key.split(".");
    const arrows = on
      ? [
          iconButton("chevron", `Move ${key} to the left`, () => move(key, -1), { class: "quiet icon-button turned" }),
          iconButton("chevron", `Move ${key} to the right`, () => move(key, 1)),
        ]
      : [];
    return h(
      "div",
      { class: "option" },
      h("label", null, box, h("span", null, rest.join(".")), group ? h("small", { class: "hint" }, group) : null),
      arrows,
    );
  };
  const draw = () => {
    const wanted = search.value.toLowerCase();
    const others = names.filter((key) => !current.includes(key) && (FACTS[key]?.text ?? key).toLowerCase().includes(wanted));
    const ticked = current.filter((key) => (FACTS[key]?.text ?? key).toLowerCase().includes(wanted));
    list.replaceChildren(...[...ticked, ...others.slice(0, 200)].map(item));
    if (others.length > 200) list.append(h("p", { class: "hint" }, `${others.length - 200} more; search for them.`));
  };
  draw();
  return [
    search,
    list,
    h(
      "div",
      { class: "buttons" },
      button("Reset", () => {
        close();
        changed([]);
      }),
      button("Done", close, { class: "primary" }),
    ),
  ];
}
