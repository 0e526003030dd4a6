// Figures of plotly and bokeh, point clouds, meshes and molecules: drawn in a document that is shut off from this one.

import { h } from "./dom.js";
import { moleculeScene, pointScene } from "./scenes.js";
import { meshScene } from "./meshes.js";
import { themeOf } from "./plot.js";
import { isDark } from "./url.js";

const SCRIPTS = {
  plotly: ["plotly.min.js"],
  bokeh: ["bokeh.min.js", "bokeh-gl.min.js", "bokeh-widgets.min.js", "bokeh-tables.min.js"],
};
const loading = {};

// Every frame is an origin of its own, and would load the megabytes of its library for itself: they come from here.
function scriptsOf(library) {
  loading[library] ??= Promise.all(SCRIPTS[library].map(script)).catch((error) => {
    delete loading[library];
    throw error;
  });
  return loading[library];
}

async function script(name) {
  const response = await fetch(`/sandbox/scripts/${name}`);
  // Where it isn't installed, the frame misses it.
  return response.ok ? response.text() : "";
}

// A frame that draws what it is given: {element, draw(figure)}. It is made when it comes near the window.
export function figureFrame(title, library = "plotly") {
  const frame = h("iframe", { sandbox: "allow-scripts", src: `/sandbox/figures/${library}`, title, loading: "lazy" });
  const note = h("p", { class: "hint", role: "status" }, "Loading…");
  const element = h("div", { class: "figure-frame" }, frame, note);
  let [ready, figure] = [false, null];
  const send = () => {
    if (!ready || !figure) return;
    const theme = themeOf(element);
    frame.contentWindow.postMessage({ figure, theme: { grid: theme.grid, text: theme.text, scheme: isDark() ? "dark" : "light" } }, "*");
  };
  addEventListener("themechange", send);
  addEventListener("message", ({ source, data }) => {
    if (source !== frame.contentWindow) return;
    if (data.wanting) {
      scriptsOf(library).then((scripts) => frame.contentWindow?.postMessage({ scripts }, "*"));
    } else if (data.ready) {
      ready = true;
      send();
    } else if (data.drawn) note.hidden = true;
    else if (data.problem) {
      note.hidden = false;
      note.textContent = data.problem === "missing" ? `This is drawn by ${library}. On the server's machine: pip install ${library}` : `The figure cannot be drawn: ${data.problem}`;
    }
  });
  return {
    element,
    draw(next) {
      figure = next;
      send();
    },
  };
}

export function bokehViewer(context) {
  return viewer(context, "bokeh", (path, response) => readable(path, response).json());
}

export function figureViewer(context) {
  return viewer(context, "plotly", figureOf);
}

function viewer({ key, panel }, library, read) {
  const frame = figureFrame(key, library);
  const choice = h("select", { "aria-label": "Which", hidden: true });
  const element = h("div", { class: "figure" }, choice, frame.element);
  let paths = [];
  const draw = async (path) => frame.draw(await read(path, await fetch(panel.file(path))));
  choice.addEventListener("change", () => draw(paths[choice.selectedIndex]));
  async function show(value) {
    paths = value.path
      ? [value.path]
      : (value.filenames ?? value.molecules ?? (value.objects ?? value.plotly ?? value.bokeh ?? []).map((item) => item.path));
    choice.hidden = paths.length < 2;
    choice.replaceChildren(...paths.map((_, index) => h("option", null, `${index + 1} of ${paths.length}`)));
    await draw(paths[0]);
  }
  return { element, show };
}

function readable(path, response) {
  if (!response.ok) throw new Error(`the server answered ${response.status} for ${path}`);
  return response;
}

async function figureOf(path, response) {
  readable(path, response);
  const kind = path.toLowerCase().match(/\.(plotly\.json|pts\.json|[a-z0-9]+)$/)[1];
  if (kind === "plotly.json") return response.json();
  if (kind === "pts.json") return pointScene(await response.json());
  if (["pdb", "xyz", "sdf", "mol2", "cif", "mmcif", "pqr", "gro"].includes(kind)) return moleculeScene(kind, await response.text());
  return meshScene(kind, await response.arrayBuffer());
}
