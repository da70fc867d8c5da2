/**
 * The part of the people page about machines: their access tokens, made, shown once, revoked.
 * @module
 */

import { button, choice, field, make } from "./elements.js";
import { openDialog, say } from "./page.js";
import { ask } from "./service.js";
import { moment } from "./telling.js";
import { WORDS } from "./words.js";
import { WORDS as MACHINES } from "./words_people.js";

/**
 * @typedef {{id: string, name: string, role: string, made_by: string, made_at: string, used_at: string,
 *   revoked_at: string}} Token
 */

const ROLES = /** @type {ReadonlyArray<readonly [string, string]>} */ (Object.entries(WORDS.roles)).filter(([role]) => role in MACHINES.means);

/**
 * Show all tokens, and a form for another.
 * @returns {HTMLElement}
 */
export function machines() {
  const body = make("tbody");
  const head = [MACHINES.name, MACHINES.role, MACHINES.made, MACHINES.used, MACHINES.state, MACHINES.actions];
  const table = make(
    "table",
    { class: "people" },
    make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
    body,
  );
  const none = make("p", { class: "hint" }, MACHINES.none);
  const scroll = make("div", { class: "scroll" }, table);

  async function fill() {
    try {
      /** @type {Token[]} */
      const all = (await (await ask("/tokens")).json()).tokens;
      body.replaceChildren(...all.map((one) => line(one, fill)));
      scroll.hidden = all.length === 0;
      none.hidden = all.length > 0;
    } catch (error) {
      say(error);
    }
  }

  scroll.hidden = true;
  fill();
  return make(
    "section",
    { class: "sheet", "aria-labelledby": "machines" },
    make("h2", { id: "machines" }, MACHINES.title),
    make("p", { class: "hint" }, MACHINES.hint),
    none,
    scroll,
    adding(fill),
  );
}

/**
 * @param {Token} one
 * @param {() => Promise<void>} again
 */
function line(one, again) {
  const roles = /** @type {Record<string, string>} */ (WORDS.roles);
  const revoke = button(MACHINES.revoke, () => askRevoke(one, again), { "aria-label": MACHINES.revokeOf(one.name) });
  return make(
    "tr",
    { class: one.revoked_at ? "inactive" : "" },
    make("th", { scope: "row" }, one.name),
    make("td", {}, roles[one.role] ?? one.role),
    make("td", { class: "number" }, moment(one.made_at), make("span", { class: "hint" }, ` ${MACHINES.by(one.made_by)}`)),
    make("td", { class: "number" }, one.used_at ? moment(one.used_at) : MACHINES.never),
    make("td", { class: "number" }, one.revoked_at ? `${MACHINES.revoked} ${moment(one.revoked_at)}` : MACHINES.active),
    make("td", {}, make("div", { class: "actions" }, !one.revoked_at && revoke)),
  );
}

/**
 * @param {Token} one
 * @param {() => Promise<void>} again
 */
function askRevoke(one, again) {
  const run = async () => {
    dialog.close();
    try {
      await ask(`/tokens/${encodeURIComponent(one.id)}`, { method: "DELETE" });
      say(MACHINES.done);
    } catch (error) {
      say(error);
    }
    await again();
  };
  const dialog = openDialog(MACHINES.sure(one.name), [make("p", {}, MACHINES.sureHint), button(MACHINES.revoke, run, { class: "main" })], "small");
}

/** @param {() => Promise<void>} again */
function adding(again) {
  const name = field(MACHINES.name, { name: "machine", required: true, maxlength: 64, autocomplete: "off" }, MACHINES.nameHint);
  const means = /** @type {Record<string, string>} */ (MACHINES.means);
  const role = choice(MACHINES.role, "machine-role", ROLES.map(([value, text]) => /** @type {const} */ ([value, `${text}: ${means[value]}`])), "technologist");
  const wrong = make("p", { class: "wrong", role: "alert" });
  const form = make("form", { class: "adding" }, make("h3", {}, MACHINES.add), name.box, role.box, wrong, make("button", { class: "main" }, MACHINES.run));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    wrong.textContent = "";
    try {
      const made = await (await ask("/tokens", { method: "POST", body: { name: name.input.value, role: role.select.value } })).json();
      form.reset();
      await again();
      showOnce(made.name, made.token);
    } catch (error) {
      wrong.textContent = error instanceof Error ? error.message : String(error);
    }
  });
  return form;
}

/**
 * @param {string} name
 * @param {string} token
 */
function showOnce(name, token) {
  const shown = field(MACHINES.token, { name: "token", readonly: true, value: token, autocomplete: "off", spellcheck: "false" }, MACHINES.tokenHint);
  shown.input.addEventListener("focus", () => shown.input.select());
  const copy = button(MACHINES.copy, async () => {
    shown.input.select();
    try {
      await navigator.clipboard.writeText(token);
      say(MACHINES.copied);
    } catch {
      document.execCommand("copy"); // without TLS a page may not write to the clipboard otherwise
      say(MACHINES.copied);
    }
  });
  const dialog = openDialog(MACHINES.tokenOf(name), [
    shown.box,
    make("div", { class: "actions" }, copy, button(MACHINES.close, () => dialog.close(), { class: "main" })),
  ], "small");
  shown.input.focus();
}
