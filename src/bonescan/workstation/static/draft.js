/**
 * One physician's draft of a study: what was changed and written, sent in order, and the reading that follows from it.
 *
 * Wishes wait in a line. Each is sent with the draft's number; the answer has the next number. What the workstation cannot take
 * is dropped and told; what it did not hear is sent again; what another place of work has overtaken is dropped, and the draft is
 * taken as it is there.
 * @module
 */

import { beginDraft, discardDraft, draft, Refused, revise, revised, saveText, signDraft } from "./service.js";
import { EDITING } from "./words_editing.js";

/**
 * @typedef {import("./panel.js").Reading} Reading
 * @typedef {import("./service.js").Edit} Edit
 * @typedef {{kind: "edit", edit: Edit | "undo" | "redo", done: (said: import("./service.js").Revised | null) => void} | {kind: "text"}} Wish
 */

const PAUSE_MS = 700; // after the last letter
const AGAIN_MS = [2000, 5000, 15_000, 30_000];

/** Tells `changed` events: "state", "reading", "draft", "text", "lost" (no longer ours). */
export class Draft extends EventTarget {
  /** @param {string} uid @param {string} me */
  constructor(uid, me) {
    super();
    this.uid = uid;
    this.me = me;
    /** @type {import("./service.js").Draft | null} */
    this.facts = null;
    /** The draft's reading. @type {Reading | null} */
    this.reading = null;
    /** @type {Record<string, string[]>} */
    this.said = {}; // the impression's sentences by language of the report
    /** The physician's text as it is on this page. @type {Record<string, string>} */
    this.text = {};
    /** Entries of it that the workstation does not have yet: the others may have been written at another place since. @type {Record<string, string>} */
    this.unsaved = {};
    this.language = "en";
    /** @type {"idle" | "saving" | "saved" | "failed"} */
    this.state = "idle";
    this.reason = "";
    /** @type {Date | null} */
    this.savedAt = null;
    /** @type {Wish[]} */
    this.line = [];
    this.sending = false;
    this.failures = 0;
    this.timer = 0;
    this.again = 0;
  }

  /** @param {string} what @param {unknown} [more] */
  tell(what, more) {
    this.dispatchEvent(new CustomEvent("changed", { detail: { what, more } }));
  }

  /** Whether everything that was done here is on the workstation. */
  get settled() {
    return !this.line.length && !this.sending && !this.timer;
  }

  /**
   * Begin, or go on.
   * @param {number} version
   * @param {boolean} takeOver
   * @param {Reading | null} [fresh] Of that version, where there was no draft: what a new one begins with.
   * @returns {Promise<void>} A `Refused` with code "taken" is another's.
   */
  async begin(version, takeOver, fresh = null) {
    this.facts = await beginDraft(this.uid, version, takeOver);
    this.unsaved = {};
    const { text, number } = this.facts;
    if (!fresh || this.facts.version !== version) return this.load();
    this.text = { ...text };
    this.language = this.facts.language || "en";
    this.reading = fresh;
    // The desk opens the study meanwhile: the first edit does not wait for that.
    revised(this.uid).then((said) => {
      if (this.facts?.number === number && said.draft.number === number && !this.sending) this.take(said);
    }, () => {});
  }

  /** Take the draft as it is on the workstation. */
  async load() {
    const said = await revised(this.uid);
    this.text = { ...said.draft.text };
    this.language = said.draft.language || "en";
    this.take(said);
  }

  /** @param {import("./service.js").Revised} said */
  take(said) {
    this.facts = said.draft;
    this.reading = said.reading;
    this.said = said.said;
    this.tell("reading");
  }

  /**
   * @param {Edit | "undo" | "redo"} edit
   * @returns {Promise<import("./service.js").Revised | null>} Null where it was not done.
   */
  edit(edit) {
    return new Promise((done) => {
      this.line.push({ kind: "edit", edit, done });
      this.go();
    });
  }

  /** @param {string} entry section.entry @param {string} text */
  write(entry, text) {
    this.text[entry] = text;
    this.unsaved[entry] = text;
    this.writeSoon();
  }

  /** @param {string} language */
  setLanguage(language) {
    this.language = language;
    this.writeSoon();
  }

  writeSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.writeNow(), PAUSE_MS);
    this.note("saving");
    this.tell("text");
  }

  /** Send the text without waiting for more of it. */
  writeNow() {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = 0;
    // One that is on its way does not know the last letters.
    if (!this.line.slice(this.sending ? 1 : 0).some((wish) => wish.kind === "text")) this.line.push({ kind: "text" });
    this.go();
  }

  /** @param {Draft["state"]} state @param {string} [reason] */
  note(state, reason = "") {
    this.state = state;
    this.reason = reason;
    if (state === "saved") this.savedAt = new Date();
    this.tell("state");
  }

  /**
   * Wait until all is on the workstation.
   * @returns {Promise<boolean>} False where something could not be saved.
   */
  async settle() {
    this.writeNow();
    while (!this.settled && !this.again && this.facts) {
      await new Promise((done) => this.addEventListener("changed", done, { once: true }));
      await new Promise((done) => setTimeout(done)); // the line is left after it has told
    }
    return this.settled;
  }

  /** Try at once what has failed. */
  retry() {
    clearTimeout(this.again);
    this.again = 0;
    this.go();
  }

  async go() {
    if (this.sending || this.again) return;
    this.sending = true;
    while (this.line.length && this.facts) {
      const wish = /** @type {Wish} */ (this.line[0]);
      this.note("saving");
      try {
        const { number } = this.facts;
        if (wish.kind === "text") {
          const sent = { ...this.unsaved };
          this.facts = await saveText(this.uid, number, sent, this.language);
          for (const [entry, text] of Object.entries(sent)) if (this.unsaved[entry] === text) delete this.unsaved[entry];
          this.tell("draft");
        } else {
          const said = await revise(this.uid, number, wish.edit);
          this.take(said);
          wish.done(said);
        }
        this.line.shift();
        this.failures = 0;
        if (!this.line.length && !this.timer) this.note("saved");
      } catch (error) {
        if (!(await this.answer(error, wish))) break;
      }
    }
    this.sending = false;
  }

  /**
   * Answer a refusal.
   * @param {unknown} error
   * @param {Wish} wish
   * @returns {Promise<boolean>} Whether to go on with the line.
   */
  async answer(error, wish) {
    if (!(error instanceof Refused)) throw error;
    if ([0, 429, 502, 503, 504].includes(error.status)) {
      this.again = setTimeout(() => this.retry(), AGAIN_MS[Math.min(this.failures, AGAIN_MS.length - 1)]);
      this.note("failed", error.message);
      this.failures += 1;
      return false;
    }
    this.failures += 1;
    if (([403, 404].includes(error.status) || ["stale", "taken"].includes(error.code)) && this.failures < 4) return this.overtaken(error);
    this.line.shift();
    if (wish.kind === "edit") wish.done(null);
    this.note(error.status === 401 || wish.kind === "text" ? "failed" : "saved", error.message);
    this.tell("refused", error);
    return error.status !== 401;
  }

  /** @param {Refused} error The draft is not what this page took it for. */
  async overtaken(error) {
    const text = this.line.some((wish) => wish.kind === "text") || this.timer ? { ...this.unsaved } : null;
    for (const wish of this.line.splice(0)) if (wish.kind === "edit") wish.done(null);
    try {
      const now = error.status === 403 ? null : await draft(this.uid);
      if (now?.author !== this.me) {
        this.facts = now;
        this.note("failed", now ? EDITING.say.takenOver(now.author) : EDITING.say.gone);
        this.tell("lost", text);
        return false;
      }
      await this.load();
      if (text) {
        // What is being written here is newer than what was kept.
        this.text = { ...this.text, ...text };
        this.line.push({ kind: "text" });
      }
      this.note("saved");
      this.tell("stale");
      return true;
    } catch (again) {
      this.note("failed", again instanceof Error ? again.message : String(again));
      return false;
    }
  }

  /** Take the draft anew where another place of work of the same physician has changed it. */
  async refresh() {
    if (!this.facts || !this.settled) return;
    try {
      const now = await draft(this.uid);
      if (!this.settled || (now?.number === this.facts.number && now.author === this.me)) return;
      await this.overtaken(new Refused(409, "stale", ""));
    } catch {
      // The next edit will tell.
    }
  }

  /** @returns {Promise<void>} */
  async discard() {
    clearTimeout(this.timer);
    this.timer = 0;
    await discardDraft(this.uid);
    this.facts = null;
  }

  /** @param {string} password @param {string} reason */
  async sign(password, reason) {
    if (!this.facts) return;
    await signDraft(this.uid, this.facts.number, password, reason);
    this.facts = null;
    this.tell("signed");
  }
}
