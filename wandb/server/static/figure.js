// Draws figures that the page around sends, in a document that has no origin (see `_sandbox.py`).

(() => {
  const tell = (message) => parent.postMessage(message, "*");

  // Colours of the page, where the figure doesn't choose its own.
  function themed(layout, theme) {
    const axis = { gridcolor: theme.grid, zerolinecolor: theme.grid, linecolor: theme.grid };
    const scene = { xaxis: axis, yaxis: axis, zaxis: axis };
    const plain = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: theme.text, family: "system-ui, sans-serif", size: 11 },
      margin: { l: 48, r: 16, t: layout.title ? 44 : 14, b: 38 },
    };
    const named = Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name));
    const axes = Object.fromEntries([...new Set(["xaxis", "yaxis", ...named])].map((name) => [name, { ...axis, ...layout[name] }]));
    const template = layout.template?.layout
      ? {
          ...layout.template,
          layout: { ...layout.template.layout, paper_bgcolor: undefined, plot_bgcolor: undefined, font: undefined, scene: undefined },
        }
      : layout.template;
    return {
      ...plain,
      ...layout,
      ...axes,
      scene: { ...scene, ...layout.scene },
      template,
      font: { ...plain.font, ...layout.font },
      margin: layout.margin && Object.keys(layout.margin).length ? layout.margin : plain.margin,
      width: undefined,
      height: undefined,
      autosize: true,
    };
  }

  addEventListener("message", async ({ data, source }) => {
    if (source !== parent) return;
    if (data.scripts) {
      for (const text of data.scripts) (0, eval)(text);
      tell({ ready: true });
    }
    if (!data.figure) return;
    if (!window.Plotly) {
      tell({ problem: "missing" });
      return;
    }
    const { figure, theme } = data;
    const place = document.getElementById("figure");
    document.documentElement.style.colorScheme = theme.scheme;
    try {
      await Plotly.react(place, figure.data ?? [], themed(figure.layout ?? {}, theme), {
        responsive: true,
        displaylogo: false,
        ...figure.config,
      });
      if (figure.frames?.length) await Plotly.addFrames(place, figure.frames);
      tell({ drawn: true });
    } catch (error) {
      tell({ problem: String(error?.message ?? error) });
    }
  });
  tell({ wanting: true });
})();
