// The files of a run as a tree, and beside it what is in the chosen one.

import { getJson } from "./api.js";
import { empty, h, icon } from "./dom.js";
import { bytes, moment } from "./format.js";
import { codeView, patchView } from "./highlight.js";
import { byName } from "./names.js";
import { DataTable } from "./datatable.js";

const PREVIEW_BYTES_MAX = 1_000_000;
const PICTURES = /\.(png|jpe?g|gif|webp|bmp|svg)$/i;
const SOUNDS = /\.(wav|mp3|ogg|flac|m4a)$/i;
const FILMS = /\.(mp4|webm|mov|ogv)$/i;
const TEXTS =
  /\.(txt|log|md|rst|py|pyi|ipynb|json|jsonl|ya?ml|toml|cfg|ini|csv|tsv|sh|c|h|cc|cpp|cu|rs|go|js|ts|patch|diff|xml|html)$|(^|\/)(requirements[^/]*|Dockerfile|Makefile|LICENSE)$/i;

export class FilesPanel {
  // `wanted(name)` chooses the files; `first(names)` the one that is open at the beginning.
  constructor(base, files, { wanted = () => true, first = () => null, nothing = "The run has uploaded no files yet." } = {}) {
    Object.assign(this, { base, files, wanted, first });
    this.open = new Set();
    this.tree = h("nav", { class: "file-tree card", "aria-label": "Files" });
    this.preview = h("section", { class: "file-preview card", "aria-label": "Preview" }, h("p", { class: "empty" }, "Choose a file."));
    this.body = h("div", { class: "file-browser" }, this.tree, this.preview);
    this.nothing = empty(nothing);
    this.element = h("div", null, this.nothing, this.body);
    this.body.hidden = true;
  }

  async refresh() {
    const { files } = await getJson(`${this.base}/files`);
    const found = files.filter((file) => this.wanted(file.name));
    const text = JSON.stringify(found);
    if (this.source === text) return;
    this.source = text;
    this.list = found;
    this.nothing.hidden = found.length > 0;
    this.body.hidden = !found.length;
    this.chosen ??= this.first(found.map((file) => file.name));
    this.#draw();
    if (this.chosen) this.#choose(found.find((file) => file.name === this.chosen));
  }

  #draw() {
    this.tree.replaceChildren(this.#branch(treeOf(this.list), ""));
  }

  #branch(node, prefix) {
    const folders = [...node.folders]
      .sort((a, b) => byName(a[0], b[0]))
      .map(([name, inner]) => {
        const path = `${prefix}${name}/`;
        const details = h(
          "details",
          { open: this.open.has(path) || this.chosen?.startsWith(path) || (node.folders.size === 1 && !node.files.length) },
          h("summary", null, icon("folder"), name, h("small", { class: "hint" }, ` ${inner.count}`)),
        );
        // A folder of thousands of files is drawn when somebody opens it.
        const fill = () => details.children.length < 2 && details.append(this.#branch(inner, path));
        if (details.open) fill();
        details.addEventListener("toggle", () => {
          if (details.open) this.open.add(path);
          else this.open.delete(path);
          fill();
        });
        return h("li", null, details);
      });
    const files = node.files
      .sort((a, b) => byName(a.name, b.name))
      .map((file) =>
        h(
          "li",
          null,
          h(
            "button",
            {
              type: "button",
              class: "quiet",
              "aria-current": file.name === this.chosen ? "true" : null,
              title: `${file.name}, ${bytes(file.size)}`,
              onclick: () => this.#choose(file),
            },
            icon("file"),
            file.name.slice(prefix.length),
            h("small", { class: "hint" }, bytes(file.size)),
          ),
        ),
      );
    return h("ul", null, folders, files);
  }

  async #choose(file) {
    if (!file) return;
    this.chosen = file.name;
    this.#draw();
    const address = `${this.files}/${file.name.split("/").map(encodeURIComponent).join("/")}`;
    const head = h(
      "header",
      null,
      h("b", null, file.name),
      h("span", { class: "hint" }, `${bytes(file.size)} · ${moment(file.updated_at)}`),
      h("span", { class: "space" }),
      h("a", { class: "button", href: address, download: "" }, "Download"),
    );
    this.preview.replaceChildren(head, h("p", { class: "hint" }, "Loading…"));
    const content = await preview(file, address).catch((error) => h("p", { class: "error" }, error.message));
    if (this.chosen === file.name) this.preview.replaceChildren(head, content);
  }
}

async function preview(file, address) {
  if (PICTURES.test(file.name)) return h("div", { class: "media-list" }, h("img", { src: address, alt: file.name }));
  if (SOUNDS.test(file.name)) return h("audio", { controls: true, src: address });
  if (FILMS.test(file.name)) return h("video", { controls: true, muted: true, src: address });
  if (!TEXTS.test(file.name)) return h("p", { class: "empty" }, "This kind of file is shown best by what made it. Download it.");
  if (file.size > PREVIEW_BYTES_MAX) return h("p", { class: "empty" }, `Too large to show here (${bytes(file.size)}). Download it.`);
  const text = await textOf(address);
  if (/\.table\.json$/.test(file.name)) return new DataTable(JSON.parse(text)).element;
  if (/\.(json|ipynb)$/.test(file.name)) return codeView(file.name, pretty(text));
  return /\.(patch|diff)$/.test(file.name) ? patchView(text) : codeView(file.name, text);
}

export async function textOf(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return response.text();
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function treeOf(files) {
  const root = { folders: new Map(), files: [], count: 0 };
  for (const file of files) {
    let node = root;
    const parts = file.name.split("/");
    for (const part of parts.slice(0, -1)) {
      if (!node.folders.has(part)) node.folders.set(part, { folders: new Map(), files: [], count: 0 });
      node = node.folders.get(part);
      node.count += 1;
    }
    node.files.push(file);
  }
  return root;
}
