// The page of one run.

import { getJson, path, post, repeat } from "./api.js";
import { colorOf, colorOfText } from "./colors.js";
import { ConsolePanel } from "./console.js";
import { h, replaceIfChanged, setText, setTrail } from "./dom.js";
import { ago, bytes, duration, flat, moment, number, value } from "./format.js";
import { ChartPanel, sectionOfSystem } from "./panels.js";

const LIVE = new Set(["running", "preempting", "pending"]);
const LIVE_WAIT_MS = 1000;
// A run that has ended may be resumed, so the page keeps looking now and then.
const ENDED_WAIT_MS = 10_000;

export function showRun(main, entity, project, id) {
  const base = `/api/runs/${path(entity, project, id)}`;
  setTrail([entity], [project, `/${path(entity, project)}`], [id]);
  const page = new RunPage(base, `/files/${path(entity, project, id)}`);
  main.replaceChildren(page.element);
  addEventListener("hashchange", () => page.select());
  page.start((name) => setTrail([entity, "/"], [project, `/${path(entity, project)}`], [name]));
}

class RunPage {
  constructor(base, files) {
    this.base = base;
    this.files = files;
    this.title = h("h1");
    this.state = h("span", { class: "state" });
    this.tags = h("span", { class: "tags" });
    this.stop = h("button", { type: "button", class: "danger", hidden: true, onclick: () => this.#stop() }, "Stop run");
    this.facts = h("p", { class: "facts" });
    this.panels = {
      charts: new ChartPanel(source(base, "history")),
      overview: { element: h("div", { class: "columns" }) },
      system: new ChartPanel(source(base, "events"), { prefix: "system", axes: ["_runtime", "_timestamp"], sectionOf: sectionOfSystem, note: "No measurements of the machine yet." }),
      console: new ConsolePanel(base),
      files: { element: h("div") },
    };
    this.links = Object.fromEntries(
      [["charts", "Charts"], ["overview", "Overview"], ["system", "System"], ["console", "Console"], ["files", "Files"]].map(([name, text]) => [name, h("a", { href: `#${name}` }, text, " ", h("small"))]),
    );
    this.content = h("section", { class: "run-panel" });
    // Shown with the first answer: until then there is nothing true to show.
    this.element = h("div", { hidden: true }, h("div", { class: "head" }, this.title, this.state, this.tags, this.stop), this.facts, h("nav", { class: "tabs line", "aria-label": "Parts of the run" }, Object.values(this.links)), this.content);
    this.select();
  }

  select() {
    const wanted = location.hash.slice(1);
    this.selected = wanted in this.panels ? wanted : "charts";
    for (const [name, link] of Object.entries(this.links)) {
      if (name === this.selected) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    this.content.replaceChildren(this.panels[this.selected].element);
    this.#refreshPanel();
  }

  start(named) {
    let shown = null;
    repeat(async () => {
      const run = await getJson(this.base);
      if (shown !== run.name) named((shown = run.name));
      this.#update(run);
      await this.#refreshPanel();
      if (!run.indexed) return 0;
      return LIVE.has(run.state) ? LIVE_WAIT_MS : ENDED_WAIT_MS;
    });
  }

  #update(run) {
    this.element.hidden = false;
    setText(this.title, run.name);
    setText(this.state, run.state);
    this.state.className = `state ${run.state}`;
    this.stop.hidden = run.state !== "running" || run.stop_requested;
    replaceIfChanged(this.tags, run.tags, () => run.tags.map((tag) => h("span", { class: "tag" }, tag)));
    this.facts.replaceChildren(
      ...[["Started", moment(run.created_at)], ["Ran for", duration(run.seconds)], ["Rows", number(run.rows)], ["By", run.user], ["Group", run.group], ["Job", run.job_type], ["Outcome", run.ending]]
        .filter(([, text]) => text)
        .map(([label, text]) => h("span", null, `${label} `, h("b", null, text))),
    );
    const counts = { charts: run.history_keys.length, system: run.events_keys.length, console: run.log_lines, files: run.files.length };
    for (const [name, count] of Object.entries(counts)) setText(this.links[name].lastChild, count ? number(count) : "");
    // Nothing to fetch for charts when no row was added or rewritten.
    if (this.version !== run.version) {
      this.version = run.version;
      const runs = [{ id: run.id, name: run.name, color: colorOf(0), version: run.version }];
      this.panels.charts.show({ runs, keys: run.history_keys, axes: run.axes });
      this.panels.system.show({ runs, keys: run.events_keys });
    }
    this.#overview(run);
    this.#filesTable(run);
  }

  async #refreshPanel() {
    await this.panels[this.selected].refresh?.();
  }

  #overview(run) {
    const facts = [["Run id", run.id], ["Notes", run.notes], ["Program", run.program], ["Host", run.host], ["Commit", run.commit], ["Last heard", this.#heard(run)]].filter(([, item]) => item);
    replaceIfChanged(this.panels.overview.element, [run.config, run.summary, facts, run.alerts, run.artifacts], () => [
      ...(run.alerts.length ? [alerts(run.alerts)] : []),
      ...(run.artifacts.logged.length + run.artifacts.used.length ? [artifacts(run)] : []),
      pairs("Summary", flat(run.summary), "The run has no summary yet."),
      pairs("Config", flat(run.config), "The run has no config."),
      pairs("About", facts, ""),
    ]);
  }

  #heard(run) {
    return LIVE.has(run.state) ? ago(run.heartbeat_at) : moment(run.heartbeat_at);
  }

  #filesTable(run) {
    replaceIfChanged(this.panels.files.element, run.files, () => {
      if (!run.files.length) return [h("p", { class: "card empty" }, "The run has uploaded no files yet.")];
      const rows = run.files.map((file) => {
        const address = `${this.files}/${file.name.split("/").map(encodeURIComponent).join("/")}`;
        return h("tr", null, h("td", null, h("a", { href: address, download: "" }, file.name)), h("td", { class: "number" }, bytes(file.size)), h("td", null, moment(file.updated_at)));
      });
      const head = h("tr", null, h("th", { scope: "col" }, "Name"), h("th", { scope: "col", class: "number" }, "Size"), h("th", { scope: "col" }, "Updated"));
      return [h("div", { class: "card scroll" }, h("table", null, h("thead", null, head), h("tbody", null, rows)))];
    });
  }

  async #stop() {
    if (!confirm("Ask this run to stop? Its program is interrupted as if by Ctrl-C.")) return;
    await post(`${this.base}/stop`);
    this.stop.hidden = true;
  }
}

function alerts(found) {
  const items = found.map((alert) => h("li", { class: alert.severity.toLowerCase() }, h("b", null, alert.title), " ", h("time", { class: "hint", title: moment(alert.created_at) }, ago(alert.created_at)), h("p", null, alert.text)));
  return h("section", { class: "card alerts" }, h("h2", null, "Alerts"), h("ul", null, items));
}

function artifacts(run) {
  const link = (item) => h("a", { href: `/${path(item.entity, item.project, "artifacts", item.type, item.name, item.version)}` }, `${item.name}:${item.version}`);
  const rows = [["Logged", run.artifacts.logged], ["Used", run.artifacts.used]].flatMap(([label, items]) => items.map((item) => h("tr", null, h("td", null, label), h("td", null, link(item), " ", h("span", { class: "hint" }, item.type)))));
  return h("section", { class: "card" }, h("h2", null, "Artifacts"), h("table", { class: "pairs" }, h("tbody", null, rows)));
}

function pairs(title, entries, empty) {
  const rows = entries.map(([key, item]) => h("tr", null, h("td", null, key), h("td", { class: "mono" }, value(item))));
  const body = rows.length ? h("table", { class: "pairs" }, h("tbody", null, rows)) : h("p", { class: "empty" }, empty);
  return h("section", { class: "card" }, h("h2", null, title), body);
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
