// Sound, film, pages and whatever else is a file: shown by what the browser has for it.

import { button, h } from "./dom.js";
import { bytes } from "./format.js";

function listViewer(itemsOf, make) {
  return (context) => {
    const element = h("div", { class: "media-list" });
    return {
      element,
      show: (value) => element.replaceChildren(...itemsOf(value).map((item) => figure(make(item, context), item.caption))),
    };
  };
}

function figure(content, caption) {
  return h("figure", null, content, caption ? h("figcaption", null, caption) : null);
}

// One file, or a list under some name with captions beside it.
function itemsIn(name) {
  return (value) =>
    value.path
      ? [value]
      : (value[name] ?? []).map((item, index) => ({
          ...(typeof item === "string" ? { path: item } : item),
          caption: item.caption ?? value.captions?.[index],
        }));
}

const isMoving = (path) => /\.gif$/i.test(path);

const soundViewer = listViewer(itemsIn("audio"), (item, { panel }) =>
  h("audio", { controls: true, preload: "metadata", src: panel.file(item.path) }),
);

const filmViewer = listViewer(itemsIn("videos"), (item, { panel, key }) =>
  isMoving(item.path)
    ? h("img", { src: panel.file(item.path), alt: item.caption ?? key })
    : h("video", { controls: true, loop: true, muted: true, preload: "metadata", src: panel.file(item.path) }),
);

// A page runs shut off from this one; what it wants from the network it gets when the reader says so.
const pageViewer = listViewer(itemsIn("html"), (item, { panel, key }) => {
  const address = panel.file(item.path).replace(/^\/files\//, "/sandbox/files/");
  const frame = h("iframe", { sandbox: "allow-scripts", src: address, title: key, loading: "lazy", referrerpolicy: "no-referrer" });
  const allow = button(
    "Allow network",
    () => {
      frame.src = `${address}?network=allowed`;
      allow.remove();
    },
    { class: "quiet", title: "Let this page load scripts and pictures from elsewhere" },
  );
  return h("div", { class: "page-frame" }, frame, allow);
});

function unknownViewer({ panel }) {
  const element = h("div", { class: "media-list" });
  const show = (value) => {
    const link = value.path
      ? h(
          "p",
          null,
          h("a", { href: panel.file(value.path), download: "" }, value.path.split("/").at(-1)),
          h("span", { class: "hint" }, ` ${bytes(value.size ?? 0)}`),
        )
      : "";
    element.replaceChildren(link, h("pre", { class: "code" }, JSON.stringify(value, null, 2)));
  };
  return { element, show };
}

// Nodes and edges of a model, one line a layer.
function graphViewer({ panel }) {
  const element = h("div", { class: "media-list" });
  const show = async (value) => {
    const { nodes = [] } = await (await fetch(panel.file(value.path))).json();
    const shape = (item) => ((item.output_shape ?? item.size) ? JSON.stringify(item.output_shape ?? item.size) : "");
    const rows = nodes.map((node) =>
      h(
        "tr",
        null,
        h("td", null, node.name ?? node.id ?? ""),
        h("td", null, node.class_name ?? ""),
        h("td", { class: "number" }, shape(node)),
        h("td", { class: "number" }, String(node.num_parameters ?? "")),
      ),
    );
    element.replaceChildren(
      h(
        "table",
        null,
        h(
          "thead",
          null,
          h(
            "tr",
            null,
            ["Layer", "Kind", "Shape", "Parameters"].map((text) => h("th", { scope: "col" }, text)),
          ),
        ),
        h("tbody", null, rows),
      ),
    );
  };
  return { element, show, wide: true };
}

export const fileViewers = {
  "audio-file": soundViewer,
  audio: soundViewer,
  "video-file": filmViewer,
  videos: filmViewer,
  "html-file": pageViewer,
  html: pageViewer,
  "graph-file": graphViewer,
  unknown: unknownViewer,
};
