// Building elements. Text always becomes a text node, so nothing a run holds can become markup.

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, properties, ...children) {
  return filled(document.createElement(tag), properties, children);
}

export function svg(tag, properties, ...children) {
  return filled(document.createElementNS(SVG, tag), properties, children);
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Sets text only when it differs, so that a selection survives the next update.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Rebuilding an element every second would drop the reader's selection and focus.
export function replaceIfChanged(element, source, build) {
  const text = JSON.stringify(source);
  if (element.source === text) return;
  element.source = text;
  element.replaceChildren(...[build()].flat(Infinity).filter(Boolean));
}

export function setTrail(...parts) {
  const trail = document.getElementById("trail");
  trail.replaceChildren();
  parts.forEach(([text, address], index) => {
    if (index) trail.append(h("span", { "aria-hidden": "true" }, "/"));
    trail.append(address ? h("a", { href: address }, text) : h("span", { "aria-current": index === parts.length - 1 ? "page" : null }, text));
  });
  document.title = parts.length ? `${parts.at(-1)[0]} · wandb server` : "wandb server";
}

// --- Small pieces that every page uses ---------------------------------------------------------

// Drawn on a grid of 16, with lines of 1.5.
const ICONS = {
  eye: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8Z M8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
  hidden:
    "M2 2l12 12 M6.2 4c.6-.3 1.2-.5 1.8-.5 4 0 6.5 4.5 6.5 4.5s-.8 1.4-2.2 2.7 M4 5.2C2.4 6.5 1.5 8 1.5 8S4 12.5 8 12.5c.9 0 1.7-.2 2.4-.5",
  filter: "M2 3.5h12 M4.5 8h7 M6.5 12.5h3",
  columns: "M2.5 3h11v10h-11Z M6.2 3v10 M9.8 3v10",
  group: "M2.5 3.5h5 M2.5 8h11 M5.5 12.5h8",
  chevron: "M6 3.5 10.5 8 6 12.5",
  down: "M3.5 6 8 10.5 12.5 6",
  close: "M4 4l8 8 M12 4l-8 8",
  plus: "M8 3v10 M3 8h10",
  more: "M3.5 8h.01 M8 8h.01 M12.5 8h.01",
  expand: "M9.5 2.5h4v4 M6.5 13.5h-4v-4 M13.5 2.5 9.5 6.5 M2.5 13.5l4-4",
  download: "M8 2.5v8 M4.5 7.5 8 11l3.5-3.5 M2.5 13.5h11",
  share: "M10 5 6 7.2 M6 8.8 10 11 M12 5.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Z M4 9.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Z M12 13.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Z",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Z M11 11l3 3",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z M8 1v1.5 M8 13.5V15 M1 8h1.5 M13.5 8H15 M3 3l1 1 M12 12l1 1 M3 13l1-1 M12 4l1-1",
  moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7Z",
  check: "M3 8.5 6.5 12 13 4.5",
  trash: "M3 4.5h10 M6 4.5V3h4v1.5 M4.5 4.5l.5 8.5h6l.5-8.5",
  stop: "M4 4h8v8H4Z",
  tag: "M2.5 2.5h5l6 6-5 5-6-6Z M5.5 5.5h.01",
  split: "M2.5 3h11v10h-11Z M6.5 3v10",
  table: "M2.5 3h11v10h-11Z M2.5 6.5h11 M2.5 9.7h11 M6.5 6.5V13",
  chart: "M2.5 2.5v11h11 M5 10l3-4 2.5 2.5L13.5 4",
  compare: "M5 2.5v11 M11 2.5v11 M2.5 5.5h5 M8.5 10.5h5",
  folder: "M2 4h4l1.5 1.5H14v7.5H2Z",
  file: "M4 2h5l3 3v9H4Z M9 2v3h3",
  play: "M5 3.5v9l7-4.5Z",
  edit: "M3 13l.8-3L11 2.8 13.2 5 6 12.2Z",
  settings:
    "M8 10.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4Z M8 1.5v2 M8 12.5v2 M1.5 8h2 M12.5 8h2 M3.4 3.4l1.4 1.4 M11.2 11.2l1.4 1.4 M3.4 12.6l1.4-1.4 M11.2 4.8l1.4-1.4",
  warn: "M8 2 14.5 13.5h-13Z M8 6.5v3.2 M8 11.7h.01",
};

export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));
}

// A button with a picture; `label` is what it is called, and its tooltip.
export function iconButton(name, label, onclick, properties) {
  return h("button", { type: "button", class: "quiet icon-button", title: label, "aria-label": label, onclick, ...properties }, icon(name));
}

export function button(text, onclick, properties) {
  return h("button", { type: "button", onclick, ...properties }, text);
}

export function empty(...children) {
  return h("div", { class: "card empty" }, children);
}

// Instead of a page that the server can't show.
export function showMissing(message) {
  const text = `${message[0].toUpperCase()}${message.slice(1)}.`;
  const hint = "It may have been renamed or deleted, or you may not see it. Is the address complete?";
  const home = h("a", { href: "/", class: "button" }, "All projects");
  document.getElementById("main").replaceChildren(empty(h("h1", null, text), h("p", null, hint), h("p", null, home)));
}

export function tag(text) {
  return h("span", { class: "tag" }, text);
}

export function stateLabel(state) {
  return h("span", { class: `state ${state.toLowerCase()}` }, state.toLowerCase());
}
