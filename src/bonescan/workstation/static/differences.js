/**
 * What a draft's reading says otherwise than the one it began from.
 * @module
 */

import { figure, index, percent } from "./telling.js";
import { WORDS } from "./words.js";
import { EDITING } from "./words_editing.js";

/**
 * @typedef {import("./panel.js").Reading} Reading
 * @typedef {import("./overlay.js").Finding} Finding
 * @typedef {{letter: string, id: number | null, style: string, text: string}} Difference
 */

/**
 * What a finding is taken for, in one word.
 * @param {Finding} finding
 * @returns {string}
 */
export function judgement(finding) {
  if (finding.kind !== "bone") return finding.kind;
  const [first] = Object.entries(finding.natures).sort((a, b) => b[1] - a[1]);
  return first?.[0] ?? WORDS.findings.natureAbsent;
}

/** @param {Finding} finding @param {string} view */
function outline(finding, view) {
  return JSON.stringify(finding.views[view]?.outline ?? []);
}

/**
 * Finding by finding.
 * @param {Reading} before
 * @param {Reading} now
 * @returns {Difference[]}
 */
export function differences(before, now) {
  const words = EDITING.changes;
  const names = /** @type {Record<string, string>} */ (EDITING.views);
  /** @type {Difference[]} */
  const told = [];
  for (const finding of now.findings) {
    const was = before.findings.find((one) => one.id === finding.id);
    const { letter, id } = finding;
    if (!was) {
      told.push({ letter, id, style: "drawn", text: `${words.drawn}: ${finding.place}, ${judgement(finding)}` });
      continue;
    }
    const parts = [];
    if (judgement(was) !== judgement(finding)) parts.push(`${judgement(was)} ${words.arrow} ${judgement(finding)}`);
    else if (was.judged_by !== finding.judged_by && finding.judged_by === "physician") parts.push(`${judgement(finding)} (${EDITING.physician})`);
    if (was.place !== finding.place) parts.push(`${was.place} ${words.arrow} ${finding.place}`);
    for (const view of new Set([...Object.keys(was.views), ...Object.keys(finding.views)])) {
      const [old, fresh] = [was.views[view], finding.views[view]];
      const name = names[view] ?? view;
      if (!old && fresh) parts.push(`${words.nowIn} ${name}`);
      else if (old && !fresh) parts.push(`${words.noMoreIn} ${name}`);
      else if (old && fresh && outline(was, view) !== outline(finding, view)) {
        parts.push(`${words.reshaped} ${name} ${figure(old.area_mm2 / 100, 2)} ${words.arrow} ${figure(fresh.area_mm2 / 100, 2)} cm²`);
      }
    }
    if (parts.length) told.push({ letter, id, style: "changed", text: parts.join("; ") });
  }
  for (const was of before.findings) {
    if (!now.findings.some((one) => one.id === was.id)) told.push({ letter: was.letter, id: null, style: "deleted", text: `${words.deleted}: ${was.place}, ${judgement(was)}` });
  }
  return told;
}

/**
 * The figures that a physician weighs, as texts.
 * @param {Reading} reading
 * @returns {{index: string, hotSpots: string, metastases: string}}
 */
export function figures({ burden, impression, findings }) {
  const certain = findings.some((one) => one.judged_by === "physician");
  const bsi = burden?.bone_scan_index_percent ?? null;
  const value = impression?.metastatic ?? null;
  return {
    index: bsi === null ? WORDS.impression.withheld : index(bsi),
    hotSpots: String(burden?.hot_spot_count ?? 0),
    metastases: value === null ? WORDS.impression.notJudged : (certain && WORDS.impression.decided[value]) || percent(value),
  };
}
