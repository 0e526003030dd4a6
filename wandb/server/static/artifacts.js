// The artifacts of a project, and one version with its files and where it came from and went.

import { getJson, path, repeat } from "./api.js";
import { h, setTrail } from "./dom.js";
import { ago, bytes, flat, moment, number, value } from "./format.js";
import { LineagePanel } from "./lineage.js";
import { plainTable, projectHead } from "./project.js";

const WAIT_MS = 10_000;

export function showArtifacts(main, entity, project) {
  setTrail([entity, "/"], [project, `/${path(entity, project)}`], ["Artifacts"]);
  const body = h("div");
  main.replaceChildren(projectHead(entity, project, "Artifacts"), body);
  repeat(async () => {
    const { artifacts } = await getJson(`/api/projects/${path(entity, project)}/artifacts`);
    body.replaceChildren(
      artifacts.length
        ? collections(entity, project, artifacts)
        : h("p", { class: "card empty" }, "No run of this project has logged an artifact yet."),
    );
    return WAIT_MS;
  });
}

function collections(entity, project, artifacts) {
  const columns = [["Name"], ["Type"], ["Versions", "number"], ["Latest"], ["Size", "number"], ["Updated"]];
  const rows = artifacts.map((item) => {
    const name = item.latest ? h("a", { href: address(entity, project, item.type, item.name, item.latest) }, item.name) : item.name;
    return [
      name,
      h("span", null, item.type, item.linked ? h("span", { class: "hint" }, " linked") : null),
      number(item.versions),
      item.latest ?? "",
      bytes(item.size),
      h("time", { title: moment(item.updated_at) }, ago(item.updated_at)),
    ];
  });
  return plainTable(columns, rows);
}

function address(entity, project, type, name, version) {
  return `/${path(entity, project, "artifacts", type, name, version)}`;
}

export function showArtifact(main, entity, project, type, name, version) {
  const base = `/${path(entity, project)}`;
  setTrail([entity, "/"], [project, base], ["Artifacts", `${base}/artifacts`], [`${name}:${version}`]);
  repeat(async () => {
    const found = await getJson(`/api/projects/${path(entity, project)}/artifacts/${path(name, version)}`);
    const text = JSON.stringify({ ...found, files: found.files.map((file) => file.name) });
    if (main.source !== text) main.replaceChildren(...artifactPage(entity, project, found));
    main.source = text;
    return WAIT_MS;
  });
}

function artifactPage(entity, project, found) {
  const lineage = new LineagePanel(entity, project, new URLSearchParams({ artifact: `${found.name}:${found.version}` }));
  lineage.refresh();
  const own = found.versions.find((item) => item.version === found.version);
  const facts = [
    ["Type", found.type],
    ["Size", bytes(found.size)],
    ["Files", number(found.file_count)],
    ["Made", moment(found.created_at)],
    ["Digest", found.digest],
  ];
  return [
    h(
      "div",
      { class: "head" },
      h("h1", null, `${found.name}:${found.version}`),
      [...own.aliases, ...found.tags].map((text) => h("span", { class: "tag" }, text)),
    ),
    h(
      "p",
      { class: "facts" },
      facts.map(([label, text]) => h("span", null, `${label} `, h("b", null, text))),
    ),
    h(
      "p",
      { class: "facts" },
      h("span", null, "In Python ", h("code", null, `run.use_artifact("${entity}/${project}/${found.name}:${found.version}")`)),
    ),
    found.description ? h("p", null, found.description) : null,
    lineage.element,
    h(
      "div",
      { class: "columns wide" },
      h(
        "section",
        null,
        h("h2", null, "Files"),
        found.files.length ? fileTable(found) : h("p", { class: "card empty" }, "It has only references."),
      ),
      h("section", null, h("h2", null, "Versions"), versionTable(entity, project, found), metadata(found.metadata)),
    ),
  ].filter(Boolean);
}

function fileTable(found) {
  const rows = found.files.map((file) => [h("a", { href: file.url, download: "" }, file.name), bytes(file.size)]);
  const table = plainTable([["Name"], ["Size", "number"]], rows);
  if (found.file_count > found.files.length)
    table.append(h("p", { class: "hint" }, `The first ${number(found.files.length)} of ${number(found.file_count)} files.`));
  return table;
}

function versionTable(entity, project, found) {
  const rows = found.versions.map((item) => [
    item.version === found.version
      ? h("b", null, item.version)
      : h("a", { href: address(entity, project, found.type, found.name, item.version) }, item.version),
    h(
      "span",
      null,
      item.aliases.map((alias) => h("span", { class: "tag" }, alias)),
    ),
    bytes(item.size),
    h("time", { title: moment(item.created_at) }, ago(item.created_at)),
  ]);
  return plainTable([["Version"], ["Aliases"], ["Size", "number"], ["Made"]], rows);
}

function metadata(object) {
  const entries = flat(object);
  if (!entries.length) return null;
  return h(
    "section",
    null,
    h("h2", null, "Metadata"),
    h(
      "div",
      { class: "card" },
      h(
        "table",
        { class: "pairs" },
        h(
          "tbody",
          null,
          entries.map(([key, item]) => h("tr", null, h("td", null, key), h("td", { class: "mono" }, value(item)))),
        ),
      ),
    ),
  );
}
