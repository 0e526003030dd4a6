// Names and what they stand for, in two columns.

import { h } from "./dom.js";
import { value } from "./format.js";

export function pairTable(rows) {
  return h(
    "table",
    { class: "pairs" },
    h(
      "tbody",
      null,
      rows.map(([key, item]) => h("tr", null, h("th", { scope: "row" }, key), h("td", null, item))),
    ),
  );
}

// A key that breaks between its words where it is too long for a line.
function breakable(key) {
  return key.split(/(?<=[/._-])/).flatMap((part, index) => (index ? [h("wbr"), part] : [part]));
}

// Keys and values as a card, with a filter above where there are many.
export function pairs(title, entries, nothing) {
  if (!entries.length) return h("section", { class: "card" }, h("h2", null, title), h("p", { class: "empty" }, nothing));
  const table = pairTable(entries.map(([key, item]) => [breakable(key), h("span", { class: "mono" }, value(item))]));
  const filter = h("input", {
    type: "search",
    placeholder: `Filter ${entries.length}`,
    "aria-label": `Filter ${title}`,
    oninput: () => {
      for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(filter.value.toLowerCase());
    },
  });
  return h("section", { class: "card" }, h("h2", { class: "with-button" }, title, entries.length > 8 ? filter : null), table);
}
