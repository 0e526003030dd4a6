// The graph of what was made of what: runs and versions of artifacts in columns, from the past on the left.

import { getJson, path } from "./api.js";
import { empty, h, svg } from "./dom.js";

const [WIDTH, HEIGHT, GAP_X, GAP_Y] = [190, 38, 56, 12];

export class LineagePanel {
  // `query` names the run or version in the middle.
  constructor(entity, project, query) {
    this.address = `/api/projects/${path(entity, project)}/lineage?${query}`;
    this.element = h("div");
  }

  async refresh() {
    const graph = await getJson(this.address);
    const text = JSON.stringify(graph);
    if (this.source === text) return;
    this.source = text;
    this.element.replaceChildren(
      graph.nodes.length > 1 ? picture(graph) : empty("Nothing is known of where this came from or went: no artifact was logged or used."),
    );
  }
}

function picture({ nodes, edges, middle, cut }) {
  const places = placed(nodes, edges);
  const columns = Math.max(...[...places.values()].map(({ column }) => column)) + 1;
  const rows = Math.max(...[...places.values()].map(({ row }) => row)) + 1;
  const [width, height] = [columns * (WIDTH + GAP_X) - GAP_X + 8, rows * (HEIGHT + GAP_Y) + 8];
  const x = (id) => 4 + places.get(id).column * (WIDTH + GAP_X);
  const y = (id) => 4 + places.get(id).row * (HEIGHT + GAP_Y);
  const lines = edges.map(([from, to]) => {
    const [left, right] = [x(from) + WIDTH, x(to)];
    const [a, b] = [y(from) + HEIGHT / 2, y(to) + HEIGHT / 2];
    const bend = Math.max(20, (right - left) / 2);
    return svg("path", {
      d: `M${left},${a} C${left + bend},${a} ${right - bend},${b} ${right},${b}`,
      class: from === middle || to === middle ? "edge near" : "edge",
    });
  });
  const boxes = nodes.map((node) =>
    svg(
      "a",
      {
        href: addressOf(node),
        class: `graph-node ${node.kind} ${node.id === middle ? "self" : ""}`,
        "aria-label": `${node.kind} ${node.name}`,
      },
      svg("rect", { x: x(node.id), y: y(node.id), width: WIDTH, height: HEIGHT, rx: node.kind === "run" ? HEIGHT / 2 : 7 }),
      svg("text", { x: x(node.id) + 14, y: y(node.id) + 16, class: "name" }, cutText(node.name)),
      svg(
        "text",
        { x: x(node.id) + 14, y: y(node.id) + 30, class: "kind" },
        node.kind === "run" ? `run${node.job_type ? `, ${node.job_type}` : ""}` : node.type,
      ),
      svg("title", null, node.name),
    ),
  );
  const graph = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "Lineage" }, lines, boxes);
  return h(
    "section",
    { class: "card lineage-graph", tabindex: "0", role: "region", "aria-label": "Lineage" },
    graph,
    cut ? h("p", { class: "hint" }, "Only the nearest are shown.") : null,
  );
}

function addressOf(node) {
  return node.kind === "run"
    ? `/${path(node.entity, node.project, "runs", node.run)}`
    : `/${path(node.entity, node.project, "artifacts", node.type, ...node.name.split(":"))}`;
}

function cutText(text) {
  return text.length > 24 ? `${text.slice(0, 23)}…` : text;
}

// Each node right of everything that it came from; in a column near the middle of its neighbours.
function placed(nodes, edges) {
  const before = new Map(nodes.map(({ id }) => [id, []]));
  edges.forEach(([from, to]) => before.get(to).push(from));
  const columns = new Map();
  const depth = (id, seen) => {
    if (columns.has(id)) return columns.get(id);
    if (seen.has(id)) return 0;
    const found = Math.max(-1, ...before.get(id).map((other) => depth(other, new Set([...seen, id])))) + 1;
    columns.set(id, found);
    return found;
  };
  nodes.forEach(({ id }) => depth(id, new Set()));
  const places = new Map();
  const counts = [];
  for (const { id } of [...nodes].sort((a, b) => columns.get(a.id) - columns.get(b.id))) {
    const column = columns.get(id);
    const wanted = before.get(id).map((other) => places.get(other)?.row ?? 0);
    const row = Math.max(counts[column] ?? 0, Math.floor(wanted.reduce((sum, item) => sum + item, 0) / (wanted.length || 1)));
    counts[column] = row + 1;
    places.set(id, { column, row });
  }
  return places;
}
