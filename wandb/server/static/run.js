// The page of one run.

import { getJson, path, post, repeat } from "./api.js";
import { colorOf, colorOfText } from "./colors.js";
import { h, iconButton, replaceIfChanged, setText, setTrail, tag } from "./dom.js";
import { duration, moment, number } from "./format.js";
import { describeMachine, sectionOfMachine } from "./machine.js";
import { ChartPanel } from "./panels.js";
import { ask } from "./popover.js";

const LIVE = new Set(["running", "preempting", "pending"]);
const LIVE_WAIT_MS = 1000;
// A run that has ended may be resumed, so the page keeps looking now and then.
const ENDED_WAIT_MS = 10_000;
const CODE = /^code\/|\.(patch|diff)$|^requirements\.txt$|^conda-environment\.yaml$/;

export function showRun(main, entity, project, id) {
  const page = new RunPage(entity, project, id);
  main.replaceChildren(page.element);
  addEventListener("hashchange", () => page.select());
  addEventListener("keydown", (event) => page.key(event));
  page.start();
}

class RunPage {
  constructor(entity, project, id) {
    this.names = [entity, project, id];
    this.home = `/${path(entity, project)}`;
    this.base = `/api/runs/${path(entity, project, id)}`;
    this.files = `/files/${path(entity, project, id)}`;
    this.title = h("h1");
    this.state = h("span", { class: "state" });
    this.tags = h("span", { class: "tags" });
    this.stop = h("button", { type: "button", class: "danger", hidden: true, onclick: () => this.#stop() }, "Stop run");
    this.share = iconButton("share", "Share this page", () => this.#share(), { hidden: true });
    this.facts = h("p", { class: "facts" });
    this.parts = this.#parts(entity, project, id);
    this.links = Object.fromEntries(
      Object.entries(this.parts).map(([name, { text }]) => [name, h("a", { href: `#${name}` }, text, " ", h("small"))]),
    );
    this.content = h("section", { class: "run-panel" });
    this.neighbours = h("span", { class: "neighbours" });
    const tabs = h("nav", { class: "tabs line", "aria-label": "Parts of the run" }, Object.values(this.links));
    // Shown with the first answer: until then there is nothing true to show.
    this.element = h(
      "div",
      { hidden: true },
      h("div", { class: "head" }, this.title, this.state, this.tags, this.stop, h("span", { class: "space" }), this.share, this.neighbours),
      this.facts,
      tabs,
      this.content,
    );
    setTrail([entity, "/"], [project, this.home], [id]);
  }

  // Each part is made when it is first opened.
  #parts(entity, project, id) {
    const run = () => this.run;
    const code = {
      wanted: (name) => CODE.test(name),
      first: (names) => names.find((name) => name.endsWith(".py")) ?? names[0],
      nothing: "The run kept no code. Start it in a git repository, or call run.log_code().",
    };
    return {
      charts: { text: "Charts", count: () => this.run.history_keys.length, make: async () => new ChartPanel(source(this.base, "history")) },
      media: { text: "Media", make: async () => new (await import("./media.js")).MediaPanel(this.base, this.files, run) },
      system: {
        text: "System",
        count: () => this.run.events_keys.length,
        make: async () =>
          new ChartPanel(source(this.base, "events"), {
            prefix: "system",
            axes: ["_runtime", "_timestamp"],
            sectionOf: sectionOfMachine,
            describe: describeMachine,
            note: "No measurements of the machine yet.",
          }),
      },
      console: {
        text: "Console",
        count: () => this.run.log_lines,
        make: async () => new (await import("./console.js")).ConsolePanel(this.base, this.files),
      },
      files: {
        text: "Files",
        count: () => this.run.file_count,
        make: async () => new (await import("./files.js")).FilesPanel(this.base, this.files),
      },
      code: { text: "Code", make: async () => new (await import("./files.js")).FilesPanel(this.base, this.files, code) },
      artifacts: {
        text: "Artifacts",
        count: () => this.run.artifacts.logged.length + this.run.artifacts.used.length,
        make: async () => new (await import("./lineage.js")).LineagePanel(entity, project, new URLSearchParams({ run: id })),
      },
      overview: {
        text: "Overview",
        make: async () => new (await import("./overview.js")).OverviewPanel(this.base, this.files, run, () => this.#load()),
      },
    };
  }

  async select() {
    const wanted = location.hash.slice(1);
    this.selected = wanted in this.parts && !this.links[wanted].hidden ? wanted : "charts";
    const part = this.parts[this.selected];
    for (const [name, link] of Object.entries(this.links)) {
      if (name === this.selected) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    part.panel ??= part.make();
    const panel = await part.panel;
    if (this.parts[this.selected] !== part) return;
    this.content.replaceChildren(panel.element);
    await this.#refreshPanel();
  }

  key(event) {
    if (event.target.closest?.("input, textarea, select, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
    const link = Object.values(this.links)[Number(event.key) - 1];
    if (link && !link.hidden) location.hash = link.hash;
    const step = { "[": 0, "]": 1 }[event.key];
    if (step !== undefined) this.neighbours.children[step]?.click();
  }

  start() {
    repeat(async () => {
      await this.#load();
      if (!this.selected) await this.select();
      else await this.#refreshPanel();
      if (!this.run.indexed) return 0;
      return LIVE.has(this.run.state) ? LIVE_WAIT_MS : ENDED_WAIT_MS;
    });
  }

  async #load() {
    const run = await getJson(this.base);
    const named = this.run?.name === run.name;
    this.run = run;
    const [entity, project] = this.names;
    if (!named) this.#place(entity, project, run);
    this.element.hidden = false;
    setText(this.title, run.name);
    setText(this.state, run.state);
    this.state.className = `state ${run.state}`;
    this.share.hidden = !run.may_change;
    this.stop.hidden = !run.may_change || run.state !== "running" || run.stop_requested;
    replaceIfChanged(this.tags, run.tags, () => run.tags.map(tag));
    this.facts.replaceChildren(
      ...[
        ["Started", moment(run.created_at)],
        ["Ran for", duration(run.seconds)],
        ["Rows", number(run.rows)],
        ["By", run.user],
        ["Group", run.group],
        ["Job", run.job_type],
        ["Outcome", run.ending],
      ]
        .filter(([, text]) => text)
        .map(([label, text]) => h("span", null, `${label} `, h("b", null, text))),
    );
    for (const [name, { count }] of Object.entries(this.parts)) setText(this.links[name].lastChild, count?.() ? number(count()) : "");
  }

  // Who has a link to this run alone is led nowhere else.
  #place(entity, project, run) {
    if (run.project_seen) {
      setTrail([entity, "/"], [project, this.home], [run.name]);
      this.#findNeighbours();
    } else {
      setTrail([entity], [project], [run.name]);
      this.links.artifacts.hidden = true;
    }
  }

  async #refreshPanel() {
    const panel = await this.parts[this.selected].panel;
    if (!(panel instanceof ChartPanel)) {
      await panel.refresh();
      return;
    }
    const { run } = this;
    const keys = this.selected === "charts" ? run.history_keys : run.events_keys;
    await panel.show({ runs: [{ id: run.id, name: run.name, color: colorOf(0), version: run.version }], keys, axes: run.axes });
  }

  // The runs before and after this one, newest first as in the table.
  async #findNeighbours() {
    const [entity, project, id] = this.names;
    const { runs } = await getJson(`/api/projects/${path(entity, project)}/runs?columns=none`);
    const at = runs.findIndex((run) => run.id === id);
    const link = (run, text, name) =>
      run &&
      iconButton(
        "chevron",
        `${text}: ${run.name}`,
        () => location.assign(`${this.home}/runs/${encodeURIComponent(run.id)}${location.hash}`),
        { class: name },
      );
    this.neighbours.replaceChildren(
      ...[link(runs[at - 1], "Newer run ([)", "quiet icon-button turned"), link(runs[at + 1], "Older run (])", "quiet icon-button")].filter(
        Boolean,
      ),
    );
  }

  async #share() {
    const { sharePage } = await import("./sharing.js");
    await sharePage(this.names[0], this.names[1], this.run);
  }

  async #stop() {
    if (!(await ask("Stop this run?", "Its program is interrupted as if by Ctrl-C.", "Stop"))) return;
    await post(`${this.base}/stop`);
    this.stop.hidden = true;
  }
}

// The numbers of one stream of a run, as a panel asks for them.
function source(base, stream) {
  return {
    colorOf: colorOfText,
    async fetch({ axis, range, keys, runs }) {
      const query = new URLSearchParams({ stream, x: axis, ...(range ? { from: range[0], to: range[1] } : {}) });
      keys.forEach((key) => query.append("keys", key));
      const { xs, series, complete } = await getJson(`${base}/series?${query}`);
      return { complete, runs: { [runs[0]]: { xs, series } } };
    },
  };
}
