// Pictures, with the boxes and masks that were logged with them.

import { colorOf } from "./colors.js";
import { h } from "./dom.js";
import { showDialog } from "./popover.js";

const MASK_OPACITY = 0.55;

export function imageViewer({ key, panel }) {
  const grid = h("div", { class: "pictures" });
  const legend = h("div", { class: "legend" });
  const element = h("div", null, legend, grid);
  // What the reader switched off: layers by name, classes as "layer class".
  const off = new Set();
  const known = new Set();
  const pictures = [];
  const redraw = () => pictures.forEach((picture) => picture.draw(off));

  async function show(value) {
    const items = itemsOf(value);
    const classes = new Map();
    pictures.splice(0, pictures.length, ...items.map((item) => new Picture(item, panel, key, classes)));
    grid.classList.toggle("many", items.length > 1);
    // The old ones stay until the new ones are there, so that nothing flickers under the slider.
    const shown = pictures.slice();
    await Promise.all(shown.map((picture) => picture.load()));
    if (shown[0] !== pictures[0]) return;
    grid.replaceChildren(...shown.map((picture) => picture.element));
    // Class 0 of a mask is what is left over: the ground on which the rest stands.
    for (const layer of classes.keys()) if (layer.startsWith("mask ") && !known.has(layer)) off.add(`${layer} 0`);
    [...classes.keys()].forEach((layer) => known.add(layer));
    legend.replaceChildren(...[...classes].map(([layer, names]) => layerSwitches(layer, names, off, redraw)));
    redraw();
  }
  return { element, show };
}

// The three forms of pictures in a row, as one list.
function itemsOf(value) {
  if (value._type === "image-file") return [value];
  const paths = value.filenames ?? (value.images ?? []).map((image) => image.path);
  return paths.map((path, index) => ({
    path,
    width: value.width,
    height: value.height,
    caption: value.captions?.[index] || null,
    masks: value.all_masks?.[index] ?? null,
    boxes: value.all_boxes?.[index] ?? null,
  }));
}

function layerSwitches(layer, names, off, redraw) {
  const flip = (name, button) => {
    if (!off.delete(name)) off.add(name);
    button.setAttribute("aria-pressed", String(!off.has(name)));
    redraw();
  };
  const one = (name, text, color) => {
    const swatch = h("i", { class: "swatch" });
    if (color) swatch.style.color = color;
    const button = h(
      "button",
      { type: "button", class: "quiet", "aria-pressed": String(!off.has(name)), onclick: () => flip(name, button) },
      color ? swatch : null,
      text,
    );
    return button;
  };
  return h(
    "span",
    { class: "layer" },
    one(layer, h("b", null, layer.split(" ")[1])),
    [...names].sort((a, b) => a[0] - b[0]).map(([number, text]) => one(`${layer} ${number}`, text, colorOf(number))),
  );
}

class Picture {
  constructor(item, panel, key, classes) {
    Object.assign(this, { item, panel, key, classes });
    this.image = h("img", { src: panel.file(item.path), alt: item.caption ?? `${key}` });
    this.above = h("canvas", { "aria-hidden": "true" });
    this.frame = h(
      "button",
      { type: "button", class: "picture", "aria-label": `Show ${item.caption ?? key} large`, onclick: () => this.#enlarge() },
      this.image,
      this.above,
    );
    this.element = h("figure", null, this.frame, item.caption ? h("figcaption", null, item.caption) : null);
    this.layers = [];
  }

  async load() {
    const { masks, boxes } = this.item;
    const labels = (kind, layer) => this.panel.run()?.[kind]?.[`${this.key}_wandb_delimeter_${layer}`]?.value ?? {};
    for (const [layer, { path }] of Object.entries(masks ?? {})) {
      const mask = await maskOf(this.panel.file(path));
      this.layers.push({ name: `mask ${layer}`, mask });
      this.#name(`mask ${layer}`, mask.numbers, labels("mask_classes", layer));
    }
    for (const [layer, { path }] of Object.entries(boxes ?? {})) {
      const { box_data: found = [], class_labels: own = {} } = await (await fetch(this.panel.file(path))).json();
      this.layers.push({ name: `boxes ${layer}`, boxes: found, labels: { ...labels("box_classes", layer), ...own } });
      this.#name(
        `boxes ${layer}`,
        found.map((box) => box.class_id),
        { ...labels("box_classes", layer), ...own },
      );
    }
    // Sizes are known once the picture is there; one that cannot be shown says so by itself.
    await this.image.decode().catch(() => {});
  }

  #name(layer, numbers, labels) {
    const names = this.classes.get(layer) ?? new Map();
    for (const number of numbers) names.set(number, String(labels[number] ?? `class ${number}`));
    this.classes.set(layer, names);
  }

  draw(off) {
    const { naturalWidth: width, naturalHeight: height } = this.image;
    if (!this.layers.length || !width) return;
    this.off = off;
    // At least so wide that boxes and their names are sharp on small pictures.
    const scale = Math.max(1, Math.ceil(640 / width));
    this.above.width = width * scale;
    this.above.height = height * scale;
    const context = this.above.getContext("2d");
    for (const layer of this.layers) {
      if (off.has(layer.name)) continue;
      const shown = (number) => !off.has(`${layer.name} ${number}`);
      if (layer.mask) drawMask(context, layer.mask, shown);
      else layer.boxes.filter((box) => shown(box.class_id)).forEach((box) => drawBox(context, box, layer.labels, width, height, scale));
    }
  }

  #enlarge() {
    const copy = h("img", { src: this.image.src, alt: this.image.alt });
    const above = h("canvas", { "aria-hidden": "true" });
    [above.width, above.height] = [this.above.width, this.above.height];
    if (this.above.width) above.getContext("2d").drawImage(this.above, 0, 0);
    showDialog(this.item.caption ?? this.key, () => h("div", { class: "picture large" }, copy, above), "wide");
  }
}

// The numbers of classes, pixel by pixel: a mask is a grey picture of them.
async function maskOf(address) {
  const image = h("img", { src: address, alt: "" });
  await image.decode();
  const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const pixels = new Uint8Array(data.length / 4);
  for (let index = 0; index < pixels.length; index += 1) pixels[index] = data[index * 4];
  return { width: canvas.width, height: canvas.height, pixels, numbers: [...new Set(pixels)] };
}

function drawMask(context, { width, height, pixels, numbers }, shown) {
  const colors = new Map(numbers.filter(shown).map((number) => [number, Number.parseInt(colorOf(number).slice(1), 16)]));
  const canvas = new OffscreenCanvas(width, height);
  const own = canvas.getContext("2d");
  const picture = own.createImageData(width, height);
  pixels.forEach((number, index) => {
    const color = colors.get(number);
    if (color !== undefined) picture.data.set([color >> 16, (color >> 8) & 255, color & 255, 255], index * 4);
  });
  own.putImageData(picture, 0, 0);
  context.globalAlpha = MASK_OPACITY;
  context.imageSmoothingEnabled = false;
  context.drawImage(canvas, 0, 0, context.canvas.width, context.canvas.height);
  context.globalAlpha = 1;
}

function drawBox(context, box, labels, width, height, scale) {
  const [left, top, wide, high] = cornersOf(box, width, height).map((item) => item * scale);
  const color = colorOf(box.class_id ?? 0);
  const line = Math.max(2, context.canvas.width / 320);
  context.strokeStyle = color;
  context.lineWidth = line;
  context.strokeRect(left, top, wide, high);
  const text = box.box_caption ?? labels[box.class_id] ?? "";
  if (!text) return;
  const size = Math.max(11, context.canvas.width / 46);
  context.font = `600 ${size}px system-ui, sans-serif`;
  const extent = context.measureText(text).width + size * 0.6;
  const y = Math.max(0, top - size * 1.35);
  context.fillStyle = color;
  context.fillRect(left - line / 2, y, extent, size * 1.35);
  context.fillStyle = "#fff";
  context.textBaseline = "middle";
  context.fillText(text, left + size * 0.3, y + size * 0.7);
}

// A position in parts of the picture or in pixels, by corners or by its middle.
function cornersOf({ position, domain }, width, height) {
  const [x, y] = domain === "pixel" ? [1, 1] : [width, height];
  if (position.middle)
    return [
      (position.middle[0] - position.width / 2) * x,
      (position.middle[1] - position.height / 2) * y,
      position.width * x,
      position.height * y,
    ];
  return [position.minX * x, position.minY * y, (position.maxX - position.minX) * x, (position.maxY - position.minY) * y];
}
