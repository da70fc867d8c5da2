/**
 * The course of one person over all studies: index and findings by date, as a drawing and as a table.
 * @module
 */

import { make } from "./elements.js";
import { index } from "./telling.js";
import { COMPARE } from "./words_compare.js";

/**
 * @typedef {{study_uid: string, study_date: string, bone_scan_index_percent: number | null, bone_findings: number,
 *   signed: boolean}} Told One study of the person, as its newest reading has it.
 */

const WIDE = 360;
const HIGH = 150;
const LEFT = 34;
const FOOT = 118; // where the index is 0
const TOP = 14;

/**
 * @param {string} tag
 * @param {Record<string, string | number>} facts
 * @param {...(Node | string)} children
 */
function drawn(tag, facts, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(facts)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * @param {readonly Told[]} studies By date.
 * @param {{current: string, prior: string, states: ReadonlyMap<string, string>, compared: number}} what `states`: PCWG3 by study.
 * @returns {HTMLElement}
 */
export function coursePart(studies, { current, prior, states, compared }) {
  const words = COMPARE.course;
  const rows = [...studies].reverse().map((one) => {
    const here = one.study_uid === current;
    const shown = one.study_uid === prior;
    const place = here ? words.here : shown ? words.shown : one.study_date < (studies.find((s) => s.study_uid === current)?.study_date ?? "")
      ? make("a", { href: `/study/${encodeURIComponent(current)}/compare/${encodeURIComponent(one.study_uid)}` }, words.compare)
      : make("a", { href: `/study/${encodeURIComponent(one.study_uid)}` }, words.open);
    const state = states.get(one.study_uid);
    return make("tr", { class: here || shown ? "chosen" : null },
      make("th", { scope: "row", class: "number" }, one.study_date || COMPARE.undated),
      make("td", { class: "number" }, one.bone_scan_index_percent === null ? words.withheld : index(one.bone_scan_index_percent)),
      make("td", { class: "number" }, String(one.bone_findings)),
      make("td", {}, state === undefined ? "" : (COMPARE.states[state] ?? state)), make("td", {}, place));
  });
  return make("section", { class: "part course", "aria-label": words.title }, make("h2", {}, words.title),
    chart(studies, current, prior),
    make("table", {}, make("thead", {}, make("tr", {}, ...words.columns.map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, ...rows)),
    make("p", { class: "hint" }, [words.indexNote, compared ? words.rulesOver(compared) : ""].filter(Boolean).join(" ")));
}

/** @param {readonly Told[]} studies @param {string} current @param {string} prior */
function chart(studies, current, prior) {
  const days = studies.map((one) => Date.parse(one.study_date) / 86_400_000);
  const [first, last] = [Math.min(...days), Math.max(...days)];
  /** @param {number} k */
  const across = (k) => LEFT + 20 + ((WIDE - LEFT - 50) * ((days[k] ?? first) - first)) / Math.max(last - first, 1);
  const most = 1.15 * Math.max(0.1, ...studies.map((one) => one.bone_scan_index_percent ?? 0));
  /** @param {number} value */
  const up = (value) => FOOT - ((FOOT - TOP) * value) / most;
  const points = studies.flatMap((one, k) => (one.bone_scan_index_percent === null ? [] : [{ x: across(k), y: up(one.bone_scan_index_percent), one }]));
  const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find((size) => most / size <= 4) ?? 50;
  const lines = Array.from({ length: Math.floor(most / step) + 1 }, (_, k) => k * step).flatMap((value) => [
    drawn("line", { class: "grid", x1: LEFT, x2: WIDE - 8, y1: up(value), y2: up(value) }),
    drawn("text", { class: "tick", x: LEFT - 4, y: up(value) + 4, "text-anchor": "end" }, String(Number(value.toFixed(2)))),
  ]);
  const marks = points.flatMap(({ x, y, one }) => [
    drawn("circle", { class: one.study_uid === current ? "now" : one.study_uid === prior ? "then" : "other", cx: x, cy: y, r: one.study_uid === current || one.study_uid === prior ? 5 : 3.5 }),
    ...(points.length <= 6 ? [drawn("text", { class: "value", x, y: y - 8, "text-anchor": "middle" }, one.bone_scan_index_percent?.toFixed(2) ?? "")] : []),
  ]);
  // Dates that would lie on each other are left out: the table has them all.
  let right = -Infinity;
  const dates = studies.flatMap((one, k) => {
    const x = across(k);
    if (x - right < 66) return [];
    right = x;
    return [drawn("text", { class: "tick", x, y: FOOT + 16, "text-anchor": "middle" }, one.study_date)];
  });
  const path = points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
  return drawn("svg", { class: "chart", viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": COMPARE.course.chart },
    ...lines, drawn("polyline", { class: "line", points: path }), ...marks, ...dates,
    drawn("text", { class: "tick", x: 2, y: HIGH - 4 }, `${COMPARE.summary.index}, %`));
}
