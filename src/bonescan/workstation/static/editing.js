/**
 * Editing on the reading page: the draft's bar, the tools, and what a physician decides about a finding.
 * @module
 */

import { boneName, bonesLike } from "./bones.js";
import { differences } from "./differences.js";
import { Draft } from "./draft.js";
import { button, make } from "./elements.js";
import { openDialog, say } from "./page.js";
import { part } from "./panel.js";
import { ReportEditor } from "./report_editor.js";
import { draft as askDraft, readingFile, Refused } from "./service.js";
import { openSigning } from "./signing.js";
import { EDIT_TOOLS, Sketch } from "./sketching.js";
import { moment, percent } from "./telling.js";
import { EDITING } from "./words_editing.js";

/**
 * @typedef {import("./panel.js").Reading} Reading
 * @typedef {import("./overlay.js").Finding} Finding
 * @typedef {import("./service.js").Edit} Edit
 * @typedef {import("./stage.js").Stage} Stage
 */

const TYPING = "input:not([type=range],[type=checkbox],[type=radio]), textarea, select";

/** A physician at one study. */
export class Editing {
  /**
   * @param {{stage: Stage, uid: string, me: string, byPassword: boolean, study: () => import("./service.js").Study | null,
   *   shown: () => {reading: Reading, version: number} | null, render: () => void}} page
   */
  constructor(page) {
    this.page = page;
    this.stage = page.stage;
    this.draft = new Draft(page.uid, page.me);
    this.active = false;
    this.opening = false;
    /** @type {"reading" | "report"} */
    this.tab = "reading";
    /** The reading that the draft began from. @type {Reading | null} */
    this.base = null;
    /** What the reader thought of each finding before somebody decided. @type {Map<number, {kind: string, natures: Record<string, number>}>} */
    this.judged = new Map();
    this.sketch = new Sketch(this.stage, {
      draw: (picture, outline) => void this.drew(picture, outline),
      reshape: (id, picture, outline) => void this.edit({ do: "reshape", finding: id, view: picture.name, outline }),
      split: (id, picture, line) => void this.edit({ do: "split", finding: id, view: picture.name, line }).then((said) => said && this.stage.setTool("window")),
      merge: (ids) => void this.merge(ids),
      tell: say,
      changed: () => this.stage.changed("sketch"),
    });
    this.stage.sketch = this.sketch;
    this.report = new ReportEditor(this.draft);
    this.bar = this.makeBar();
    this.offer = make("div", { class: "offer", role: "status", hidden: true });
    this.stage.element.append(this.offer);
    this.head = make("div", { class: "draft" });
    this.draft.addEventListener("changed", (event) => this.heard(/** @type {CustomEvent} */ (event).detail));
    this.stage.addEventListener("changed", (event) => this.follow(/** @type {CustomEvent} */ (event).detail));
    document.addEventListener("keydown", (event) => this.undoKeys(event));
    window.addEventListener("beforeunload", (event) => {
      if (!this.active || this.draft.settled) return;
      this.draft.writeNow();
      event.preventDefault();
    });
  }

  /** What the page shows: the draft's reading while somebody edits. */
  get reading() {
    return this.active ? this.draft.reading : null;
  }

  // --- begin and end -----------------------------------------------------------------------------------------------------

  /** @param {boolean} [takeOver] */
  async begin(takeOver = false) {
    const shown = this.page.shown();
    if (this.active || !shown) return;
    if (this.opening) return;
    this.opening = true;
    const waits = setTimeout(() => say(EDITING.say.opening), 600);
    try {
      await this.draft.begin(shown.version, takeOver, this.page.study()?.draft_by ? null : shown.reading);
    } catch (error) {
      if (error instanceof Refused && error.code === "taken") return this.tellTaken();
      return say(error);
    } finally {
      clearTimeout(waits);
      this.opening = false;
    }
    const of = this.draft.facts?.version ?? shown.version;
    this.base = of === shown.version ? shown.reading : await (await readingFile(this.page.uid, of, "reading.json")).json();
    if (this.base) this.remember(this.base);
    this.active = true;
    this.sketch.on = true;
    this.address();
    this.report.fill();
    this.page.render();
    this.follow("draft");
  }

  leave() {
    if (!this.active) return;
    this.draft.writeNow();
    this.active = false;
    this.sketch.on = false;
    if (EDIT_TOOLS.some((one) => one === this.stage.tool)) this.stage.setTool("window");
    this.sketch.taken();
    this.address();
    this.page.render();
    this.follow("draft");
  }

  /** The page's address says that somebody edits, so that loading it again goes on there. */
  address() {
    const asked = new URLSearchParams(location.search);
    asked.delete("edit");
    if (this.active) asked.set("edit", this.tab);
    const query = asked.toString();
    history.replaceState(null, "", location.pathname + (query && `?${query}`));
  }

  async tellTaken() {
    const facts = await askDraft(this.page.uid).catch(() => null);
    if (!facts) return say(EDITING.say.gone);
    const dialog = openDialog(EDITING.taken.title, [
      make("p", {}, EDITING.taken.told(facts.author, moment(facts.changed_at), facts.version, EDITING.changes.edits(facts.edits.length))),
      make("div", { class: "actions" }, button(EDITING.taken.take, () => {
        dialog.close();
        void this.begin(true);
      }, { class: "main" }), button(EDITING.leave, () => dialog.close()))], "small");
  }

  /** @param {"reading" | "report"} tab */
  show(tab) {
    if (!this.active) return;
    this.tab = tab;
    this.address();
    this.page.render();
    if (tab === "report" && EDIT_TOOLS.some((one) => one === this.stage.tool)) this.stage.setTool("window");
    this.follow("tab");
    if (tab === "report") this.report.element.querySelector("textarea")?.focus();
  }

  /** @param {{what: string, more: unknown}} told */
  heard({ what, more }) {
    if (what === "reading") {
      if (!this.draft.line.slice(1).some((wish) => wish.kind === "edit")) this.sketch.pending = [];
      if (this.draft.reading) this.remember(this.draft.reading);
      if (this.active) this.page.render();
    }
    if (what === "refused") {
      this.sketch.pending = [];
      say(more);
      this.stage.redraw();
    }
    if (what === "stale") {
      this.report.fill();
      say(EDITING.say.stale);
    }
    if (what === "signed") this.leave();
    if (what === "lost") this.lost(/** @type {Record<string, string> | null} */ (more));
    this.tellState();
  }

  /** @param {Record<string, string> | null} unsaved */
  lost(unsaved) {
    const why = this.draft.reason;
    this.sketch.pending = [];
    this.leave();
    const kept = Object.values(unsaved ?? {}).filter(Boolean).join("\n\n");
    openDialog(EDITING.title, [make("p", {}, why), kept && make("label", {}, EDITING.say.keptText, make("textarea", { readonly: true, rows: 8, class: "whole" }, kept))].filter((one) => one instanceof Node), "small");
  }

  /** @param {Reading} reading */
  remember(reading) {
    for (const one of reading.findings) {
      if (one.judged_by !== "physician") this.judged.set(one.id, { kind: one.kind, natures: one.natures });
    }
  }

  // --- edits -------------------------------------------------------------------------------------------------------------

  /** @param {Edit | "undo" | "redo"} edit */
  edit(edit) {
    return this.draft.edit(edit);
  }

  /** @param {import("./pictures.js").Picture} picture @param {import("./outlines.js").Vertex[]} outline */
  async drew(picture, outline) {
    const before = new Set(this.draft.reading?.findings.map((one) => one.id));
    const said = await this.edit({ do: "draw", outlines: { [picture.name]: outline }, kind: "bone", bone: "", nature: "" });
    const made = said?.reading.findings.find((one) => !before.has(one.id));
    if (!made) return;
    this.stage.choose(made.id);
    this.sketch.offerFacing(made.id, picture, outline);
  }

  /** @param {[number, number]} ids */
  async merge(ids) {
    if (!(await this.edit({ do: "merge", findings: ids }))) return;
    this.stage.setTool("window");
    this.stage.choose(ids[0]);
  }

  /** @param {number} id */
  async remove(id) {
    const letter = this.stage.findings.find((one) => one.id === id)?.letter ?? "";
    if (this.stage.chosen === id) this.stage.choose(null);
    if (!(await this.edit({ do: "delete", finding: id }))) return;
    const note = make("p", { class: "message" }, `${EDITING.say.deleted(letter)} `, button(EDITING.undo, () => {
      note.remove();
      void this.edit("undo");
    }, { title: EDITING.undoHint }));
    document.getElementById("messages")?.append(note);
    setTimeout(() => note.remove(), 8000);
  }

  /**
   * Decide what a finding is.
   * @param {Finding} finding
   * @param {string} nature Empty: as the reader judges.
   */
  decide(finding, nature) {
    if (!nature) return this.edit({ do: "change", finding: finding.id, nature: "" });
    if (nature === "physiologic" || nature === "artefact") return this.edit({ do: "change", finding: finding.id, kind: nature });
    return this.edit({ do: "change", finding: finding.id, kind: "bone", nature });
  }

  get chosen() {
    const found = this.active ? this.stage.findings.find((one) => one.id === this.stage.chosen) : null;
    return /** @type {Finding | null} */ (found ?? null); // here the stage has whole findings
  }

  // --- what is seen ------------------------------------------------------------------------------------------------------

  makeBar() {
    const words = EDITING.tool;
    const tools = EDIT_TOOLS.map((tool) => ({ tool, button: button(words[tool], () => this.take(tool), { "aria-pressed": "false", title: `${EDITING.hint[tool]} (${EDITING.key[tool]})` }) }));
    const remove = button(words.remove, () => this.chosen && void this.remove(this.chosen.id), { title: `${EDITING.keys.remove} (Delete)` });
    const size = make("input", { type: "range" });
    const told = make("output", { class: "number" });
    const slider = make("label", { class: "slider" }, make("span", {}), size, told);
    size.addEventListener("input", () => {
      if (this.stage.tool === "brush") this.sketch.radiusMm = size.valueAsNumber;
      else this.sketch.share = size.valueAsNumber / 100;
      this.stage.changed("sketch");
    });
    const hint = make("span", { class: "hint say" });
    const undo = button(EDITING.undo, () => void this.edit("undo"), { title: EDITING.undoHint });
    const redo = button(EDITING.redo, () => void this.edit("redo"), { title: EDITING.redoHint });
    const bar = make("div", { class: "edit-bar", role: "region", "aria-label": EDITING.tools, hidden: true },
      make("div", { class: "group", role: "group", "aria-label": EDITING.tools }, ...tools.map((one) => one.button), remove), slider, hint,
      make("div", { class: "group end" }, undo, redo));
    this.parts = { tools, remove, size, told, slider, hint, undo, redo };
    return bar;
  }

  /** @param {import("./sketching.js").EditTool} tool */
  take(tool) {
    if (this.tab === "report") this.show("reading");
    this.stage.setTool(this.stage.tool === tool ? "window" : tool);
    if (this.stage.tool === tool) this.stage.over.focus({ preventScroll: true });
  }

  /** @param {string} what The stage has changed. */
  follow(what) {
    if (what === "pointed" || what === "window" || what === "camera") return;
    this.bar.hidden = !this.active || this.tab === "report";
    const { parts, sketch } = this;
    if (!parts) return;
    const { tool } = sketch;
    for (const one of parts.tools) one.button.setAttribute("aria-pressed", String(one.tool === tool));
    parts.remove.disabled = !this.chosen;
    parts.slider.classList.toggle("absent", tool !== "brush" && tool !== "contour");
    parts.size.disabled = tool !== "brush" && tool !== "contour";
    if (tool === "brush") this.range(EDITING.size, 2, 40, sketch.radiusMm, EDITING.mm);
    if (tool === "contour") this.range(EDITING.share, 10, 90, Math.round(100 * sketch.share), EDITING.percent);
    parts.hint.textContent = this.hint(tool);
    this.tellOffer();
  }

  /** @param {string} label @param {number} min @param {number} max @param {number} value @param {(n: number) => string} tell */
  range(label, min, max, value, tell) {
    if (!this.parts) return;
    const { size, slider, told } = this.parts;
    Object.assign(size, { min, max, value });
    size.setAttribute("aria-valuetext", tell(value));
    told.textContent = tell(value);
    if (slider.firstElementChild) slider.firstElementChild.textContent = label;
  }

  /** @param {import("./sketching.js").EditTool | null} tool */
  hint(tool) {
    const { sketch, stage } = this;
    const words = EDITING.hint;
    if (!tool) return words.none;
    if (stage.crossing) return words.keys;
    if (sketch.target !== null) return `${words.target(stage.findings.find((one) => one.id === sketch.target)?.letter ?? "", "")} ${words[tool]}`.replace("  ", " ");
    if (tool === "brush" && stage.chosen === null) return words.brushNone;
    if (tool === "merge" && sketch.first === null) return words.mergeFirst;
    return words[tool];
  }

  tellOffer() {
    const { offer } = this.sketch;
    this.offer.hidden = !offer;
    const key = offer ? `${offer.id} ${offer.picture.name}` : "";
    if (this.offer.dataset.of === key) return;
    this.offer.dataset.of = key;
    if (!offer) return this.offer.replaceChildren();
    const views = /** @type {Record<string, string>} */ (EDITING.views);
    const letter = this.stage.findings.find((one) => one.id === offer.id)?.letter ?? "";
    const shown = this.stage.shown.findIndex((one) => one.picture === offer.picture);
    this.offer.classList.toggle("right", shown > 0);
    const words = EDITING.offer;
    this.offer.replaceChildren(make("strong", {}, words.ask(letter, views[offer.picture.name] ?? offer.picture.name)),
      button(words.take, () => this.sketch.accept(), { class: "main", title: words.takeHint }), make("span", { class: "hint" }, words.how),
      button(words.no, () => this.sketch.escape(), { title: words.noHint }));
  }

  tellState() {
    const { draft } = this;
    if (this.parts) {
      this.parts.undo.disabled = !draft.facts?.can_undo;
      this.parts.redo.disabled = !draft.facts?.can_redo;
    }
    const words = EDITING.state;
    const at = draft.savedAt ?? (draft.facts?.changed_at ? new Date(draft.facts.changed_at) : null);
    const told = draft.state === "saving" ? words.saving : draft.state === "failed" ? words.failed(draft.reason)
      : at && (draft.facts?.edits.length || draft.savedAt) ? words.saved(moment(at.toISOString()).slice(-5)) : words.idle;
    const state = this.head.querySelector(".state");
    if (!state) return;
    state.classList.toggle("wrong", draft.state === "failed");
    state.replaceChildren(told, ...(draft.again ? [" ", button(words.again, () => draft.retry())] : []));
  }

  /** The panel's head while somebody edits. */
  fillHead() {
    const { facts } = this.draft;
    const signed = Boolean(this.page.study()?.versions.find((one) => one.version === facts?.version)?.signed);
    const tab = (/** @type {"reading" | "report"} */ name) => button(EDITING.tabs[name], () => this.show(name), { "aria-pressed": String(this.tab === name), "data-keep": `tab-${name}`, title: EDITING.tabHint });
    const discard = make("span", { class: "discard" }, button(EDITING.discard, () => this.askDiscard(discard), { class: "quiet", "data-keep": "discard" }));
    this.head.replaceChildren(
      make("div", { class: "line" }, make("strong", {}, EDITING.of(facts?.version ?? 0, signed)), make("span", { class: "state hint", role: "status" })),
      make("div", { class: "line" }, make("div", { class: "group", role: "group", "aria-label": EDITING.title }, tab("reading"), tab("report")),
        make("span", { class: "group end" }, button(EDITING.sign, () => this.sign(), { class: "main", title: EDITING.signHint, "data-keep": "sign" }),
          button(EDITING.leave, () => this.leave(), { title: EDITING.leaveHint, "data-keep": "leave" }))),
      make("div", { class: "line" }, make("span", { class: "hint" }, facts?.edits.length ? EDITING.changes.edits(facts.edits.length) : ""), discard));
    this.tellState();
    return this.head;
  }

  /** @param {HTMLElement} place Where it was asked for: a draft cannot be taken back once it is gone. */
  askDiscard(place) {
    const keep = button(EDITING.discardNo, () => this.fillHead());
    place.replaceChildren(make("span", {}, `${EDITING.discardAsk} `), button(EDITING.discardYes, async () => {
      try {
        await this.draft.discard();
        this.leave();
        say(EDITING.discarded);
      } catch (error) {
        say(error);
      }
    }, { class: "danger" }), " ", keep);
    keep.focus();
  }

  /** What differs from the reading that the draft began from. */
  changesPart() {
    const { base } = this;
    const now = this.draft.reading;
    const told = base && now ? differences(base, now) : [];
    return part(EDITING.changes.title, "changes", told.length
      ? make("ul", { class: "rows" }, ...told.map((one) => make("li", { class: one.style }, make("strong", {}, one.letter), " ",
        one.id === null ? one.text : button(one.text, () => this.stage.choose(one.id), { class: "plain" }))))
      : make("p", { class: "hint" }, EDITING.changes.none));
  }

  /** @param {Finding} finding @returns {HTMLElement} Where a physician decides about it. */
  decidingPart(finding) {
    const words = EDITING.decide;
    const reader = this.judged.get(finding.id);
    const mine = finding.judged_by === "physician";
    const taken = finding.kind === "bone" ? (mine ? Object.entries(finding.natures).sort((a, b) => b[1] - a[1])[0]?.[0] : "") : finding.kind;
    const natures = words.natures.map(([nature, text, key]) => {
      const share = reader?.natures[nature];
      return make("button", { type: "button", class: "nature-choice", "aria-pressed": String(taken === nature), "data-keep": `nature-${nature}`, click: () => void this.decide(finding, nature) },
        key && make("kbd", {}, key), make("span", {}, text), share !== undefined && make("span", { class: "hint number", title: words.readers(percent(share)) }, percent(share)));
    });
    const views = /** @type {Record<string, string>} */ (EDITING.views);
    const outlines = this.stage.pictures.filter((picture) => picture.name in views).map((picture) => {
      const seen = finding.views[picture.name];
      const view = views[picture.name] ?? "";
      const act = (/** @type {string} */ text, /** @type {() => void} */ run) => button(text, run, { "aria-label": words.inView(text, view), "data-keep": `${text}-${view}` });
      return make("li", {}, make("span", {}, view), seen ? act(words.redraw, () => this.redraw(finding)) : act(words.drawThere, () => this.redraw(finding)),
        seen && Object.keys(finding.views).length > 1 && act(words.takeOut, () => void this.edit({ do: "reshape", finding: finding.id, view: picture.name, outline: [] })));
    });
    return make("div", { class: "deciding" },
      make("div", { class: "choices", role: "group", "aria-label": words.title }, ...natures),
      reader && make("p", { class: "hint" }, words.percentsAre),
      mine && make("div", {}, button(words.reader, () => void this.decide(finding, ""), { title: words.readerHint, "data-keep": "reader" })),
      finding.kind === "bone" && boneField(finding, (bone) => void this.edit({ do: "change", finding: finding.id, bone })),
      make("ul", { class: "outlines", "aria-label": words.outline }, ...outlines));
  }

  /** @param {Finding} finding What is drawn next is its outline, in the view in which it is drawn. */
  redraw(finding) {
    this.stage.setTool("draw");
    this.sketch.target = finding.id;
    this.stage.over.focus({ preventScroll: true });
    this.follow("sketch");
  }

  async sign() {
    if (!this.active || !this.base) return;
    this.draft.writeNow();
    openSigning({ uid: this.page.uid, draft: this.draft, base: this.base, study: this.page.study, byPassword: this.page.byPassword, write: () => {
      this.show("report");
      this.report.focus("interpretation.text");
    } });
  }

  // --- the keyboard ------------------------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} event */
  undoKeys(event) {
    if (!this.active || !(event.ctrlKey || event.metaKey) || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target instanceof Element && event.target.matches(TYPING)) return; // a text has an undo of its own
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    void this.edit(key === "y" || event.shiftKey ? "redo" : "undo");
  }

  /** @returns {import("./page.js").Command[]} */
  commands() {
    const keys = EDITING.keys;
    /** @param {() => unknown} run */
    const editing = (run) => () => (this.active ? run() !== false : false);
    /** @param {(finding: Finding) => unknown} run */
    const chosen = (run) => editing(() => {
      if (!this.chosen) {
        say(EDITING.say.chooseFirst);
        return;
      }
      run(this.chosen);
    });
    const natures = EDITING.decide.natures.filter(([, , key]) => key);
    const size = (/** @type {number} */ by) => editing(() => {
      if (this.sketch.tool === "brush") this.sketch.radiusMm = Math.min(40, Math.max(2, Math.round(this.sketch.radiusMm * (by > 0 ? 1.25 : 0.8))));
      else this.sketch.share = Math.min(0.9, Math.max(0.1, this.sketch.share + 0.05 * by));
      this.stage.changed("sketch");
    });
    return [
      { keys: ["c"], text: keys.edit, run: () => (this.active ? this.leave() : void this.begin()) },
      { keys: ["q"], text: keys.tab, run: editing(() => this.show(this.tab === "report" ? "reading" : "report")) },
      ...EDIT_TOOLS.map((tool) => ({ keys: [EDITING.key[tool]], text: keys[tool], run: editing(() => this.take(tool)) })),
      { keys: [",", "."], text: keys.size, run: (event) => size(event.key === "," ? -1 : 1)() },
      { keys: ["Delete"], text: keys.remove, run: chosen((finding) => void this.remove(finding.id)) },
      { keys: natures.map(([, , key]) => key), shown: "4 … 9", text: keys.nature, run: (event) => chosen((finding) => {
        const nature = natures.find(([, , key]) => key === event.key)?.[0];
        if (nature) void this.decide(finding, nature);
      })() },
      { keys: ["R"], shown: "Shift+R", text: keys.reader, run: chosen((finding) => void this.decide(finding, "")) },
      { keys: ["B"], shown: "Shift+B", text: keys.bone, run: chosen((finding) => {
        const place = document.getElementById("bone-field");
        if (place) place.focus();
        else if (finding.kind !== "bone") say(EDITING.say.noBone);
      }) },
      { keys: ["Backspace"], text: keys.unpoint, run: editing(() => {
        const done = this.sketch.unpoint();
        if (done) this.stage.changed("sketch");
        return done;
      }) },
      { keys: [], shown: "Ctrl+Z", text: keys.undo, run: () => false },
      { keys: [], shown: "Ctrl+Shift+Z", text: keys.redo, run: () => false },
      { keys: ["Enter"], text: keys.set, run: editing(() => {
        if (this.sketch.offer && !this.sketch.busy) return this.sketch.accept();
        if (this.sketch.tool === "merge" && !this.stage.crossing) return this.sketch.pick(this.stage.chosen);
        return false;
      }) },
      { keys: ["S"], shown: "Shift+S", text: keys.sign, run: editing(() => this.sign()) },
    ];
  }
}

/**
 * A field in which a bone is found by parts of its name.
 * @param {Finding} finding
 * @param {(bone: string) => void} choose
 * @returns {HTMLElement}
 */
function boneField(finding, choose) {
  const words = EDITING.decide;
  const id = "bone-field";
  const input = make("input", { id, role: "combobox", "aria-expanded": "false", "aria-controls": `${id}-list`, "aria-autocomplete": "list", autocomplete: "off",
    spellcheck: "false", value: finding.bone ? boneName(finding.bone) : "", placeholder: words.boneHint, "data-keep": id });
  const list = make("ul", { id: `${id}-list`, role: "listbox", "aria-label": words.bone, class: "bones", hidden: true });
  /** @type {{id: string, name: string}[]} */
  let found = [];
  let at = 0;
  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const mark = () => {
    [...list.children].forEach((one, k) => one.setAttribute("aria-selected", String(k === at)));
    list.children[at]?.scrollIntoView({ block: "nearest" });
    if (found[at]) input.setAttribute("aria-activedescendant", `${id}-${at}`);
  };
  const open = (/** @type {string} */ typed) => {
    found = bonesLike(typed, finding.region).slice(0, 40);
    at = 0;
    list.replaceChildren(...(found.length ? found.map((one, k) => make("li", { role: "option", id: `${id}-${k}`, pointerdown: (/** @type {Event} */ event) => {
      event.preventDefault();
      pick(one.id);
    } }, one.name)) : [make("li", { role: "option", "aria-disabled": "true" }, words.boneNone)]));
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark();
  };
  const pick = (/** @type {string | undefined} */ bone) => {
    close();
    if (!bone || bone === finding.bone) return;
    input.value = boneName(bone);
    choose(bone);
  };
  input.addEventListener("focus", () => {
    input.select();
    open("");
  });
  input.addEventListener("input", () => open(input.value));
  input.addEventListener("blur", () => {
    close();
    input.value = finding.bone ? boneName(finding.bone) : "";
  });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      if (list.hidden) open("");
      at = (at + step + found.length) % found.length;
      mark();
    } else if (event.key === "Enter" && !list.hidden) pick(found[at]?.id);
    else if (event.key === "Escape") input.blur();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return make("div", { class: "bone" }, make("label", { for: id }, words.bone), input, list);
}
