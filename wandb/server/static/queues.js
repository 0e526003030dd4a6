// The launch queues of a project: what runs, what waits, what has ended, and the agents that take it.

import { getJson, path, post, repeat } from "./api.js";
import { button, empty, h, replaceIfChanged, setTrail, stateLabel } from "./dom.js";
import { ago, count, moment, number } from "./format.js";
import { plainTable, projectHead } from "./project.js";

const WAIT_MS = 3000;
// Of an agent that was not heard for so long nobody knows whether it still is.
const SILENT_SECONDS = 90;
// Each state as people say it, and the state of a run that is shown as this one is.
const STATES = {
  CLAIMED: ["running", "running"],
  LEASED: ["being prepared", "pending"],
  PENDING: ["waiting", "pending"],
  FINISHED: ["finished", "finished"],
  FAILED: ["failed", "failed"],
};
const OVER = new Set(["FINISHED", "FAILED"]);

export function showQueues(main, entity, project) {
  setTrail([entity, "/"], [project, `/${path(entity, project)}`], ["Queues"]);
  const body = h("div", { class: "stack" });
  main.replaceChildren(projectHead(entity, project, "Queues"), body);
  const source = `/api/projects/${path(entity, project)}/queues`;
  const draw = async () => {
    const answer = await getJson(source);
    const machines = new Map(answer.agents.map((agent) => [agent.id, agent.hostname]));
    const remove = async (item) => {
      await post(`${source}/${item.id}/remove`);
      await draw();
    };
    replaceIfChanged(body, [answer, Math.floor(Date.now() / 30_000)], () =>
      answer.queues.length
        ? [...answer.queues.map((queue) => queueCard(queue, machines, remove)), agents(answer.agents)]
        : empty("No queues yet. Make one with ", h("code", null, "wandb queue create NAME"), ", or start ", h("code", null, "wandb superagent"), "."),
    );
    return WAIT_MS;
  };
  repeat(draw);
}

function queueCard(queue, machines, remove) {
  const counts = Object.entries(STATES)
    .filter(([state]) => queue.counts[state])
    .map(([state, [word]]) => h("span", null, h("b", null, number(queue.counts[state])), ` ${word}`));
  const columns = [["Job", "number"], ["State"], ["What"], ["Priority", "number"], ["Run"], ["Machine"], ["Pushed"], ["What happened"], ["What to do", "hidden-head"]];
  const rows = queue.items.map((item) => [
    String(item.id),
    state(item.state),
    item.what,
    String(item.priority),
    item.run ? h("a", { href: `/${path(item.run.entity, item.run.project)}/runs/${encodeURIComponent(item.run.id)}` }, item.run.id) : "",
    machines.get(item.agent_id) ?? "",
    h("time", { title: moment(item.created_at) }, ago(item.created_at)),
    story(item),
    OVER.has(item.state) ? "" : button(item.state === "PENDING" ? "Remove" : "End", () => remove(item), { "aria-label": `Remove job ${item.id}` }),
  ]);
  return h(
    "section",
    { "aria-label": `Queue ${queue.name}` },
    h("div", { class: "head" }, h("h2", null, queue.name), h("p", { class: "facts" }, counts.length ? counts : "empty")),
    rows.length ? plainTable(columns, rows) : null,
  );
}

function state(name) {
  const [word, like] = STATES[name] ?? [name.toLowerCase(), ""];
  return h("span", { class: `state ${like}` }, word);
}

// The last that was said of an item, and all events behind it.
function story(item) {
  const last = item.events.at(-1);
  const ended = [last?.what, item.exit_code ? `exit code ${item.exit_code}` : ""].filter(Boolean).join(", ");
  const said = item.message ? [item.stage, item.message].filter(Boolean).join(": ") : ended;
  const events = item.events.map((event) =>
    h("li", null, h("time", { title: moment(event.at) }, ago(event.at)), ` ${[event.what, event.run, event.message].filter(Boolean).join(", ")}`),
  );
  return h("details", null, h("summary", { title: said }, said.split("\n").at(-1).slice(0, 80)), h("ol", null, events));
}

function agents(found) {
  if (!found.length) return h("p", { class: "hint" }, "No agent serves these queues: start one with ", h("code", null, "wandb superagent"), ".");
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
