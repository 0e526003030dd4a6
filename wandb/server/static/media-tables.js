// Logged tables. The run has a table's plain values; its artifact has also the media in its cells.

import { h } from "./dom.js";
import { DataTable } from "./datatable.js";

const ARTIFACT = /^wandb-client-artifact:\/\/([^/:]+)(?::[^/]*)?\/(.+)$/;

export function tableViewer({ panel }) {
  const element = h("div");
  async function show(value) {
    const { table, cell } = await loadTable(value, panel);
    element.replaceChildren(new DataTable(table, cell).element);
  }
  return { element, show, wide: true };
}

// A table as {columns, data}, from the artifact where there is one, and what draws its cells.
export async function loadTable(value, panel) {
  const [, client, name] = value.artifact_path?.match(ARTIFACT) ?? [];
  if (client) {
    const base = `/api/artifact-files/${encodeURIComponent(client)}/`;
    const response = await fetch(base + name.split("/").map(encodeURIComponent).join("/"));
    if (response.ok) {
      const found = await response.json();
      return { table: { columns: found.columns ?? [], data: found.data ?? [] }, cell: (item) => mediaCell(item, base) };
    }
  }
  const response = await fetch(panel.file(value.path));
  if (!response.ok) throw new Error("the file of this table has not arrived yet");
  const found = await response.json();
  return { table: { columns: found.columns ?? [], data: found.data ?? [] } };
}

function mediaCell(item, base) {
  if (!item || typeof item !== "object" || !item._type) return null;
  const address = item.path ? base + item.path.split("/").map(encodeURIComponent).join("/") : null;
  if (item._type === "image-file")
    return h("img", { class: "thumbnail", src: address, alt: item.caption ?? "", title: item.caption, loading: "lazy" });
  if (item._type === "audio-file") return h("audio", { controls: true, preload: "none", src: address });
  if (item._type === "video-file")
    return h("video", { class: "thumbnail", controls: true, muted: true, preload: "metadata", src: address });
  return address ? h("a", { href: address, download: "" }, item._type) : null;
}
