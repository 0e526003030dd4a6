// Who sees a project: its access, who of a team is let in, and links for people without an account.

import { getJson, path, postJson } from "./api.js";
import { button, h } from "./dom.js";
import { moment } from "./format.js";
import { askText, showDialog } from "./popover.js";
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
  const boxes = team
    .filter((member) => member.role !== "admin")
    .map((member) => {
      const box = h("input", { type: "checkbox", value: member.name, checked: found.people.includes(member.name) });
      box.addEventListener("change", () => {
        const rest = found.people.filter((name) => name !== member.name);
        change("/access", { people: box.checked ? [...rest, member.name] : rest });
      });
      return h("label", { class: "check" }, box, " ", member.name);
    });
  const hint = "Administrators of the team see it, and these members:";
  return [choice, h("p", { class: "hint" }, hint), h("div", { class: "buttons" }, boxes)];
}

function links(found, change, project) {
  const make = async () => {
    const days = await askText(`A link to ${project}`, "Days that it works", "7", "Make the link");
    if (!days) return;
    const answer = await change("", { days: Number(days) });
    if (answer) await showLink(answer.url);
  };
  const rows = found.map((link) => [
    `by ${link.by}, ${moment(link.created_at)}`,
    `until ${moment(link.expires_at)}`,
    button("End", () => change(`/${link.id}/end`, {}), { class: "quiet", "aria-label": `End the link by ${link.by}` }),
  ]);
  return [
    h("p", { class: "hint" }, "Whoever has a link looks at the project, without an account."),
    rows.length ? plainTable([["Link"], ["Works"], ["What to do", "hidden-head"]], rows) : null,
    h("div", { class: "buttons" }, button("Make a link…", make)),
  ].filter(Boolean);
}

function showLink(url) {
  return showDialog("The link, shown this once", (finish) => [
    h("label", { class: "field" }, "Address", h("input", { value: url, readonly: true, onfocus: (event) => event.target.select() })),
    h("div", { class: "buttons" }, button("Done", () => finish(true), { class: "primary" })),
  ]);
}
