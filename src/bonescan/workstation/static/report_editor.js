/**
 * The physician's text of the report, beside the picture: fields that save themselves, measured values to read, a preview.
 * @module
 */

import { figures } from "./differences.js";
import { button, make } from "./elements.js";
import { duration, figure, percent } from "./telling.js";
import { WORDS } from "./words.js";
import { EDITING } from "./words_editing.js";

/**
 * @typedef {import("./panel.js").Reading} Reading
 * @typedef {import("./draft.js").Draft} Draft
 */

const MOST = 10_000; // characters of an entry

/** Fields for the report items of EANM 2016, doi:10.1007/s00259-016-3415-4. */
export class ReportEditor {
  /** @param {Draft} draft */
  constructor(draft) {
    this.draft = draft;
    const words = EDITING.report;
    /** @type {Map<string, HTMLTextAreaElement>} */
    this.fields = new Map();
    /** @type {Map<string, HTMLElement>} */
    this.measured = new Map();
    this.language = make("select", { id: "report-language" }, ...words.languages.map(([value, text]) => make("option", { value, lang: value }, text)));
    this.language.addEventListener("change", () => draft.setLanguage(this.language.value));
    this.write = make("div", { class: "write" }, ...words.sections.map(([section, title, entries]) => this.section(section, title, entries)));
    this.preview = make("section", { class: "preview", "aria-label": words.preview, tabindex: 0 });
    this.modes = /** @type {const} */ (["write", "preview"]).map((mode) => ({ mode, button: button(words[mode], () => this.show(mode), { "aria-pressed": "false", title: mode === "preview" ? words.previewHint : null }) }));
    this.element = make("section", { class: "report-editor", "aria-label": words.title },
      make("div", { class: "line modes" }, make("div", { class: "group", role: "group", "aria-label": words.title }, ...this.modes.map((one) => one.button)),
        make("label", { class: "group end", for: "report-language" }, `${words.language} `, this.language)),
      make("div", { class: "both" }, this.write, this.preview));
    this.show("write");
    draft.addEventListener("changed", (event) => {
      const { what } = /** @type {CustomEvent} */ (event).detail;
      if (what === "reading" || what === "text") this.follow();
    });
  }

  /** @param {"write" | "preview"} mode */
  show(mode) {
    this.element.dataset.mode = mode;
    for (const one of this.modes) one.button.setAttribute("aria-pressed", String(one.mode === mode));
    this.follow();
  }

  /** @param {string} section @param {string} title @param {ReadonlyArray<readonly [string, string, string, number]>} entries */
  section(section, title, entries) {
    const measured = make("div", { class: "measured" });
    this.measured.set(section, measured);
    const words = EDITING.report;
    return make("section", { "aria-label": title }, make("h2", {}, title), measured, ...entries.map(([entry, label, hint, rows]) => {
      const name = `${section}.${entry}`;
      const id = `text-${section}-${entry}`;
      const left = make("span", { class: "hint", role: "status" });
      const area = make("textarea", { id, rows, maxlength: MOST, "aria-describedby": hint ? `${id}-hint` : null, spellcheck: "true" });
      area.addEventListener("input", () => {
        left.textContent = area.value.length > 0.95 * MOST ? `${MOST - area.value.length} ${words.left}` : "";
        this.draft.write(name, area.value);
      });
      area.addEventListener("blur", () => this.draft.writeNow());
      this.fields.set(name, area);
      return make("div", { class: "field" }, make("label", { for: id }, label), hint && make("span", { class: "hint", id: `${id}-hint` }, ` ${hint}`), area, left,
        name === "interpretation.text" && button(words.take, () => void this.takeOver(), { title: words.takeHint }));
    }));
  }

  /** Show the draft's text, whatever stands in the fields. */
  fill() {
    for (const [name, area] of this.fields) area.value = this.draft.text[name] ?? "";
    this.language.value = this.draft.language;
    this.follow();
  }

  /** @param {string} name */
  focus(name) {
    this.show("write");
    this.fields.get(name)?.focus();
  }

  /** The reader's sentences, in the report's language, into the interpretation, below what stands there; the browser's undo takes them back. */
  takeOver() {
    const area = this.fields.get("interpretation.text");
    const said = this.proposed().join("\n");
    if (!area || !said) return;
    area.focus();
    area.setSelectionRange(area.value.length, area.value.length);
    area.setRangeText((area.value.trim() ? "\n" : "") + said, area.value.length, area.value.length, "end");
    area.dispatchEvent(new Event("input"));
  }

  /** The reader's sentences in the report's language. @returns {string[]} */
  proposed() {
    const language = this.language.value;
    const other = language === "en" ? undefined : this.draft.said[language];
    return other ?? this.draft.reading?.impression?.sentences.map(inOwnWords) ?? [];
  }

  /** Show what is measured, and what will be said. */
  follow() {
    const { reading } = this.draft;
    if (!reading) return;
    const told = measuredOf(reading);
    for (const [section, place] of this.measured) {
      const facts = told[section] ?? [];
      place.replaceChildren(...(facts.length ? [make("p", { class: "hint" }, EDITING.report.measured), facts] : []).flat());
    }
    this.preview.replaceChildren(...this.previewOf(reading));
  }

  /** @param {Reading} reading @returns {Node[]} */
  previewOf(reading) {
    const words = EDITING.report;
    const { text } = this.draft;
    const told = measuredOf(reading);
    const written = (/** @type {string} */ name) => (text[name] ?? "").trim();
    const paragraphs = (/** @type {string} */ said) => said.split(/\n+/).map((line) => make("p", {}, line));
    const parts = words.sections.map(([section, title, entries], k) => {
      const own = entries.filter(([entry]) => written(`${section}.${entry}`));
      const proposed = section === "interpretation" && !written("interpretation.text") ? this.proposed() : [];
      return make("section", {}, make("h3", {}, `${k + 1} ${title}`),
        ...(told[section] ?? []).map((one) => one.cloneNode(true)),
        own.length ? make("dl", {}, ...own.flatMap(([entry, label]) => [make("dt", {}, label), make("dd", {}, ...paragraphs(written(`${section}.${entry}`)))])) : null,
        proposed.length ? make("div", { class: "proposed" }, make("p", { class: "hint" }, words.proposed), ...proposed.map((line) => make("p", {}, line))) : null,
        !own.length && !proposed.length && !(told[section] ?? []).length && make("p", { class: "hint" }, words.nothing));
    });
    return [make("h2", {}, words.preview), make("p", { class: "hint" }, words.draft), ...parts];
  }
}

/**
 * A sentence of the reader as the physician would say it: nobody writes "by a physician's judgement" of their own.
 * @param {string} sentence
 * @returns {string}
 */
export function inOwnWords(sentence) {
  return sentence.replace(/^Metastatic by a physician's judgement:/, "Metastatic:")
    .replace(/^By a physician's judgement (\S)/, (_, first) => first.toUpperCase());
}

/**
 * What is measured, by the section in which the report says it.
 * @param {Reading} reading
 * @returns {Record<string, HTMLElement[]>}
 */
function measuredOf(reading) {
  const { scan } = reading;
  const injection = scan.injection;
  const numbers = figures(reading);
  const list = (/** @type {[string, string][]} */ facts) => make("dl", { class: "facts" }, ...facts.filter(([, told]) => told).flatMap(([name, told]) => [make("dt", {}, name), make("dd", {}, told)]));
  const findings = reading.findings.filter((one) => one.kind === "bone" && !one.likely_normal);
  const rows = findings.map((one) => {
    const [nature, share] = Object.entries(one.natures).sort((a, b) => b[1] - a[1])[0] ?? ["", 0];
    const judged = one.judged_by === "physician" ? `${nature} (${EDITING.physician})` : nature ? `${nature} ${percent(share)}` : "";
    return make("tr", {}, make("th", { scope: "row" }, one.letter), make("td", {}, one.place), make("td", { class: "number" }, one.uptake_ratio === null ? WORDS.absent : `${one.uptake_ratio.toFixed(1)} ×`), make("td", {}, judged));
  });
  const words = EDITING.report;
  const procedure = list([
    [words.tracer, [injection?.radiopharmaceutical, injection?.activity_mbq ? `${figure(injection.activity_mbq)} MBq` : ""].filter(Boolean).join(", ")],
    [words.delay, scan.delay_h ? WORDS.study.after(duration(scan.delay_h)) : ""],
  ]);
  return {
    procedure: procedure.childElementCount ? [procedure] : [],
    findings: [
      list([[WORDS.impression.index, `${numbers.index}, ${numbers.hotSpots} ${numbers.hotSpots === "1" ? WORDS.impression.hotSpot : WORDS.impression.hotSpots}`], [WORDS.impression.metastases, numbers.metastases]]),
      rows.length ? make("table", { class: "small" }, make("thead", {}, make("tr", {}, ...words.columns.map((name) => make("th", { scope: "col" }, name)))), make("tbody", {}, ...rows)) : make("p", {}, WORDS.findings.none),
    ],
  };
}
