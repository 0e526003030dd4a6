// Light, dark or what the system says. A classic script, so that no page is drawn in the wrong colours first.

(() => {
  let chosen = null;
  try {
    chosen = JSON.parse(localStorage.getItem("wandb.theme"));
  } catch {
    // Without storage the system decides.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
