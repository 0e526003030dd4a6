// The log's own story: its sessions, after which crash it was recovered, and what this server has acknowledged of it.

import { h } from "./dom.js";
import { count, moment, number } from "./format.js";
import { pairTable } from "./pairs.js";

const CAUSES = { died: "The writer died", rebooted: "The machine went down", unknown: "The writer was lost" };

// `run.sessions` is what the uploader tells; a log of one session that ended well tells nothing.
export function logStory(run) {
  const items = run.sessions
    .filter((session) => session && typeof session === "object")
    .flatMap((session) => [began(session), ...ended(session)]);
  const facts = [
    ["Acknowledged", [count(run.rows, "row"), `${number(run.events)} of the machine`, count(run.log_lines, "line")].join(", ")],
    ["Until", moment(run.heartbeat_at)],
  ];
  return h(
    "section",
    { class: "card story" },
    h("h2", null, "The log’s story"),
    items.length ? h("ol", null, items) : null,
    pairTable(facts),
    h("p", { class: "hint padded" }, "What is acknowledged is on disk here; and it was on the writer’s before it was sent."),
  );
}

function began({ number: which, time, host, pid, step }) {
  const place = [host && `on ${host}`, pid && `process ${pid}`].filter(Boolean).join(", ");
  return item("began", `Session ${which} began${step ? ` at step ${number(step)}` : ""}${place ? ` ${place}` : ""}.`, time);
}

function ended({ exit, lost }) {
  const items = [];
  if (exit)
    items.push(
      item(
        exit.code === 0 ? "good" : "bad",
        exit.code === 0 ? "It finished, and closed the log." : `It ended with exit code ${exit.code}, and closed the log.`,
        exit.time,
      ),
    );
  if (!lost) return items;
  const missing = lost.lost_records ? `${count(lost.lost_records, "record")} could not be found again` : "nothing is missing";
  items.push(
    item(
      lost.lost_records ? "bad" : "recovered",
      `${CAUSES[lost.cause] ?? CAUSES.unknown}; the log was recovered, ${missing}.`,
      lost.time,
      lost.evidence,
    ),
  );
  return items;
}

function item(kind, text, time, evidence) {
  return h(
    "li",
    { class: kind },
    text,
    " ",
    time ? h("time", { class: "hint" }, moment(time)) : null,
    evidence ? h("p", { class: "hint" }, evidence) : null,
  );
}
