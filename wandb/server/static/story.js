// The log's own story: what the writer has committed, what this server acknowledged, and after which crash it was recovered.

import { h } from "./dom.js";
import { count, moment, number } from "./format.js";

// `run.log` is what the uploader tells of the log; runs of other clients have none.
export function logStory(run) {
  const log = run.log;
  if (!log) return null;
  const items = [];
  for (const session of log.sessions ?? []) {
    items.push([session.started, `Session ${session.number} began${session.host ? ` on ${session.host}` : ""}, process ${session.pid}.`, "began"]);
    if (session.lost) items.push([session.lost.time, `Recovered: ${session.lost.evidence}.${session.lost.lost_records ? ` ${count(session.lost.lost_records, "record")} of it are missing.` : " Nothing is missing."}`, session.lost.lost_records ? "bad" : "recovered"]);
    else if (session.exit !== undefined && session.exit !== null) items.push([session.ended, `Finished with exit code ${session.exit}; the log was closed.`, session.exit === 0 ? "good" : "bad"]);
  }
  const facts = [
    ["Records in the log", number(log.committed)],
    ["Acknowledged here", `${number(run.rows)} rows, ${number(run.log_lines)} lines of output`],
    ["Lost", log.lost_records ? count(log.lost_records, "record") : "none"],
  ];
  return h("section", { class: "card story" }, h("h2", null, "The log’s story"),
    h("ol", null, items.map(([time, text, kind]) => h("li", { class: kind }, text, " ", time ? h("time", { class: "hint" }, moment(time)) : null))),
    h("table", { class: "pairs" }, h("tbody", null, facts.map(([label, text]) => h("tr", null, h("th", { scope: "row" }, label), h("td", null, text))))));
}
