// Draws documents of bokeh that the page around sends, in a document that has no origin (see `_sandbox.py`).

(() => {
  const tell = (message) => parent.postMessage(message, "*");

  addEventListener("message", async ({ data, source }) => {
    if (source !== parent) return;
    if (data.scripts) {
      for (const text of data.scripts) (0, eval)(text);
      tell({ ready: true });
    }
    if (!data.figure) return;
    if (!window.Bokeh) {
      tell({ problem: "missing" });
      return;
    }
    const place = document.getElementById("figure");
    try {
      const roots = data.figure.roots.map((root) => root.id);
      place.replaceChildren(...roots.map((root) => Object.assign(document.createElement("div"), { id: `root-${root}` })));
      const ids = Object.fromEntries(roots.map((root) => [root, `root-${root}`]));
      await window.Bokeh.embed.embed_items({ shown: data.figure }, [{ docid: "shown", roots: ids, root_ids: roots }]);
      tell({ drawn: true });
    } catch (error) {
      tell({ problem: String(error?.message ?? error) });
    }
  });
  tell({ wanting: true });
})();
