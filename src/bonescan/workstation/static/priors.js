/**
 * What the pages ask of the workstation about earlier scans of one person and their comparisons.
 * @module
 */

import { ask, Refused } from "./service.js";
import { WORDS } from "./words.js";

/**
 * @typedef {{state: "waiting" | "running" | "done" | "failed", progress: string, reason: string, made_at: string, id: number,
 *   outdated: boolean}} Comparing `made_at` is empty while there are no files.
 * @typedef {{study_uid: string, study_date: string, description: string, version: number, signed: boolean, differs: string[],
 *   comparison: Comparing | null}} Prior `differs`: what the files give otherwise for the same patient number.
 * @typedef {{priors: Prior[], timeline: import("./timeline.js").Told[]}} Priors
 */

/** @param {string} uid */
const place = (uid) => `/studies/${encodeURIComponent(uid)}`;

/**
 * Earlier scans, the newest first, and all of the person by date.
 * @param {string} uid
 * @returns {Promise<Priors>}
 */
export async function priorsOf(uid) {
  return (await ask(`${place(uid)}/priors`)).json();
}

/**
 * Have two scans compared.
 * @param {string} uid
 * @param {string} prior
 * @returns {Promise<void>}
 */
export async function compareAgain(uid, prior) {
  await ask(`${place(uid)}/comparisons`, { method: "POST", body: { prior } });
}

/**
 * Where a file of a comparison is.
 * @param {string} uid
 * @param {string} prior
 * @param {string} file
 */
export function comparisonAddress(uid, prior, file) {
  return `/api/v1${place(uid)}/comparisons/${encodeURIComponent(prior)}/${file}`;
}

/**
 * @param {string} uid
 * @param {string} prior
 * @param {string} file
 */
export async function comparisonFile(uid, prior, file) {
  return ask(`${place(uid)}/comparisons/${encodeURIComponent(prior)}/${file}`);
}

/**
 * One picture of a comparison.
 * @param {string} uid
 * @param {string} prior
 * @param {string} kind "prior", "difference", "row" or "column".
 * @param {string} view
 * @returns {Promise<{rows: number, columns: number, step: number, data: Float32Array}>}
 */
export async function comparisonMap(uid, prior, kind, view) {
  const answer = await ask(`${place(uid)}/comparisons/${encodeURIComponent(prior)}/maps/${kind}/${encodeURIComponent(view)}`);
  const rows = Number(answer.headers.get("X-Rows"));
  const columns = Number(answer.headers.get("X-Columns"));
  const bytes = await answer.arrayBuffer();
  if (bytes.byteLength !== rows * columns * 4) throw new Refused(0, "cut", WORDS.errors.cut);
  return { rows, columns, step: Number(answer.headers.get("X-Step") ?? 1), data: new Float32Array(bytes) };
}
