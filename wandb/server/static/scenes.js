// Point clouds and molecules as figures of plotly.

import { colorOf } from "./colors.js";

const EDGES = [
  [0, 1],
  [1, 3],
  [3, 2],
  [2, 0],
  [4, 5],
  [5, 7],
  [7, 6],
  [6, 4],
  [0, 4],
  [1, 5],
  [2, 6],
  [3, 7],
];
const ELEMENTS = {
  H: ["#d8d8d8", 5],
  C: ["#707070", 9],
  N: ["#4f6bff", 9],
  O: ["#e5484d", 9],
  S: ["#d9a400", 11],
  P: ["#f08a24", 11],
  F: ["#3fb873", 8],
  CL: ["#3fb873", 10],
  BR: ["#a04b2c", 11],
  FE: ["#c0561c", 12],
};
const BOND_ANGSTROM_MAX = 1.95;

export function layoutOfScene() {
  return { scene: { aspectmode: "data" }, margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false };
}

// Rows of x y z, then a category or red, green and blue; or a scene of points, boxes and vectors.
export function pointScene(found) {
  const { points = [], boxes = [], vectors = [] } = Array.isArray(found) ? { points: found } : found;
  const data = [];
  if (points.length)
    data.push({
      type: "scatter3d",
      mode: "markers",
      ...columns(points),
      marker: { size: points.length > 20_000 ? 1 : 2.2, color: points.map(pointColor) },
      hoverinfo: "x+y+z",
    });
  for (const box of boxes) data.push(boxLines(box));
  for (const { start, end } of vectors)
    data.push({ type: "scatter3d", mode: "lines", ...columns([start, end]), line: { width: 4, color: colorOf(3) } });
  return { data, layout: layoutOfScene() };
}

function columns(points) {
  return { x: points.map((point) => point[0]), y: points.map((point) => point[1]), z: points.map((point) => point[2]) };
}

function pointColor(point) {
  if (point.length >= 6) return `rgb(${point.slice(3, 6).map(Math.round).join(",")})`;
  return colorOf(point.length === 4 ? Math.round(point[3]) : 0);
}

// A box is eight corners, each edge its own stretch of one line.
function boxLines({ corners, color = [90, 108, 255], label }) {
  const path = EDGES.flatMap(([from, to]) => [corners[from], corners[to], [null, null, null]]);
  return {
    type: "scatter3d",
    mode: "lines",
    ...columns(path),
    line: { width: 3, color: `rgb(${color.join(",")})` },
    name: label ?? "box",
    hoverinfo: "name",
  };
}

export function moleculeScene(kind, text) {
  const atoms = kind === "xyz" ? xyzAtoms(text) : kind === "sdf" ? sdfAtoms(text) : pdbAtoms(text);
  if (!atoms.length) throw new Error(`no atoms were found; molecules are drawn of pdb, sdf and xyz files, this one is ${kind}`);
  const look = ({ element }) => ELEMENTS[element] ?? ["#b07acb", 9];
  const marker = {
    type: "scatter3d",
    mode: "markers",
    ...columns(atoms.map((atom) => atom.at)),
    text: atoms.map((atom) => atom.name),
    hoverinfo: "text",
    marker: { size: atoms.map((atom) => look(atom)[1]), color: atoms.map((atom) => look(atom)[0]), line: { width: 0 } },
  };
  const bonds = { type: "scatter3d", mode: "lines", ...columns(bondPath(atoms)), line: { width: 5, color: "#9aa3b2" }, hoverinfo: "skip" };
  return {
    data: [bonds, marker],
    layout: {
      ...layoutOfScene(),
      scene: { aspectmode: "data", xaxis: { visible: false }, yaxis: { visible: false }, zaxis: { visible: false } },
    },
  };
}

function pdbAtoms(text) {
  return text
    .split("\n")
    .filter((line) => /^(ATOM|HETATM)/.test(line))
    .map((line) => {
      const name = line.slice(12, 16).trim();
      const element = (line.slice(76, 78).trim() || name.replace(/[^A-Za-z]/g, "").slice(0, 1)).toUpperCase();
      return { name: `${name} ${line.slice(17, 20).trim()}`, element, at: [30, 38, 46].map((from) => Number(line.slice(from, from + 8))) };
    });
}

function xyzAtoms(text) {
  return text
    .split("\n")
    .slice(2)
    .map((line) => line.trim().split(/\s+/))
    .filter((parts) => parts.length >= 4)
    .map(([element, ...at]) => ({ name: element, element: element.toUpperCase(), at: at.slice(0, 3).map(Number) }));
}

function sdfAtoms(text) {
  const lines = text.split("\n");
  const atoms = Number.parseInt(lines[3]?.slice(0, 3) ?? "0", 10) || 0;
  return lines
    .slice(4, 4 + atoms)
    .map((line) => line.trim().split(/\s+/))
    .map(([x, y, z, element]) => ({ name: element, element: (element ?? "").toUpperCase(), at: [x, y, z].map(Number) }));
}

// Atoms are bound that are near each other; a grid of cells spares looking at every pair.
function bondPath(atoms) {
  const cells = new Map();
  const cellOf = (at) => at.map((item) => Math.floor(item / BOND_ANGSTROM_MAX));
  atoms.forEach(({ at }, index) => {
    const name = cellOf(at).join();
    if (!cells.has(name)) cells.set(name, []);
    cells.get(name).push(index);
  });
  const path = [];
  atoms.forEach(({ at, element }, index) => {
    const [a, b, c] = cellOf(at);
    for (let x = a - 1; x <= a + 1; x += 1)
      for (let y = b - 1; y <= b + 1; y += 1)
        for (let z = c - 1; z <= c + 1; z += 1) {
          for (const other of cells.get([x, y, z].join()) ?? []) {
            const reach = element === "H" || atoms[other].element === "H" ? 1.25 : BOND_ANGSTROM_MAX;
            if (other > index && Math.hypot(...at.map((item, axis) => item - atoms[other].at[axis])) < reach)
              path.push(at, atoms[other].at, [null, null, null]);
          }
        }
  });
  return path;
}
