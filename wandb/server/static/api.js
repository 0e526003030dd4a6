// Asking the server, once or again and again.

import { showMissing } from "./dom.js";

const FAILED_WAIT_MS = 5000;
const notice = document.getElementById("notice");

// What the server refuses is an Error with its `status`.
export async function getJson(path) {
  const response = await fetch(path, { cache: "no-cache", credentials: "same-origin" });
  if (response.status === 401) {
    const here = location.pathname + location.search;
    location.assign(`/login?next=${encodeURIComponent(here)}`);
  }
  const body = await response.json();
  if (!response.ok) throw Object.assign(new Error(body.error ?? `the server answered ${response.status}`), { status: response.status });
  return body;
}

export async function post(path) {
  const response = await fetch(path, { method: "POST", credentials: "same-origin" });
  if (!response.ok) throw new Error((await response.json()).error);
}

export async function postJson(path, body) {
  const response = await fetch(path, {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? `the server answered ${response.status}`);
  return answer;
}

export function path(...parts) {
  return parts.map(encodeURIComponent).join("/");
}

// Calls `work` until what the page is about is no more. It returns how many milliseconds to wait; the wait grows with
// what the work costs and a hidden page does not ask at all.
export async function repeat(work) {
  for (;;) {
    const started = performance.now();
    let wait = FAILED_WAIT_MS;
    try {
      wait = await work();
      notice.hidden = true;
    } catch (error) {
      if (error.status === 404) {
        notice.hidden = true;
        showMissing(error.message);
        return;
      }
      // A fetch that reached no server fails with a TypeError.
      notice.textContent = error instanceof TypeError ? "The server does not answer. Trying again…" : error.message;
      notice.hidden = false;
    }
    wait = Math.max(wait, 3 * (performance.now() - started));
    await new Promise((resolve) => setTimeout(resolve, wait));
    if (document.hidden) {
      await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
    }
  }
}
