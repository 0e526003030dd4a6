// What opens above the page: menus beside a button, and questions.

import { button, h } from "./dom.js";

// Opens what `build(close)` returns below a button, until a click elsewhere or Escape.
export function openBeside(anchor, label, build) {
  const box = h("div", { class: "popover card", popover: "auto", role: "dialog", "aria-label": label });
  const close = () => box.hidePopover();
  box.append(...[build(close)].flat());
  document.body.append(box);
  box.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return;
    box.remove();
    anchor.setAttribute("aria-expanded", "false");
    if (!document.activeElement || document.activeElement === document.body) anchor.focus();
  });
  box.showPopover();
  place(box, anchor);
  anchor.setAttribute("aria-expanded", "true");
  (box.querySelector("[autofocus]") ?? box.querySelector("input, select, button, a"))?.focus();
}

function place(box, anchor) {
  const { left, bottom, top } = anchor.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = box;
  const below = bottom + 4 + height <= innerHeight || top < height;
  box.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
  box.style.top = `${below ? Math.min(bottom + 4, Math.max(8, innerHeight - height - 8)) : top - height - 4}px`;
}

// A button that opens a popover.
export function popoverButton(content, label, build, properties) {
  const opener = h("button", { type: "button", "aria-haspopup": "dialog", "aria-expanded": "false", ...properties }, content);
  opener.addEventListener("click", () => openBeside(opener, label, build));
  return opener;
}

// A list of things to do; each is [text, action, class].
export function menuItems(close, items) {
  const list = h(
    "div",
    { class: "menu", role: "menu" },
    items.map(([text, action, kind]) =>
      h(
        "button",
        {
          type: "button",
          role: "menuitem",
          class: kind,
          onclick: () => {
            close();
            action();
          },
        },
        text,
      ),
    ),
  );
  list.addEventListener("keydown", (event) => {
    const all = [...list.children];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    all[(all.indexOf(document.activeElement) + step + all.length) % all.length].focus();
  });
  return list;
}

// Shows a dialog; resolves to what `finish` is called with, or to undefined when it is dismissed.
export function showDialog(title, build, kind) {
  return new Promise((resolve) => {
    let answer;
    const finish = (value) => {
      answer = value;
      box.close();
    };
    const heading = h("h2", { id: "dialog-title" }, title);
    const box = h("dialog", { class: `card ${kind ?? ""}`, "aria-labelledby": "dialog-title" }, heading);
    box.append(...[build(finish)].flat());
    box.addEventListener("close", () => {
      box.remove();
      resolve(answer);
    });
    box.addEventListener("click", (event) => event.target === box && box.close());
    document.body.append(box);
    box.showModal();
  });
}

export function ask(title, text, action, danger = true) {
  return showDialog(title, (finish) => [
    h("p", null, text),
    h(
      "div",
      { class: "buttons" },
      button("Cancel", () => finish(false)),
      button(action, () => finish(true), { class: danger ? "danger solid" : "primary", autofocus: true }),
    ),
  ]);
}

// Asks for a text; resolves to it, or to undefined.
export function askText(title, label, value, action, options = []) {
  return showDialog(title, (finish) => {
    const input = h("input", { value, "aria-label": label, list: options.length ? "dialog-options" : null, autofocus: true });
    const list = h(
      "datalist",
      { id: "dialog-options" },
      options.map((option) => h("option", { value: option })),
    );
    const form = h(
      "form",
      {
        method: "dialog",
        onsubmit: (event) => {
          event.preventDefault();
          finish(input.value.trim());
        },
      },
      h("label", { class: "field" }, label, input),
      list,
      h(
        "div",
        { class: "buttons" },
        button("Cancel", () => finish()),
        h("button", { type: "submit", class: "primary" }, action),
      ),
    );
    return form;
  });
}

// Shows what can be seen this once, ready to be copied.
export function showSecret(title, label, text, hint) {
  return showDialog(title, (finish) => [
    h(
      "label",
      { class: "field" },
      label,
      h("input", { value: text, readonly: true, autofocus: true, onfocus: (event) => event.target.select() }),
    ),
    h("p", { class: "hint" }, hint),
    h(
      "div",
      { class: "buttons" },
      button("Done", () => finish(true), { class: "primary" }),
    ),
  ]);
}
