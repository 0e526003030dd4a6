// Meshes of obj, stl, gltf and glb files as figures of plotly.

import { layoutOfScene } from "./scenes.js";

const SIZES = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4, MAT4: 16 };
const ARRAYS = { 5120: Int8Array, 5121: Uint8Array, 5122: Int16Array, 5123: Uint16Array, 5125: Uint32Array, 5126: Float32Array };
const TRIANGLES = 4;

export async function meshScene(kind, buffer) {
  const meshes = { obj: objMeshes, stl: stlMeshes, gltf: gltfMeshes, glb: glbMeshes }[kind]?.(buffer);
  if (!meshes) throw new Error(`a file of the kind ${kind} cannot be shown here; download it`);
  const data = (await meshes)
    .filter(({ faces }) => faces.length)
    .map(({ points, faces, color }) => ({
      type: "mesh3d",
      flatshading: true,
      color: color ?? "#8d99f2",
      hoverinfo: "skip",
      x: points.map((point) => point[0]),
      y: points.map((point) => point[1]),
      z: points.map((point) => point[2]),
      i: faces.map((face) => face[0]),
      j: faces.map((face) => face[1]),
      k: faces.map((face) => face[2]),
      lighting: { ambient: 0.55, diffuse: 0.7, specular: 0.15 },
    }));
  if (!data.length) throw new Error("the file holds no triangles");
  return { data, layout: layoutOfScene() };
}

function objMeshes(buffer) {
  const [points, faces] = [[], []];
  for (const line of new TextDecoder().decode(buffer).split("\n")) {
    const [word, ...rest] = line.trim().split(/\s+/);
    if (word === "v") points.push(rest.slice(0, 3).map(Number));
    if (word !== "f") continue;
    const corners = rest.map((part) => Number.parseInt(part, 10)).map((place) => (place < 0 ? points.length + place : place - 1));
    for (let index = 1; index + 1 < corners.length; index += 1) faces.push([corners[0], corners[index], corners[index + 1]]);
  }
  return [{ points, faces }];
}

function stlMeshes(buffer) {
  const view = new DataView(buffer);
  const count = buffer.byteLength >= 84 ? view.getUint32(80, true) : 0;
  const points = [];
  if (buffer.byteLength === 84 + count * 50) {
    for (let at = 84; at < buffer.byteLength; at += 50)
      for (let corner = 1; corner <= 3; corner += 1) points.push([0, 4, 8].map((axis) => view.getFloat32(at + corner * 12 + axis, true)));
  } else {
    for (const [, x, y, z] of new TextDecoder().decode(buffer).matchAll(/vertex\s+(\S+)\s+(\S+)\s+(\S+)/g))
      points.push([x, y, z].map(Number));
  }
  return [
    { points, faces: Array.from({ length: Math.floor(points.length / 3) }, (_, index) => [index * 3, index * 3 + 1, index * 3 + 2]) },
  ];
}

function glbMeshes(buffer) {
  const view = new DataView(buffer);
  let [json, binary] = [null, null];
  for (let at = 12; at + 8 <= buffer.byteLength;) {
    const [length, kind] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    const part = buffer.slice(at + 8, at + 8 + length);
    if (kind === 0x4e4f534a) json = JSON.parse(new TextDecoder().decode(part));
    else binary ??= part;
    at += 8 + length;
  }
  return meshesOfGltf(json, () => binary);
}

function gltfMeshes(buffer) {
  return meshesOfGltf(JSON.parse(new TextDecoder().decode(buffer)), (uri) => {
    if (!uri?.startsWith("data:")) throw new Error("the file refers to others, which were not logged");
    return Uint8Array.from(atob(uri.slice(uri.indexOf(",") + 1)), (character) => character.charCodeAt(0)).buffer;
  });
}

function meshesOfGltf(file, load) {
  const buffers = (file.buffers ?? []).map(({ uri }) => load(uri));
  const meshes = [];
  const visit = (index, above) => {
    const node = file.nodes[index];
    const matrix = product(above, matrixOf(node));
    for (const primitive of file.meshes?.[node.mesh]?.primitives ?? []) {
      if ((primitive.mode ?? TRIANGLES) !== TRIANGLES) continue;
      const points = rowsOf(file, buffers, primitive.attributes.POSITION).map((point) => transformed(matrix, point));
      const order = primitive.indices === undefined ? points.map((_, place) => place) : rowsOf(file, buffers, primitive.indices).flat();
      const faces = Array.from({ length: Math.floor(order.length / 3) }, (_, place) => order.slice(place * 3, place * 3 + 3));
      const base = file.materials?.[primitive.material]?.pbrMetallicRoughness?.baseColorFactor;
      meshes.push({
        points,
        faces,
        color: base
          ? `rgb(${base
              .slice(0, 3)
              .map((part) => Math.round(part * 255))
              .join(",")})`
          : undefined,
      });
    }
    (node.children ?? []).forEach((child) => visit(child, matrix));
  };
  const roots = file.scenes?.[file.scene ?? 0]?.nodes ?? (file.nodes ?? []).map((_, index) => index);
  roots.forEach((index) => visit(index, [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]));
  return meshes;
}

function rowsOf(file, buffers, index) {
  const { bufferView, byteOffset = 0, componentType, count, type } = file.accessors[index];
  const { buffer, byteOffset: start = 0, byteStride } = file.bufferViews[bufferView];
  const [Kind, size] = [ARRAYS[componentType], SIZES[type]];
  const stride = byteStride ?? size * Kind.BYTES_PER_ELEMENT;
  return Array.from({ length: count }, (_, row) => {
    const from = start + byteOffset + row * stride;
    return [...new Kind(buffers[buffer].slice(from, from + size * Kind.BYTES_PER_ELEMENT))];
  });
}

// Matrices are 16 numbers, column by column, as in the files.
function matrixOf({ matrix, translation: [x, y, z] = [0, 0, 0], rotation: [a, b, c, d] = [0, 0, 0, 1], scale: [s, t, u] = [1, 1, 1] }) {
  if (matrix) return matrix;
  return [
    (1 - 2 * (b * b + c * c)) * s,
    2 * (a * b + c * d) * s,
    2 * (a * c - b * d) * s,
    0,
    2 * (a * b - c * d) * t,
    (1 - 2 * (a * a + c * c)) * t,
    2 * (b * c + a * d) * t,
    0,
    2 * (a * c + b * d) * u,
    2 * (b * c - a * d) * u,
    (1 - 2 * (a * a + b * b)) * u,
    0,
    x,
    y,
    z,
    1,
  ];
}

function product(left, right) {
  return Array.from({ length: 16 }, (_, place) => {
    const [row, column] = [place % 4, place - (place % 4)];
    return [0, 1, 2, 3].reduce((sum, index) => sum + left[index * 4 + row] * right[column + index], 0);
  });
}

function transformed(matrix, [x, y, z]) {
  return [0, 1, 2].map((row) => matrix[row] * x + matrix[4 + row] * y + matrix[8 + row] * z + matrix[12 + row]);
}
