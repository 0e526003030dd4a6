// What can be said of a project, of its team, and of the user's own account.

import { getJson, path, postJson } from "./api.js";
import { button, h, setTrail, tag } from "./dom.js";
import { moment } from "./format.js";
import { pairTable } from "./pairs.js";
import { ask, askText, showSecret } from "./popover.js";
import { plainTable, projectHead } from "./project.js";
import { sharingCard } from "./sharing.js";

const ROLES = ["viewer", "member", "admin"];

export async function showSettings(main, entity, project) {
  setTrail([entity, "/"], [project, `/${path(entity, project)}`], ["Settings"]);
  const address = `/api/projects/${path(entity, project)}/settings`;
  const body = h("div", { class: "columns settings" });
  main.replaceChildren(projectHead(entity, project, "Settings"), body);
  const draw = async () => {
    const found = await getJson(address);
    const change = async (asked) => {
      await postJson(address, asked);
      await draw();
    };
    const sharing = found.may_change ? await sharingCard(entity, project, found.team) : null;
    body.replaceChildren(
      ...[
        projectCard(entity, project, found, address, change),
        sharing,
        policyCard(found, change),
        found.team ? teamCard(entity, found.team, found.may_lead, draw) : null,
      ].filter(Boolean),
    );
  };
  await draw();
}

function projectCard(entity, project, found, address, change) {
  const text = h("textarea", {
    rows: "3",
    "aria-label": "Description",
    placeholder: "What this project is about",
    disabled: !found.may_change,
  });
  text.value = found.description;
  const save = button("Save", () => change({ description: text.value }), { class: "primary" });
  const rename = async () => {
    const name = await askText("Rename the project", "Name", project, "Rename");
    if (!name || name === project) return;
    await postJson(address, { name });
    location.assign(`/${path(entity, name)}/settings`);
  };
  const remove = async () => {
    if (!(await ask(`Delete ${entity}/${project}?`, "Its runs, artifacts, sweeps and queues are deleted for good.", "Delete the project")))
      return;
    await postJson(address, { delete: true });
    location.assign("/");
  };
  const buttons = found.may_change
    ? h(
        "div",
        { class: "buttons" },
        save,
        button("Rename…", rename),
        h("span", { class: "space" }),
        button("Delete…", remove, { class: "danger" }),
      )
    : null;
  return h(
    "section",
    { class: "card" },
    h("h2", null, "Project"),
    h(
      "div",
      { class: "padded" },
      h("p", { class: "hint" }, `Made ${moment(found.created_at)}. ${found.may_change ? "" : "You may look at it, but not change it."}`),
      text,
      buttons,
    ),
  );
}

// What the project says of settings of runs, and what wider scopes say.
function policyCard(found, change) {
  const own = found.policies.find((policy) => policy.scope === "project");
  const rows = found.policies.flatMap((policy) =>
    Object.entries(policy.settings).map(([name, entry]) => [
      name,
      h(
        "span",
        null,
        h("code", null, JSON.stringify(entry.value)),
        " ",
        entry.enforced ? tag("enforced") : null,
        " ",
        h("span", { class: "hint" }, `${policy.scope}, by ${policy.by}`),
      ),
    ]),
  );
  const text = h("textarea", { rows: "5", class: "mono", spellcheck: "false", "aria-label": "Policy as JSON" });
  text.value = JSON.stringify(own?.settings ?? {}, null, 2);
  const problem = h("p", { class: "error", role: "alert" });
  const save = () => change({ policy: text.value }).catch((error) => (problem.textContent = error.message));
  const edit = found.may_lead
    ? [
        h("p", { class: "hint" }, 'For every run here: {"console": {"value": "off", "enforced": true}}'),
        text,
        problem,
        h("div", { class: "buttons" }, button("Save", save, { class: "primary" })),
      ]
    : [];
  return h(
    "section",
    { class: "card" },
    h("h2", null, "Settings of runs"),
    rows.length ? pairTable(rows) : h("p", { class: "hint padded" }, "Nothing is said for all runs; each script decides."),
    h("div", { class: "padded" }, edit),
  );
}

function teamCard(team, members, mayLead, changed) {
  const address = `/api/teams/${encodeURIComponent(team)}`;
  const change = async (asked) => {
    await postJson(address, asked);
    await changed();
  };
  const role = (member) => {
    const choice = h(
      "select",
      { "aria-label": `Role of ${member.name}`, onchange: () => change({ user: member.name, role: choice.value }) },
      ROLES.map((name) => h("option", { value: name, selected: name === member.role }, name)),
    );
    return mayLead && !member.service ? choice : member.role;
  };
  const remove = async (member) => {
    if (await ask(`Take ${member.name} out of ${team}?`, "Runs that they made stay.", "Take out"))
      await change({ user: member.name, role: null });
  };
  const rows = members.map((member) => [
    h("span", null, member.name, member.service ? [" ", tag("service account")] : null),
    role(member),
    mayLead ? button("Take out…", () => remove(member), { class: "quiet" }) : "",
  ]);
  const add = async () => {
    const name = await askText(`Add somebody to ${team}`, "User name", "", "Add as member");
    if (name) await change({ user: name, role: "member" });
  };
  const addService = async () => {
    const description = await askText(`A service account of ${team}`, "What it is for", "", "Make the account");
    if (description === undefined) return;
    const { name, key } = await postJson(`${address}/service-accounts`, { description });
    await changed();
    await showSecret(`The key of ${name}, shown this once`, "API key", key, "For machines, which log in with it as a member of the team.");
  };
  const buttons = h("span", null, button("Service account…", addService, { class: "quiet" }), " ", button("Add…", add));
  return h(
    "section",
    { class: "card" },
    h("h2", { class: "with-button" }, `Team ${team}`, mayLead ? buttons : null),
    plainTable([["Name"], ["Role"], ["What to do", "hidden-head"]], rows),
  );
}

export async function showAccount(main) {
  setTrail(["Account"]);
  const body = h("div", { class: "columns settings" });
  main.replaceChildren(h("div", { class: "head" }, h("h1", null, "Account")), body);
  const draw = async () => {
    const account = await getJson("/api/account");
    const remove = async (key) => {
      if (!(await ask(`Delete the key …${key.hint}?`, "Whoever uses it cannot log in with it any more.", "Delete"))) return;
      await postJson("/api/account/forget-key", { id: key.id });
      await draw();
    };
    const makeKey = async () => {
      const { key } = await postJson("/api/account/keys", {});
      await draw();
      await showSecret("Your new key, shown this once", "API key", key, `wandb login --host ${location.origin}`);
    };
    const makeTeam = async () => {
      const name = await askText("A new team", "Name", "", "Make the team");
      if (!name) return;
      await postJson("/api/account/teams", { name });
      await draw();
    };
    const keys = account.keys.map((key) => [
      h("code", null, `…${key.hint}`),
      account.keys.length > 1 ? button("Delete…", () => remove(key), { class: "quiet" }) : "",
    ]);
    body.replaceChildren(
      h(
        "section",
        { class: "card" },
        h("h2", { class: "with-button" }, account.name, button("Make a team…", makeTeam)),
        pairTable([
          ["Rights", account.admin ? "administrator of this server" : "user"],
          ["Own entity", h("a", { href: `/${path(account.name)}` }, account.name)],
          ["Log in from a script", h("code", null, `wandb login --host ${location.origin}`)],
        ]),
      ),
      h(
        "section",
        { class: "card" },
        h("h2", { class: "with-button" }, "API keys", button("Make a key…", makeKey)),
        plainTable([["Key"], ["What to do with it", "hidden-head"]], keys),
        h("p", { class: "hint padded" }, "Keys are kept as hashes, of which these are the last characters."),
      ),
      ...account.teams.map((team) => teamCard(team.name, team.members, team.may_lead, draw)),
    );
  };
  await draw();
}
