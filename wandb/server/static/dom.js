// Building elements. Text always becomes a text node, so nothing a run holds can become markup.

export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

// Sets text only when it differs, so that a selection survives the next update.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setTrail(...parts) {
  const trail = document.getElementById("trail");
  trail.replaceChildren();
  parts.forEach(([text, address], index) => {
    if (index) trail.append(" / ");
    trail.append(address ? h("a", { href: address }, text) : h("span", { "aria-current": "page" }, text));
  });
  document.title = parts.length ? `${parts.at(-1)[0]} · wandb server` : "wandb server";
}
