/**
 * Signing a draft, following it until it stands, and sending what was signed.
 * @module
 */

import { differences, figures } from "./differences.js";
import { button, field, make } from "./elements.js";
import { openDialog, say } from "./page.js";
import { part } from "./panel.js";
import { destinations, proveAgain, readingAddress, Refused, send, sendings, studies, study as askStudy, watch } from "./service.js";
import { moment, personName } from "./telling.js";
import { WORDS } from "./words.js";
import { EDITING } from "./words_editing.js";

/**
 * @typedef {import("./panel.js").Reading} Reading
 * @typedef {import("./draft.js").Draft} Draft
 * @typedef {import("./service.js").Study} Study
 */

/**
 * Show what would be signed, and sign it.
 * @param {{uid: string, draft: Draft, base: Reading, study: () => Study | null, write: () => void,
 *   byPassword: boolean}} what `write` leads to the interpretation; who signs in elsewhere proves there who they are.
 * @returns {HTMLDialogElement | null}
 */
export function openSigning({ uid, draft, base, study, write, byPassword }) {
  const words = EDITING.signing;
  const [facts, now, here] = [draft.facts, draft.reading, study()];
  if (!facts || !now || !here) return null;
  const amends = here.versions.some((one) => one.signed);
  const interpretation = (draft.text["interpretation.text"] ?? "").trim();
  const [was, is] = [figures(base), figures(now)];
  const changes = differences(base, now);
  /** @param {string} name @param {keyof typeof was} key */
  const row = (name, key) => [make("dt", {}, name), make("dd", {}, ...(was[key] === is[key] ? [is[key]]
    : [make("del", {}, was[key]), ` ${EDITING.changes.arrow} `, make("ins", {}, is[key])]))];
  const password = field(words.password, { name: "signing-password", type: "password", autocomplete: "current-password", required: true }, words.passwordHint);
  const reason = amends ? field(words.reason, { name: "signing-reason", type: "text", required: true, maxlength: 1000, autocomplete: "off" }, words.reasonHint) : null;
  const wrong = make("p", { class: "wrong", role: "alert" });
  const run = make("button", { class: "main", disabled: !interpretation }, words.run);
  const form = make("form", { class: "signing" },
    make("p", {}, make("strong", {}, words.study(personName(here.patient_name), here.study_date, facts.version))),
    make("section", { "aria-label": words.what }, make("h3", {}, EDITING.changes.title),
      changes.length ? make("ul", { class: "rows changes" }, ...changes.map((one) => make("li", { class: one.style }, make("strong", {}, one.letter), ` ${one.text}`))) : make("p", {}, EDITING.changes.none),
      make("dl", { class: "facts" }, ...row(WORDS.impression.index, "index"), ...row(WORDS.impression.hotSpots, "hotSpots"), ...row(WORDS.impression.metastases, "metastases"))),
    make("section", { "aria-label": words.says }, make("h3", {}, words.says),
      interpretation ? make("blockquote", {}, ...interpretation.split(/\n+/).map((line) => make("p", {}, line)))
        : make("p", { class: "wrong" }, `${words.noInterpretation} `, button(words.writeIt, () => {
          dialog.close();
          write();
        }))),
    reason?.box, byPassword ? password.box : make("p", { class: "hint" }, words.elsewhere), wrong, make("p", { class: "hint" }, words.means), run);
  const dialog = openDialog(words.title, [form], "medium");
  if (interpretation) (reason?.input ?? (byPassword ? password.input : run)).focus();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    run.disabled = true;
    run.textContent = words.busy;
    wrong.textContent = "";
    try {
      if (!(await draft.settle())) throw new Error(EDITING.state.failed(draft.reason));
      await draft.sign(password.input.value, reason?.input.value.trim() ?? "");
      password.input.value = "";
      form.replaceWith(progress(uid, here, dialog));
    } catch (error) {
      if (error instanceof Refused && error.code === "prove_again") return proveAgain();
      wrong.textContent = error instanceof Error ? error.message : String(error);
      password.input.select();
    } finally {
      run.disabled = false;
      run.textContent = words.run;
    }
  });
  return dialog;
}

/**
 * Follow a signed draft until it stands as a version.
 * @param {string} uid
 * @param {Study} before
 * @param {HTMLDialogElement} dialog
 * @returns {HTMLElement}
 */
function progress(uid, before, dialog) {
  const words = EDITING.signing;
  const box = make("div", { class: "signing", role: "status" });
  const known = new Set(before.versions.map((one) => one.version));
  const turning = (/** @type {string} */ text) => make("p", {}, make("span", { class: "turning", "aria-hidden": "true" }), text);
  const look = async () => {
    try {
      const now = await askStudy(uid);
      const made = now.versions.find((one) => one.signed && !known.has(one.version));
      if (made) {
        end();
        box.replaceChildren(...(await finished(uid, made.version)));
        box.querySelector("a")?.focus(); // Enter goes on
      } else if (now.signing?.state === "failed") {
        box.replaceChildren(make("p", { class: "wrong" }, `${words.failed}: ${now.signing.reason}`), button(EDITING.leave, () => dialog.close()));
      } else box.replaceChildren(turning(now.signing?.state === "running" ? words.running : words.waiting));
    } catch (error) {
      say(error);
    }
  };
  box.append(turning(words.waiting));
  const stop = watch((changes) => {
    if (changes.some((one) => one.study_uid === uid || one.study_uid === "")) void look();
  });
  // The feed tells of every change; a look now and then finds what it cannot know.
  const timer = setInterval(look, 3000);
  const end = () => {
    clearInterval(timer);
    stop();
  };
  dialog.addEventListener("close", () => {
    end();
    location.assign(location.pathname);
  });
  void look();
  return box;
}

/** @param {string} uid @param {number} version @returns {Promise<Node[]>} */
async function finished(uid, version) {
  const words = EDITING.signing;
  const unsigned = await studies({ state: "unsigned", limit: 10 }).then((said) => said.studies.filter((one) => one.study_uid !== uid && one.state === "read"), () => []);
  const next = unsigned[0];
  return [
    make("p", { class: "done" }, words.done(version)),
    make("div", { class: "actions" },
      next && make("a", { class: "button main", href: `/study/${encodeURIComponent(next.study_uid)}` }, `${words.next}: ${personName(next.patient_name)}`),
      make("a", { class: "button", href: `/study/${encodeURIComponent(uid)}` }, words.show),
      make("a", { class: "button", href: readingAddress(uid, version, "report.pdf"), download: "report.pdf" }, WORDS.report.pdf),
      make("a", { class: "button", href: "/" }, words.worklist)),
    new Sendings(uid, version, true).element,
  ];
}

/** Where the results of a version were sent, and what became of it. */
export class Sendings {
  /** @param {string} uid @param {number} version @param {boolean} may Whether one may send. */
  constructor(uid, version, may) {
    this.uid = uid;
    this.version = version;
    this.may = may;
    this.body = make("div", { role: "status" });
    this.element = part(EDITING.sending.title, "sendings", this.body);
    /** @type {string[]} */
    this.places = [];
    void this.show();
  }

  /** Ask again, and show. */
  async show() {
    const words = EDITING.sending;
    try {
      const [places, sent] = await Promise.all([destinations(), sendings(this.uid)]);
      const here = sent.filter((one) => one.version === this.version);
      const all = [...new Set([...places, ...here.map((one) => one.to)])];
      this.element.hidden = false;
      this.body.replaceChildren(all.length ? make("ul", { class: "rows" }, ...all.map((to) => {
        const last = here.filter((one) => one.to === to).sort((a, b) => b.at.localeCompare(a.at))[0];
        const under = last?.state === "waiting" || last?.state === "running";
        const text = last ? words.again : words.send;
        return make("li", {}, make("strong", {}, to), make("span", { class: last?.state === "failed" ? "wrong" : "hint" },
          last ? [words.state[last.state], last.state === "sent" ? moment(last.at) : last.reason].filter(Boolean).join(last.state === "failed" ? ": " : " ") : words.never),
        this.may && places.includes(to) && button(text, () => this.send(to), { disabled: under, "aria-label": words.to(text, to) }));
      })) : make("p", { class: "hint" }, words.none));
      if (this.element.isConnected && here.some((one) => one.state === "waiting" || one.state === "running")) setTimeout(() => void this.show(), 2000);
    } catch {
      this.element.hidden = true; // a role that may not know
    }
  }

  /** @param {string} to */
  async send(to) {
    try {
      await send(this.uid, this.version, [to]);
      say(EDITING.sending.asked);
    } catch (error) {
      say(error);
    }
    await this.show();
  }
}
