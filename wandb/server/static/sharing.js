// Who sees a project: its access, who of a team is let in, and links for people without an account.

import { getJson, path, postJson } from "./api.js";
import { button, h } from "./dom.js";
import { moment } from "./format.js";
import { showDialog, showSecret } from "./popover.js";
import { plainTable } from "./project.js";

const ACCESSES = {
  PRIVATE: "Everybody of the team",
  RESTRICTED: "Some of the team",
  PUBLIC: "Every user of this server",
};

// `team` are the members of the entity, or null where it is one user's own.
export async function sharingCard(entity, project, team) {
  const address = `/api/projects/${path(entity, project)}/shares`;
  const body = h("div", { class: "padded" });
  const problem = h("p", { class: "error", role: "alert" });
  const change = async (rest, asked) => {
    problem.textContent = "";
    try {
      const answer = await postJson(address + rest, asked);
      await draw();
      return answer;
    } catch (error) {
      problem.textContent = error.message;
    }
  };
  const draw = async () => {
    const found = await getJson(address);
    body.replaceChildren(...accessFields(found, team, change), problem, ...links(found.links, change, project));
  };
  await draw();
  return h("section", { class: "card" }, h("h2", null, "Who sees it"), body);
}

function accessFields(found, team, change) {
  const own = team ? ACCESSES : { PRIVATE: "Only its owner", PUBLIC: ACCESSES.PUBLIC };
  if (!found.may_lead) return [h("p", null, own[found.access])];
  const choice = h(
    "select",
    { "aria-label": "Who sees the project", onchange: () => change("/access", { access: choice.value }) },
    Object.entries(own).map(([value, text]) => h("option", { value, selected: value === found.access }, text)),
  );
  if (found.access !== "RESTRICTED") return [choice];
  // Of all boxes: a second one may be ticked before the first is known.
  const choose = () => change("/access", { people: inputs.filter((box) => box.checked).map((box) => box.value) });
  const inputs = team
    .filter((member) => member.role !== "admin")
    .map(({ name }) => h("input", { type: "checkbox", value: name, checked: found.people.includes(name), onchange: choose }));
  const boxes = inputs.map((box) => h("label", { class: "check" }, box, " ", box.value));
  const hint = "Administrators of the team see it, and these members:";
  return [choice, h("p", { class: "hint" }, hint), h("div", { class: "buttons" }, boxes)];
}

function links(found, change, project) {
  const make = async () => {
    const asked = await askShare(project);
    const answer = asked && (await change("", asked));
    if (answer) await showLink(answer.url);
  };
  const rows = found.map((link) => [
    h("span", { title: `Made ${moment(link.created_at)}` }, link.by),
    link.run ? `run ${link.run}` : "all of it",
    moment(link.expires_at),
    button("End", () => change(`/${link.id}/end`, {}), { class: "quiet", "aria-label": `End the link by ${link.by}` }),
  ]);
  return [
    h("p", { class: "hint" }, "Whoever has a link looks at the project, or at one run, without an account."),
    rows.length ? plainTable([["Link by"], ["Shows"], ["Works until"], ["What to do", "hidden-head"]], rows) : null,
    h("div", { class: "buttons" }, button("Make a link…", make)),
  ].filter(Boolean);
}

// A link that opens the page as it is now, of whatever part of the project; on a run's page of this run alone, if wanted.
export async function sharePage(entity, project, run) {
  const asked = await askShare(project, run);
  if (!asked) return;
  const here = location.pathname + location.search + location.hash;
  const { url } = await postJson(`/api/projects/${path(entity, project)}/shares`, { ...asked, path: here });
  await showLink(url);
}

function askShare(project, run) {
  const days = h("input", { type: "number", min: "1", max: "365", value: "7", required: true, autofocus: true });
  const whole = h("input", { type: "checkbox" });
  const of = run ? run.name : project;
  return showDialog(`Share ${of} with people without an account`, (finish) =>
    h(
      "form",
      {
        class: "stack",
        onsubmit: (event) => {
          event.preventDefault();
          finish({ days: Number(days.value), ...(run && !whole.checked ? { run: run.id } : {}) });
        },
      },
      h("label", { class: "field" }, "Days that the link works", days),
      run ? h("label", { class: "option" }, whole, `With all else of ${project}: other runs, artifacts, sweeps`) : null,
      h(
        "div",
        { class: "buttons" },
        button("Cancel", () => finish()),
        h("button", { type: "submit", class: "primary" }, "Make the link"),
      ),
    ),
  );
}

function showLink(url) {
  return showSecret("The link, shown this once", "Address", url, "It is ended in the project's settings.");
}
