/**
 * The people page: who may sign in, and as what. For administrators.
 * @module
 */

import { button, choice, field, make } from "./elements.js";
import { frame, keyboard, openDialog, say, signedIn, teaching } from "./page.js";
import { addPerson, changePerson, people } from "./service.js";
import { moment } from "./telling.js";
import { machines } from "./tokens.js";
import { WORDS } from "./words.js";

const ROLES = /** @type {ReadonlyArray<readonly [string, string]>} */ (Object.entries(WORDS.roles));

async function show() {
  const said = await signedIn();
  const { main } = frame({ session: said, here: "people", help: keyboard([]) });
  const body = make("tbody");
  const table = make(
    "table",
    { class: "people" },
    make("thead", {}, make("tr", {}, ...[WORDS.persons.name, WORDS.persons.role, WORDS.persons.state, WORDS.persons.changed, WORDS.persons.actions]
      .map((text) => make("th", { scope: "col" }, text)))),
    body,
  );
  main.append(make("section", { class: "sheet" }, make("h1", {}, WORDS.persons.title), make("div", { class: "scroll" }, table), adding(fill)), machines());
  await fill();

  async function fill() {
    let all;
    try {
      all = await people();
    } catch (error) {
      main.replaceChildren(teaching(WORDS.errors.title, [error instanceof Error ? error.message : String(error)]));
      return;
    }
    body.replaceChildren(...all.map((one) => line(one, one.name === said.user.name, fill)));
  }
}

/**
 * @param {import("./service.js").Account} one
 * @param {boolean} self
 * @param {() => Promise<void>} again
 */
function line(one, self, again) {
  const role = make("select", { "aria-label": WORDS.persons.roleOf(one.name), disabled: self });
  for (const [value, text] of ROLES) role.append(make("option", { value, selected: value === one.role }, text));
  /** @param {Parameters<typeof changePerson>[1]} wanted */
  const change = async (wanted) => {
    try {
      await changePerson(one.name, wanted);
      say(WORDS.persons.done);
    } catch (error) {
      say(error);
    }
    await again();
  };
  role.addEventListener("change", () => change({ role: role.value }));
  return make(
    "tr",
    { class: one.active ? "" : "inactive" },
    make("th", { scope: "row" }, one.name, self && make("span", { class: "hint" }, ` (${WORDS.persons.self})`)),
    make("td", {}, role),
    make("td", {}, one.active ? WORDS.persons.active : WORDS.persons.inactive),
    make("td", { class: "number" }, one.changed_at ? moment(one.changed_at) : WORDS.absent),
    make("td", {}, make(
      "div",
      { class: "actions" },
      !self && button(one.active ? WORDS.persons.lock : WORDS.persons.unlock, () => change({ active: !one.active }),
        { "aria-label": `${one.active ? WORDS.persons.lock : WORDS.persons.unlock}: ${one.name}` }),
      !self && button(WORDS.persons.newPassword, () => askPassword(one.name, (password) => change({ password })),
        { "aria-label": WORDS.persons.passwordOf(one.name) }),
    )),
  );
}

/**
 * @param {string} name
 * @param {(password: string) => void} told
 */
function askPassword(name, told) {
  const password = field(WORDS.password.new, { name: "reset", type: "password", autocomplete: "new-password", required: true, minlength: 12 }, WORDS.persons.passwordHint);
  const form = make("form", {}, password.box, make("button", { class: "main" }, WORDS.save));
  const dialog = openDialog(WORDS.persons.passwordOf(name), [form], "small");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    told(password.input.value);
  });
}

/** @param {() => Promise<void>} again */
function adding(again) {
  const name = field(WORDS.persons.name, { name: "name", required: true, maxlength: 64, autocomplete: "off" });
  const password = field(WORDS.persons.password, { name: "password", type: "password", required: true, minlength: 12, autocomplete: "new-password" }, WORDS.persons.passwordHint);
  const means = /** @type {Record<string, string>} */ (WORDS.persons.means);
  const role = choice(WORDS.persons.role, "role", ROLES.map(([value, text]) => /** @type {const} */ ([value, `${text}: ${means[value]}`])), "physician");
  const wrong = make("p", { class: "wrong", role: "alert" });
  const form = make("form", { class: "adding" }, make("h2", {}, WORDS.persons.add), name.box, role.box, password.box, wrong, make("button", { class: "main" }, WORDS.persons.run));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    wrong.textContent = "";
    try {
      await addPerson({ name: name.input.value, role: role.select.value, password: password.input.value });
      say(WORDS.persons.added(name.input.value));
      form.reset();
      await again();
    } catch (error) {
      wrong.textContent = error instanceof Error ? error.message : String(error);
    }
  });
  return form;
}

show().catch(say);
