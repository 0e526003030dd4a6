// A run in words: how it ended, where it ran, what it was given and what came out.

import { getJson, path, postJson } from "./api.js";
import { button, h, icon, replaceIfChanged } from "./dom.js";
import { textOf } from "./files.js";
import { ago, bytes, duration, flat, moment, number } from "./format.js";
import { pairTable, pairs } from "./pairs.js";
import { showDialog } from "./popover.js";
import { logStory } from "./story.js";

const LIVE = new Set(["running", "preempting", "pending"]);

export class OverviewPanel {
  constructor(base, files, run, changed) {
    Object.assign(this, { base, files, run, changed });
    this.element = h("div", { class: "columns" });
  }

  async refresh() {
    const run = this.run();
    if (!run) return;
    if (this.known !== run.file_count) {
      this.known = run.file_count;
      this.metadata = await this.#metadata();
    }
    replaceIfChanged(
      this.element,
      [
        run.config,
        run.summary,
        run.ending,
        run.state,
        run.notes,
        run.tags,
        run.alerts,
        run.artifacts,
        run.sessions,
        run.rows,
        this.metadata,
        Math.floor(run.heartbeat_at / 60),
      ],
      () => [
        h("div", { class: "stack" }, this.#about(run), run.alerts.length ? alerts(run.alerts) : null, logStory(run)),
        h("div", { class: "stack" }, pairs("Summary", summaryOf(run), "The run has no summary yet.")),
        h(
          "div",
          { class: "stack" },
          pairs("Config", flat(run.config), "The run has no config."),
          run.artifacts.logged.length + run.artifacts.used.length ? artifacts(run) : null,
          this.#surroundings(),
        ),
      ],
    );
  }

  async #metadata() {
    const { files } = await getJson(`${this.base}/files`);
    if (!files.some((file) => file.name === "wandb-metadata.json")) return null;
    try {
      return JSON.parse(await textOf(`${this.files}/wandb-metadata.json`));
    } catch {
      return null;
    }
  }

  #about(run) {
    const facts = [
      ["State", run.ending],
      ["Started", moment(run.created_at)],
      ["Ran for", duration(run.seconds)],
      ["Last heard", LIVE.has(run.state) ? ago(run.heartbeat_at) : moment(run.heartbeat_at)],
      ["Run id", run.id],
      ["By", run.user],
      ["Group", run.group],
      ["Job type", run.job_type],
      ["Sweep", run.sweep && (run.project_seen ? h("a", { href: `/${path(run.entity, run.project, "sweeps", run.sweep)}` }, run.sweep) : run.sweep)],
      ["Program", run.program],
      ["Host", run.host],
      ["Commit", run.commit],
      ["Tags", run.tags.length ? run.tags.map((text) => h("span", { class: "tag" }, text)) : null],
      ["Notes", run.notes],
      ["In Python", h("code", null, `wandb.Api().run("${run.entity}/${run.project}/${run.id}")`)],
    ].filter(([, item]) => item);
    const edit = run.may_change ? button([icon("edit"), "Edit"], () => this.#edit(run), { class: "with-icon quiet" }) : null;
    return h("section", { class: "card" }, h("h2", { class: "with-button" }, "About", edit), pairTable(facts));
  }

  async #edit(run) {
    const [name, tags, group] = [
      h("input", { value: run.name, required: true, autofocus: true }),
      h("input", { value: run.tags.join(", ") }),
      h("input", { value: run.group ?? "" }),
    ];
    const notes = h("textarea", { rows: "5" });
    notes.value = run.notes ?? "";
    const field = (text, input) => h("label", { class: "field" }, text, input);
    const saved = await showDialog("Edit the run", (finish) =>
      h(
        "form",
        {
          class: "stack",
          onsubmit: (event) => {
            event.preventDefault();
            finish(true);
          },
        },
        field("Name", name),
        field("Tags, with commas between", tags),
        field("Group", group),
        field("Notes", notes),
        h(
          "div",
          { class: "buttons" },
          button("Cancel", () => finish(false)),
          h("button", { type: "submit", class: "primary" }, "Save"),
        ),
      ),
    );
    if (!saved) return;
    const wanted = tags.value
      .split(",")
      .map((text) => text.trim())
      .filter(Boolean);
    await postJson(`/api/projects/${path(run.entity, run.project)}/runs/change`, {
      runs: [run.id],
      name: name.value,
      group: group.value,
      notes: notes.value,
      add_tags: wanted,
      remove_tags: run.tags.filter((text) => !wanted.includes(text)),
    });
    await this.changed();
  }

  #surroundings() {
    if (!this.metadata) return null;
    const {
      os,
      python,
      gpu,
      gpu_count: gpus,
      cpu_count: cores,
      memory,
      disk,
      args,
      executable,
      git,
      cudaVersion,
      username,
      root,
    } = this.metadata;
    const facts = [
      ["System", os],
      ["Python", python],
      ["GPU", gpu && (gpus > 1 ? `${gpus} × ${gpu}` : gpu)],
      ["CUDA", cudaVersion],
      ["Processors", cores],
      ["Memory", memory?.total && bytes(Number(memory.total))],
      ["Disk", disk?.["/"]?.total && bytes(Number(disk["/"].total))],
      ["Command", args && [this.metadata.program, ...args].filter(Boolean).join(" ")],
      ["Executable", executable],
      ["User", username],
      ["Folder", root],
      ["Repository", git?.remote],
      ["Commit", git?.commit],
    ].filter(([, item]) => item);
    return h(
      "section",
      { class: "card" },
      h("h2", null, "Machine"),
      pairTable(facts.map(([label, item]) => [label, typeof item === "number" ? number(item) : item])),
    );
  }
}

// What the script logged first; what every row has last, as people read it.
const OF_EVERY_ROW = { _step: number, _runtime: duration, _timestamp: moment };

function summaryOf(run) {
  const entries = flat(run.summary).map(([key, item]) => [key, typeof item === "number" && OF_EVERY_ROW[key] ? OF_EVERY_ROW[key](item) : item]);
  return [...entries.filter(([key]) => !(key in OF_EVERY_ROW)), ...entries.filter(([key]) => key in OF_EVERY_ROW)];
}

function alerts(found) {
  const items = found.map((alert) =>
    h(
      "li",
      { class: alert.severity.toLowerCase() },
      h("b", null, alert.title),
      " ",
      h("time", { class: "hint", title: moment(alert.created_at) }, ago(alert.created_at)),
      h("p", null, alert.text),
    ),
  );
  return h("section", { class: "card alerts" }, h("h2", null, "Alerts"), h("ul", null, items));
}

function artifacts(run) {
  const link = (item) =>
    h(
      "a",
      { href: `/${path(item.entity, item.project, "artifacts", item.type, item.name, item.version)}` },
      `${item.name}:${item.version}`,
    );
  const rows = [
    ["Logged", run.artifacts.logged],
    ["Used", run.artifacts.used],
  ].flatMap(([label, items]) => items.map((item) => [label, [link(item), " ", h("span", { class: "hint" }, item.type)]]));
  return h("section", { class: "card" }, h("h2", null, "Artifacts"), pairTable(rows));
}
