/**
 * What a reading of three phases says, beside its pictures: the calls, the table of what it may be, and why.
 * @module
 */

import { make } from "./elements.js";
import { readingFile, Refused } from "./service.js";
import { percent } from "./telling.js";
import { PHASES_WORDS as WORDS } from "./words_phases.js";

/** @typedef {{value: number | null, unit: string, uncertainty: number | null, absent_reason: string}} Measured */
/** @typedef {"flow" | "pool" | "delayed"} PhaseName */
/**
 * @typedef {{study: {phases: Record<PhaseName, {moved_mm: number | null, absent_reason: string}>},
 *   grid: {rows: number, columns: number, pixel_mm: number},
 *   region: {side: string, area_mm2: number} | null,
 *   findings: Array<{phase: PhaseName, call: string | null, ratio: Measured, limit: number | null, text: string}>,
 *   curves: Array<{side: string, middles_s: number[], rate_cps: Array<number | null>, arrival: Measured, slope: Measured}>,
 *   arrival_difference: Measured, slope_ratio: Measured,
 *   explanations: Array<{code: string, name: string, agreement: number, fits: boolean, side: string | null,
 *     evidence_for: string[], evidence_against: string[], cannot_tell: string[], advice: string[], source: string}>,
 *   sentences: string[], advice: string[], checks: Array<{verdict: string, text: string}>}} PhaseReading
 */

/**
 * @param {Measured | null | undefined} measured
 * @param {string} [unit]
 * @returns {string}
 */
export function told(measured, unit = "") {
  if (!measured || measured.value === null) return "–";
  const spread = measured.uncertainty === null ? "" : ` ± ${measured.uncertainty.toFixed(2)}`;
  return `${measured.value.toFixed(2)}${spread}${unit}`;
}

/** @param {string} title @param {string[]} lines */
const listed = (title, lines) => (lines.length ? [make("h4", {}, title), make("ul", {}, ...lines.map((line) => make("li", {}, line)))] : []);

/**
 * @param {PhaseReading | null} reading
 * @returns {HTMLElement}
 */
export function readingPart(reading) {
  const words = WORDS.reading;
  if (!reading) return make("section", { class: "part" }, make("h2", {}, words.title), make("p", { class: "hint" }, words.none));
  const warnings = [
    ...reading.checks.filter((check) => check.verdict !== "pass").map((check) => check.text),
    ...Object.entries(reading.study.phases).filter(([, one]) => (one.moved_mm ?? 0) >= 10)
      .map(([phase, one]) => words.moved(WORDS.phases[/** @type {PhaseName} */ (phase)], one.moved_mm ?? 0)),
  ];
  return make("section", { class: "part impression" }, make("h2", {}, words.title),
    make("ul", { class: "sentences" }, ...reading.sentences.map((line) => make("li", {}, line))),
    make("h3", {}, words.explanations), ...reading.explanations.map(explanation),
    reading.curves.length > 0 && flow(reading),
    warnings.length > 0 && make("h3", {}, words.checks),
    warnings.length > 0 && make("ul", { class: "warnings" }, ...warnings.map((line) => make("li", {}, line))));
}

/** @param {PhaseReading["explanations"][number]} one */
function explanation(one) {
  const words = WORDS.reading;
  const share = make("span", { class: "share" });
  share.style.inlineSize = `${100 * one.agreement}%`;
  const name = `${one.name.charAt(0).toUpperCase()}${one.name.slice(1)}${one.side ? `, ${one.side}` : ""}`;
  return make("details", { class: one.fits ? "explanation fits" : "explanation" },
    make("summary", {}, make("span", {}, name), make("span", { class: "number" }, one.fits ? `${words.fits} · ${percent(one.agreement)}` : percent(one.agreement)), make("span", { class: "track", title: words.agreement, "aria-hidden": "true" }, share)),
    ...listed(words.for, one.evidence_for), ...listed(words.against, one.evidence_against),
    ...listed(words.cannotTell, one.cannot_tell), ...listed(words.advice, one.advice),
    make("p", { class: "hint" }, `${words.source}: ${one.source}`));
}

/** @param {PhaseReading} reading */
function flow(reading) {
  const words = WORDS.reading;
  const rows = [
    ...reading.curves.map((curve) => [words.arrival(curve.side), told(curve.arrival, " s")]),
    [words.difference, told(reading.arrival_difference, " s")], [words.slope, told(reading.slope_ratio)],
  ];
  return make("div", {}, make("h3", {}, words.curves), make("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [make("dt", {}, name ?? ""), make("dd", { class: "number" }, value ?? "")])));
}

/**
 * The edges of the reading's region, from its picture of ids.
 * @param {string} uid @param {number} version @param {PhaseReading} reading
 * @returns {Promise<Array<[number, number, number, number]>>}
 */
export async function edgesOf(uid, version, reading) {
  let bitmap;
  try {
    const blob = await (await readingFile(uid, version, "phases_region.png")).blob();
    bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch (error) {
    if (error instanceof Refused) return []; // no region
    throw error;
  }
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  if (!context) return [];
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const mm = reading.grid.pixel_mm;
  const id = (/** @type {number} */ i, /** @type {number} */ j) => (i < 0 || j < 0 || i >= height || j >= width ? 0 : data[4 * (i * width + j)]);
  /** @type {Array<[number, number, number, number]>} */
  const edges = [];
  for (let i = 0; i <= height; i += 1) {
    for (let j = 0; j <= width; j += 1) {
      const [x, y] = [(j - width / 2) * mm, (i - height / 2) * mm];
      if (id(i, j) !== id(i - 1, j)) edges.push([x, y, x + mm, y]);
      if (id(i, j) !== id(i, j - 1)) edges.push([x, y, x, y + mm]);
    }
  }
  return edges;
}
