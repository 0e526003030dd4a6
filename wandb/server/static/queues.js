// The launch queues of a project: what waits, what runs, and the agents that take it.

import { getJson, path, repeat } from "./api.js";
import { empty, h, replaceIfChanged, setTrail, stateLabel } from "./dom.js";
import { ago, count, moment, number } from "./format.js";
import { plainTable, projectHead } from "./project.js";

const WAIT_MS = 3000;
// Of an agent that was not heard for so long nobody knows whether it still is.
const SILENT_SECONDS = 90;

export function showQueues(main, entity, project) {
  setTrail([entity, "/"], [project, `/${path(entity, project)}`], ["Queues"]);
  const body = h("div", { class: "stack" });
  main.replaceChildren(projectHead(entity, project, "Queues"), body);
  const base = `/${path(entity, project)}`;
  repeat(async () => {
    const answer = await getJson(`/api/projects/${path(entity, project)}/queues`);
    replaceIfChanged(body, [answer, Math.floor(Date.now() / 30_000)], () =>
      answer.queues.length
        ? [...answer.queues.map((queue) => queueCard(base, queue)), agents(answer.agents)]
        : empty("No queues yet. An agent makes one, or wandb.Api().create_run_queue(…)."),
    );
    return WAIT_MS;
  });
}

function queueCard(base, queue) {
  const counts = Object.entries(queue.counts).map(([state, found]) =>
    h("span", null, h("b", null, number(found)), ` ${state.toLowerCase()}`),
  );
  const columns = [["Item", "number"], ["State"], ["Priority", "number"], ["Run"], ["Pushed"], ["What it said"]];
  const rows = [...queue.items]
    .reverse()
    .map((item) => [
      String(item.id),
      stateLabel(item.state),
      String(item.priority),
      item.run ? h("a", { href: `${base}/runs/${encodeURIComponent(item.run)}` }, item.run) : "",
      h("time", { title: moment(item.created_at) }, ago(item.created_at)),
      h("span", { title: item.message }, [item.stage, item.message].filter(Boolean).join(": ").slice(0, 120)),
    ]);
  return h(
    "section",
    { "aria-label": `Queue ${queue.name}` },
    h("div", { class: "head" }, h("h2", null, queue.name), h("p", { class: "facts" }, counts.length ? counts : "empty")),
    rows.length ? plainTable(columns, rows) : null,
  );
}

function agents(found) {
  if (!found.length) return h("p", { class: "hint" }, "No agent serves these queues: start one with `wandb launch-agent`.");
  const now = Date.now() / 1000;
  const rows = found.map((agent) => [
    agent.hostname,
    now - agent.heartbeat_at > SILENT_SECONDS ? stateLabel("silent") : stateLabel(agent.status),
    h("time", { title: moment(agent.heartbeat_at) }, ago(agent.heartbeat_at)),
  ]);
  return h(
    "section",
    { "aria-label": "Agents" },
    h("h2", null, count(found.length, "agent")),
    plainTable([["Machine"], ["State"], ["Last heard"]], rows),
  );
}
