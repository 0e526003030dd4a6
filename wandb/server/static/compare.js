// Runs side by side: what differs in their configs and summaries, in their code and surroundings.

import { getJson, path } from "./api.js";
import { diffView } from "./diff.js";
import { empty, h, setTrail, stateLabel } from "./dom.js";
import { textOf } from "./files.js";
import { duration, flat, moment, value } from "./format.js";
import { byName, searcher } from "./names.js";
import { View } from "./url.js";

const RUNS_MAX = 8;
const CODE = /^code\/|\.(patch|diff)$|^requirements\.txt$|^conda-environment\.yaml$/;

export async function showComparison(main, entity, project) {
  const home = `/${path(entity, project)}`;
  setTrail([entity, "/"], [project, home], ["Compare"]);
  const view = new View({ runs: [], differ: true, key: "", before: "", after: "" });
  const ids = view.get("runs").slice(0, RUNS_MAX);
  if (ids.length < 2) {
    main.replaceChildren(
      empty("Choose two runs or more in the table of the project, then Compare. ", h("a", { href: home }, "To the runs")),
    );
    return;
  }
  const base = (id) => `/api/runs/${path(entity, project, id)}`;
  const runs = await Promise.all(ids.map((id) => getJson(base(id))));
  const only = h("input", { type: "checkbox", onchange: () => view.set({ differ: only.checked }) });
  only.checked = view.get("differ");
  const search = h("input", {
    type: "search",
    placeholder: "Search keys",
    "aria-label": "Search keys",
    value: view.get("key"),
    oninput: () => view.set({ key: search.value }),
  });
  const tables = h("div", { class: "card scroll" });
  const draw = () => tables.replaceChildren(comparison(runs, home, view));
  view.listen((changed) => (changed.includes("differ") || changed.includes("key")) && draw());
  draw();
  const code = h("section", { class: "stack", "aria-label": "Code" });
  main.replaceChildren(
    h(
      "div",
      { class: "head" },
      h("h1", null, `${runs.length} runs side by side`),
      h("a", { class: "button", href: `${home}?runs=${ids.map(encodeURIComponent).join(",")}` }, "Their charts"),
    ),
    h("div", { class: "tools" }, search, h("label", null, only, "Only what differs")),
    tables,
    h("h2", null, "Code"),
    code,
  );
  await showCode(code, runs, (run) => `/files/${path(entity, project, run.id)}`, base, view);
}

function comparison(runs, home, view) {
  const matches = searcher(view.get("key"));
  const facts = runs.map((run) => [
    ["State", run.ending],
    ["Started", moment(run.created_at)],
    ["Ran for", duration(run.seconds)],
    ["Group", run.group],
    ["Job type", run.job_type],
    ["Tags", run.tags.join(", ")],
    ["Host", run.host],
    ["Commit", run.commit],
  ]);
  const groups = [
    ["About", facts],
    ["Config", runs.map((run) => flat(run.config))],
    ["Summary", runs.map((run) => flat(run.summary).filter(([key]) => !key.startsWith("_")))],
  ];
  const head = h(
    "tr",
    null,
    h("th", { scope: "col", class: "hidden-head" }, "Key"),
    runs.map((run) =>
      h("th", { scope: "col" }, h("a", { href: `${home}/runs/${encodeURIComponent(run.id)}` }, run.name), " ", stateLabel(run.state)),
    ),
  );
  const bodies = groups.map(([name, entries]) =>
    rowsOf(
      name,
      entries.map((pairs) => new Map(pairs)),
      view.get("differ"),
      matches,
    ),
  );
  return h("table", { class: "comparison" }, h("thead", null, head), bodies.filter(Boolean));
}

function rowsOf(name, columns, onlyDiffering, matches) {
  const keys = [...new Set(columns.flatMap((column) => [...column.keys()]))].filter(matches);
  if (name !== "About") keys.sort(byName);
  const rows = keys.flatMap((key) => {
    const items = columns.map((column) => column.get(key));
    const differs = new Set(items.map((item) => JSON.stringify(item))).size > 1;
    if (onlyDiffering && !differs) return [];
    // The best and the worst of numbers is for the reader to say; the largest is only marked as such.
    const numbers = items.filter((item) => typeof item === "number");
    const largest = differs && numbers.length === items.length ? Math.max(...numbers) : undefined;
    return [
      h(
        "tr",
        { class: differs ? "differs" : null },
        h("th", { scope: "row" }, key),
        items.map((item) =>
          h(
            "td",
            { class: item !== undefined && item === largest ? "mono largest" : "mono" },
            item === undefined ? h("span", { class: "hint" }, "–") : value(item),
          ),
        ),
      ),
    ];
  });
  if (!rows.length) return null;
  return h("tbody", null, h("tr", { class: "group-row" }, h("th", { scope: "rowgroup", colspan: columns.length + 1 }, name)), rows);
}

async function showCode(place, runs, filesOf, base, view) {
  const lists = new Map(
    await Promise.all(
      runs.map(async (run) => [
        run.id,
        (await getJson(`${base(run.id)}/files`)).files.map((file) => file.name).filter((name) => CODE.test(name)),
      ]),
    ),
  );
  if (![...lists.values()].some((names) => names.length)) {
    place.replaceChildren(h("p", { class: "hint" }, "None of these runs kept code."));
    return;
  }
  const choice = (name, standard) => {
    const known = runs.some((run) => run.id === view.get(name)) ? view.get(name) : standard;
    const select = h(
      "select",
      {
        "aria-label": name === "before" ? "From" : "To",
        onchange: () => {
          view.set({ [name]: select.value });
          draw();
        },
      },
      runs.map((run) => h("option", { value: run.id, selected: run.id === known }, run.name)),
    );
    return select;
  };
  const [before, after] = [choice("before", runs[0].id), choice("after", runs[1].id)];
  const body = h("div", { class: "stack" });
  const read = async (id, name) =>
    lists.get(id).includes(name)
      ? textOf(`${filesOf(runs.find((run) => run.id === id))}/${name.split("/").map(encodeURIComponent).join("/")}`)
      : "";
  const draw = async () => {
    const names = [...new Set([...lists.get(before.value), ...lists.get(after.value)])].sort(byName);
    const [from, to] = [before.value, after.value];
    const views = await Promise.all(
      names.map(async (name) => {
        const [old, now] = await Promise.all([read(from, name), read(to, name)]);
        const equal = old === now;
        return h(
          "details",
          { class: "card section", open: !equal },
          h("summary", null, name, " ", equal ? h("small", null, "equal") : null),
          diffView(name, old, now),
        );
      }),
    );
    body.replaceChildren(...views);
  };
  place.replaceChildren(h("div", { class: "tools" }, h("label", null, "From", before), h("label", null, "to", after)), body);
  await draw();
}
