// What can be done with the runs that are selected in the table, all at once.

import { postJson } from "./api.js";
import { button, h } from "./dom.js";
import { count } from "./format.js";
import { ask, askText } from "./popover.js";

// The charts show at most so many runs.
export const SHOWN_MAX = 100;

export class BulkBar {
  // `page` has the `table`, the last `answer`, the `view` and the addresses `base` and `home`, and `load()`.
  constructor(page) {
    this.page = page;
    this.element = h("div", { class: "bulk", role: "toolbar", "aria-label": "The selected runs", hidden: true });
  }

  draw() {
    const ids = [...this.page.table.selected];
    this.element.hidden = !ids.length;
    if (!ids.length) return;
    const change = this.page.answer.may_change
      ? [
          button("Tag…", () => this.#tag(ids, "add_tags")),
          button("Untag…", () => this.#tag(ids, "remove_tags")),
          button("Group…", () => this.#regroup(ids)),
          button("Stop", () => this.#stop(ids)),
          button("Delete…", () => this.#delete(ids), { class: "danger" }),
        ]
      : [];
    const compare = button("Compare", () => location.assign(`${this.page.home}/compare?runs=${ids.map(encodeURIComponent).join(",")}`), {
      class: "primary",
      disabled: ids.length < 2,
    });
    this.element.replaceChildren(
      h("b", null, count(ids.length, "run")),
      compare,
      button("Show only these", () => this.page.view.set({ runs: ids.slice(0, SHOWN_MAX) })),
      ...change,
      button("Clear", () => this.page.table.clearSelection(), { class: "quiet" }),
    );
  }

  async #ask(body) {
    await postJson(`${this.page.base}/runs/change`, body);
    await this.page.load();
  }

  async #tag(runs, what) {
    const known = [...new Set(this.page.answer.runs.flatMap((run) => run.tags))].sort();
    const text = await askText(
      what === "add_tags" ? `Tag ${count(runs.length, "run")}` : `Take a tag from ${count(runs.length, "run")}`,
      "Tag",
      "",
      what === "add_tags" ? "Add tag" : "Remove tag",
      known,
    );
    if (text) await this.#ask({ runs, [what]: [text] });
  }

  async #regroup(runs) {
    const known = [...new Set(this.page.answer.runs.map((run) => run.group).filter(Boolean))].sort();
    const text = await askText(`Move ${count(runs.length, "run")} to a group`, "Group", "", "Move", known);
    if (text !== undefined) await this.#ask({ runs, group: text });
  }

  async #stop(runs) {
    if (await ask(`Stop ${count(runs.length, "run")}?`, "The programs of those that run are interrupted as if by Ctrl-C.", "Stop"))
      await this.#ask({ runs, stop: true });
  }

  async #delete(runs) {
    if (
      !(await ask(
        `Delete ${count(runs.length, "run")}?`,
        "Their rows, console output and files are deleted for good. Artifacts that they logged stay.",
        "Delete",
      ))
    )
      return;
    this.page.table.clearSelection();
    await this.#ask({ runs, delete: true });
  }
}
