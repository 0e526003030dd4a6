// What surrounds every page: the theme, shortcuts, and a box that finds the way to any project or run.

import { getJson, path } from "./api.js";
import { redrawCharts } from "./chart.js";
import { h, iconButton } from "./dom.js";
import { showDialog } from "./popover.js";
import { isDark, remember } from "./url.js";

const TOLD_MS = 8000;
const SHORTCUTS = [
  ["Ctrl K", "Go to a project or a run"],
  ["/", "Search on this page"],
  ["?", "This list"],
  ["t", "Light or dark"],
  ["j k", "Next and previous row of the run table"],
  ["x", "Select the row"],
  ["Space", "Show or hide the run in the charts"],
  ["Enter", "Open the run"],
  ["← →", "Read a chart point by point"],
  ["l", "Logarithmic scale of a chart"],
  ["Esc", "Zoom out of a chart"],
  ["1 … 9", "The parts of a run's page"],
];

export function startShell() {
  const tools = document.getElementById("shell-tools");
  tools.append(
    iconButton("search", "Go to a project or a run (Ctrl K)", goTo),
    iconButton(isDark() ? "sun" : "moon", "Light or dark (t)", switchTheme, { id: "theme-button" }),
  );
  addEventListener("keydown", shortcut);
  addEventListener("unhandledrejection", (event) => say(event.reason));
}

// What somebody asked for and did not get: told, and gone by itself.
function say(problem) {
  const text = problem instanceof TypeError ? "The server does not answer." : String(problem?.message ?? problem);
  const toast = h("p", { class: "toast card error", role: "alert" }, text);
  document.body.append(toast);
  setTimeout(() => toast.remove(), TOLD_MS);
}

function switchTheme() {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  remember("theme", next);
  const old = document.getElementById("theme-button");
  const made = iconButton(next === "dark" ? "sun" : "moon", "Light or dark (t)", switchTheme, { id: "theme-button" });
  old.replaceWith(made);
  redrawCharts();
  dispatchEvent(new Event("themechange"));
}

function shortcut(event) {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable], dialog");
  if (event.key === "k" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    goTo();
    return;
  }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    const search = [...document.querySelectorAll('main input[type="search"]')].find((input) => input.offsetParent);
    search?.focus();
    if (search) event.preventDefault();
  } else if (event.key === "?") showShortcuts();
  else if (event.key === "t") switchTheme();
}

function showShortcuts() {
  if (document.querySelector("dialog")) return;
  const rows = SHORTCUTS.map(([keys, what]) =>
    h(
      "tr",
      null,
      h(
        "td",
        null,
        keys.split(" ").map((key) => [h("kbd", null, key), " "]),
      ),
      h("td", null, what),
    ),
  );
  showDialog("Keyboard", (finish) => [
    h("table", { class: "shortcuts" }, h("tbody", null, rows)),
    h("div", { class: "buttons" }, h("button", { type: "button", autofocus: true, onclick: () => finish() }, "Close")),
  ]);
}

// Finds projects by name, and the runs of the project that is open.
async function goTo() {
  if (document.querySelector("dialog")) return;
  const [entity, project] = location.pathname.split("/").slice(1).map(decodeURIComponent);
  const places = [];
  const list = h("div", { class: "menu", role: "listbox", "aria-label": "Places" });
  const input = h("input", {
    type: "search",
    placeholder: "Name of a project or run",
    "aria-label": "Name of a project or run",
    autofocus: true,
  });
  const draw = () => {
    const wanted = input.value.toLowerCase();
    const found = places.filter(({ text }) => text.toLowerCase().includes(wanted)).slice(0, 12);
    list.replaceChildren(
      ...found.map(({ text, kind, address }) =>
        h("a", { href: address, class: "place", role: "option" }, text, " ", h("small", { class: "hint" }, kind)),
      ),
    );
  };
  input.addEventListener("input", draw);
  input.addEventListener("keydown", (event) => event.key === "Enter" && list.firstChild?.click());
  const box = h("div", { class: "go-to" }, input, list);
  box.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const all = [input, ...list.children];
    all[Math.max(0, Math.min(all.length - 1, all.indexOf(document.activeElement) + step))].focus();
  });
  showDialog("Go to", () => box);
  const { projects } = await getJson("/api/projects");
  places.push(
    ...projects.map((item) => ({ text: `${item.entity}/${item.name}`, kind: "project", address: `/${path(item.entity, item.name)}` })),
  );
  draw();
  if (!project) return;
  const { runs } = await getJson(`/api/projects/${path(entity, project)}/runs?first=1000&columns=none`);
  places.unshift(
    ...runs.map((run) => ({ text: run.name, kind: `run, ${run.state}`, address: `/${path(entity, project, "runs", run.id)}` })),
  );
  draw();
}
