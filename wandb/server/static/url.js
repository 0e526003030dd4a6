// What a page shows, kept in its address: a link that somebody copies shows what they saw.

export class View {
  // `defaults` says what there is and of which type; what equals its default is left out of the address.
  constructor(defaults) {
    this.defaults = defaults;
    this.listeners = new Set();
    this.#read();
    addEventListener("popstate", () => {
      this.#read();
      this.listeners.forEach((listener) => listener(Object.keys(this.defaults)));
    });
  }

  #read() {
    const query = new URLSearchParams(location.search);
    this.values = {};
    for (const [name, standard] of Object.entries(this.defaults)) this.values[name] = parsed(query.get(name), standard);
  }

  get(name) {
    return this.values[name];
  }

  // Changes some values; listeners are told which.
  set(changes) {
    const changed = Object.keys(changes).filter((name) => JSON.stringify(changes[name]) !== JSON.stringify(this.values[name]));
    if (!changed.length) return;
    Object.assign(this.values, changes);
    history.replaceState(history.state, "", this.address());
    this.listeners.forEach((listener) => listener(changed));
  }

  toggle(name, item) {
    const items = this.get(name);
    this.set({ [name]: items.includes(item) ? items.filter((other) => other !== item) : [...items, item] });
  }

  // Parameters that other parts of the page own are kept.
  address() {
    const query = new URLSearchParams(location.search);
    for (const [name, standard] of Object.entries(this.defaults)) {
      const value = this.values[name];
      if (JSON.stringify(value) === JSON.stringify(standard)) query.delete(name);
      else query.set(name, written(value));
    }
    // Both may stand in an address as they are, and people read it.
    const text = query.toString().replaceAll("%2F", "/").replaceAll("%2C", ",");
    return location.pathname + (text ? `?${text}` : "") + location.hash;
  }

  listen(listener) {
    this.listeners.add(listener);
  }
}

function written(value) {
  if (Array.isArray(value)) return value.map((item) => item.replace(/[%,]/g, encodeURIComponent)).join(",");
  return value !== null && typeof value === "object" ? JSON.stringify(value) : String(value ?? "");
}

function parsed(text, standard) {
  if (text === null) return standard;
  if (Array.isArray(standard)) return text ? text.split(",").map(decoded) : [];
  if (typeof standard === "number") return Number.isFinite(Number(text)) ? Number(text) : standard;
  if (typeof standard === "boolean") return text === "true";
  if (standard !== null && typeof standard === "object") {
    try {
      return JSON.parse(text);
    } catch {
      return standard;
    }
  }
  return text;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// What one person likes on one machine: widths and switches that are no part of what is shown.
export function remembered(name, standard) {
  try {
    return JSON.parse(localStorage.getItem(`wandb.${name}`)) ?? standard;
  } catch {
    return standard;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`wandb.${name}`, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing still shows everything.
  }
}

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
