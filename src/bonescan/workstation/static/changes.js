/**
 * What a comparison says in words: may the scans be compared, what changed, every lesion, the course.
 * @module
 */

import { make } from "./elements.js";
import { figure, index, percent } from "./telling.js";
import { COMPARE } from "./words_compare.js";

/**
 * @typedef {{value: number | null, unit: string, uncertainty: number | null, absent_reason: string}} Measured
 * @typedef {{prior: Measured, current: Measured, difference: Measured, ratio: Measured, trend: string}} Changed
 * @typedef {[number, number][]} Polygon
 * @typedef {{id: number, letter: string, kind: string, style: string, place: string, prior_findings: number[],
 *   current_findings: number[], uptake_ratio: Changed, area: Changed, depth: Changed, brightness: Measured,
 *   significance: number, reason: string, likelihood: Measured, faint_place: boolean,
 *   outlines: {prior: Record<string, Polygon[]>, current: Record<string, Polygon[]>},
 *   places: Record<string, {row: number, column: number, radius_mm: number}>}} Lesion
 * @typedef {{code: string, question: string, verdict: "pass" | "warn" | "withhold" | "unknown", prior: string, current: string,
 *   text: string}} Check
 * @typedef {{on: string | null, study_uid: string | null, progression: {state: string, text: string}}} ComparedScan
 * @typedef {{scans: ComparedScan[], progression: {state: string, text: string, next_step: string, cautions: string[],
 *   source: string}, latest: {lesions: Lesion[], unmarked: Lesion[], bone_scan_index: {as_read: Changed, change: Changed,
 *   flagged: boolean, repeatability_percent: number, text: string}, area_response: {text: string},
 *   comparability: {withholds_burden: boolean, checks: Check[]}, alignment: {trusted: boolean,
 *   views: Record<string, {scale: number | null}>}}, remarks: {text: string, severity: string}[],
 *   method: Record<string, string>}} Comparison What the page uses of comparison.json.
 */

/** What changed first comes first. */
export const ORDER = ["new", "look", "rose", "fell", "gone", "unclear", "same"];

/**
 * All lesions of a comparison, what changed first, faint places last.
 * @param {Comparison} comparison
 */
export function ordered(comparison) {
  const all = [...comparison.latest.lesions, ...comparison.latest.unmarked];
  return all.sort((a, b) => Number(a.faint_place) - Number(b.faint_place) || ORDER.indexOf(a.style) - ORDER.indexOf(b.style) || a.id - b.id);
}

/**
 * Counts by kind, as "2 new, 5 brighter".
 * @param {readonly Lesion[]} lesions
 */
export function counted(lesions) {
  return ORDER.map((style) => ({ style, n: lesions.filter((one) => one.style === style).length }))
    .filter(({ n }) => n).map(({ style, n }) => `${n} ${COMPARE.styles[style]?.one ?? style}`).join(", ");
}

/**
 * @param {string} title
 * @param {string} kind
 * @param {...import("./elements.js").Child} content
 */
function part(title, kind, ...content) {
  return make("section", { class: `part ${kind}`, "aria-label": title }, make("h2", {}, title), ...content);
}

/** @param {Measured} one @param {number} [digits] */
function told(one, digits = 2) {
  return one.value === null ? COMPARE.list.absent : `${figure(one.value, digits)}${one.unit === "1" || !one.unit ? "" : ` ${one.unit.replace("mm2", "mm²")}`}`;
}

/**
 * What forbids comparing, or asks for care; over the pictures.
 * @param {Comparison} comparison
 * @returns {HTMLElement}
 */
export function comparablePart({ latest, remarks }) {
  const words = COMPARE.comparable;
  const { checks } = latest.comparability;
  /** @param {string} verdict */
  const texts = (verdict) => checks.filter((check) => check.verdict === verdict).map((check) => check.text);
  const misfit = latest.alignment.trusted ? [] : [words.misfit, ...remarks.filter((one) => one.severity === "withheld").map((one) => one.text)];
  const [grave, care] = [texts("withhold"), texts("warn")];
  const kind = misfit.length || grave.length ? "wrong" : care.length ? "warn" : "fine";
  /** @param {string} lead @param {string[]} lines */
  const said = (lead, lines) => lines.length > 0 && make("p", {}, make("strong", {}, `${lead} `), lines.join(" "));
  const table = make("details", {}, make("summary", {}, words.all),
    make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": words.title }, make("table", {},
      make("thead", {}, make("tr", {}, ...words.columns.map((text) => make("th", { scope: "col" }, text)))),
      make("tbody", {}, ...checks.map((check) => make("tr", {},
        make("th", { scope: "row" }, check.question), make("td", {}, check.prior), make("td", {}, check.current),
        make("td", { class: `verdict ${check.verdict}` }, words.verdicts[check.verdict] ?? check.verdict)))))));
  return make("section", { class: `comparable ${kind}`, "aria-label": words.title },
    said(words.misfit, misfit.slice(1)), misfit.length === 1 && make("p", {}, make("strong", {}, words.misfit)),
    said(words.withhold, grave), said(words.warn, care), kind === "fine" && make("p", {}, words.fine), table);
}

/**
 * Half a minute: how many, the index, what the rules say.
 * @param {Comparison} comparison
 * @returns {HTMLElement}
 */
export function summaryPart(comparison) {
  const words = COMPARE.summary;
  const { latest, progression } = comparison;
  const all = ordered(comparison);
  const [lesions, faint] = [all.filter((one) => !one.faint_place), all.filter((one) => one.faint_place)];
  const bsi = latest.bone_scan_index;
  const fromTo = (/** @type {Changed} */ of) => [of.prior, of.current].map(({ value }) => (value === null ? words.withheld : index(value))).join(" → ");
  // The readings may disagree on what counts; a change that contradicts the figures above it would be believed by nobody.
  const together = fromTo(bsi.change) !== fromTo(bsi.as_read);
  const difference = bsi.change.difference.value;
  const withheld = latest.comparability.withholds_burden || difference === null;
  const sign = (difference ?? 0) > 0 ? "+" : (difference ?? 0) < 0 ? "−" : "±";
  /** @param {string} title @param {string} value @param {string} [note] @param {string} [kind] */
  const fact = (title, value, note = "", kind = "") => make("div", { class: "key" }, make("dt", {}, title),
    make("dd", {}, make("strong", { class: kind }, value), note && make("span", { class: "hint block" }, note)));
  const smaller = all.some((one) => one.style === "fell" || one.style === "gone");
  return part(words.title, "what-changed",
    make("dl", { class: "figures" },
      fact(words.lesions, counted(lesions) || words.none),
      faint.length > 0 && fact(words.faint, counted(faint)),
      fact(words.rules, COMPARE.states[progression.state] ?? progression.state, "", progression.state === "confirmed_PD" ? "high" : ""),
      fact(together ? words.indexAsRead : words.index, withheld ? words.withheld : fromTo(bsi.as_read)),
      !withheld && together && fact(words.indexTogether, fromTo(bsi.change)),
      !withheld && fact(words.indexChange, `${sign}${Math.abs(difference ?? 0).toFixed(2)} ${words.points}`,
        `${bsi.flagged ? words.beyond : words.within} (${bsi.repeatability_percent.toFixed(2)} ${words.points})`, bsi.flagged && (difference ?? 0) > 0 ? "high" : "")),
    make("p", { class: "hint" }, bsi.text),
    make("p", {}, progression.text, progression.next_step && ` ${progression.next_step}`),
    latest.area_response.text && make("p", { class: "hint" }, latest.area_response.text),
    smaller && make("p", { class: "hint" }, words.noBenefit),
    progression.cautions.length > 0 && make("ul", { class: "hint" }, ...progression.cautions.map((text) => make("li", {}, text))));
}

/** The list of lesions, linked to the picture. */
export class ChangesList {
  /** @param {Comparison} comparison @param {(id: number | null) => void} choose */
  constructor(comparison, choose) {
    this.lesions = ordered(comparison);
    this.choose = choose;
    const words = COMPARE.list;
    /** @type {Map<number, {row: HTMLElement, head: HTMLButtonElement, lesion: Lesion}>} */
    this.rows = new Map();
    const shown = this.lesions.filter((one) => !one.faint_place);
    const faint = this.lesions.filter((one) => one.faint_place);
    this.faint = make("details", {}, make("summary", {}, `${words.faint}: ${counted(faint)}`), this.listed(faint));
    this.element = part(words.title, "findings changes",
      make("p", { class: "hint keys-hint" }, words.keys),
      shown.length ? this.listed(shown) : make("p", { class: "hint" }, words.none),
      faint.length > 0 && this.faint,
      this.lesions.length > 0 && make("p", { class: "hint" }, words.dashed));
  }

  /** @param {Lesion[]} lesions */
  listed(lesions) {
    return make("ul", { class: "rows" }, ...lesions.map((lesion) => {
      const style = COMPARE.styles[lesion.style];
      const ratio = lesion.brightness.value;
      const head = make("button", { type: "button", "aria-expanded": "false", click: () => this.choose(head.getAttribute("aria-expanded") === "true" ? null : lesion.id) },
        make("span", { class: `letter ${lesion.style}` }, lesion.letter),
        make("span", {}, lesion.place),
        make("span", { class: "ratio" }, ratio === null ? "" : `${figure(ratio, 2)} ${COMPARE.list.times}`),
        make("span", { class: "nature" }, [style?.mark ?? lesion.style, COMPARE.list[/** @type {"merged" | "split"} */ (lesion.kind)] ?? ""].filter(Boolean).join("; ")));
      const row = make("li", { "data-change": lesion.id }, head);
      this.rows.set(lesion.id, { row, head, lesion });
      return row;
    }));
  }

  /** @param {number | null} id */
  show(id) {
    for (const [number, { row, head, lesion }] of this.rows) {
      const here = number === id;
      head.setAttribute("aria-expanded", String(here));
      row.classList.toggle("chosen", here);
      row.querySelector(".detail")?.remove();
      if (!here) continue;
      if (lesion.faint_place) this.faint.open = true;
      row.append(detail(lesion));
      row.scrollIntoView({ block: "nearest" });
    }
  }

  /** @param {number | null} id @param {1 | -1} by @returns {number | null} */
  beside(id, by) {
    const at = this.lesions.findIndex((one) => one.id === id);
    const next = at < 0 ? (by > 0 ? 0 : this.lesions.length - 1) : (at + by + this.lesions.length) % this.lesions.length;
    return this.lesions[next]?.id ?? null;
  }
}

/** @param {Lesion} lesion */
function detail(lesion) {
  const words = COMPARE.list;
  /** @type {[string, string][]} */
  const facts = [];
  /** @param {string} title @param {Changed} change */
  const both = (title, change) => {
    if (change.prior.value !== null || change.current.value !== null) facts.push([title, `${told(change.prior)} → ${told(change.current)}`]);
  };
  both(words.uptake, lesion.uptake_ratio);
  both(words.area, lesion.area);
  both(words.depth, lesion.depth);
  const { brightness, likelihood } = lesion;
  if (brightness.value !== null) facts.push([words.brightness, `${figure(brightness.value, 2)}${brightness.uncertainty === null ? "" : ` ± ${figure(brightness.uncertainty, 1)}`}`]);
  facts.push([words.significance, `${lesion.significance > 0 ? "+" : ""}${lesion.significance.toFixed(1)} ${words.sd}`]);
  facts.push([words.likelihood, likelihood.value === null ? words.notJudged : percent(likelihood.value)]);
  return make("div", { class: "detail" }, make("dl", { class: "facts" }, ...facts.flatMap(([title, text]) => [make("dt", {}, title), make("dd", { class: "number" }, text)])),
    make("p", {}, lesion.reason));
}

/**
 * @param {Comparison} comparison
 * @returns {HTMLElement}
 */
export function remarksPart({ remarks, method }) {
  return part(COMPARE.remarks, "remarks",
    remarks.length ? make("ul", {}, ...remarks.map((one) => make("li", {}, one.text))) : false,
    make("details", {}, make("summary", {}, COMPARE.method), make("ul", { class: "hint" }, ...Object.values(method).map((text) => make("li", {}, text)))));
}
