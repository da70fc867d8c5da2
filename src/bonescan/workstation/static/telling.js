/**
 * Figures, names and times in the words a physician reads.
 * @module
 */

import { WORDS } from "./words.js";

/**
 * A DICOM person name as people write it.
 * @param {string | null | undefined} name Family^Given^Middle^Prefix^Suffix.
 * @returns {string}
 */
export function personName(name) {
  const [family = "", given = "", middle = ""] = (name ?? "").split("=")[0]?.split("^") ?? [];
  const first = [given, middle].filter(Boolean).join(" ").trim();
  return [family.trim(), first].filter(Boolean).join(", ") || WORDS.list.unnamed;
}

/**
 * A probability in percent, never more exact than it is.
 * @param {number} share 0 to 1.
 * @returns {string}
 */
export function percent(share) {
  if (share > 0 && share < 0.01) return "< 1 %";
  if (share < 1 && share > 0.99) return "> 99 %";
  return `${Math.round(100 * share)} %`;
}

/**
 * A figure with at least so many significant digits, never in powers of ten.
 * @param {number} value
 * @param {number} [digits]
 * @returns {string}
 */
export function figure(value, digits = 3) {
  if (!Number.isFinite(value)) return WORDS.absent;
  const whole = Math.floor(Math.log10(Math.max(Math.abs(value), 1e-12))) + 1;
  return value.toLocaleString("en", { maximumFractionDigits: Math.min(20, Math.max(0, value === 0 ? 0 : digits - whole)) });
}

/**
 * The Bone Scan Index.
 * @param {number} value Percent.
 * @returns {string}
 */
export function index(value) {
  return `${value.toFixed(value < 10 ? 2 : 1)} %`;
}

/**
 * A date, or a time in the zone of whoever looks, as YYYY-MM-DD HH:MM.
 * @param {string} iso
 * @returns {string}
 */
export function moment(iso) {
  const at = new Date(iso);
  if (!iso || Number.isNaN(at.getTime())) return iso || WORDS.absent;
  /** @param {number} n */
  const two = (n) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

/**
 * Whole years between two days.
 * @param {string} born YYYY-MM-DD.
 * @param {string} on YYYY-MM-DD.
 * @returns {number | null}
 */
export function age(born, on) {
  const [a, b] = [born, on].map((day) => /^(\d{4})-(\d\d)-(\d\d)/.exec(day));
  if (!a || !b) return null;
  const [from, to] = [a, b].map((found) => found.slice(1).map(Number));
  if (!from || !to) return null;
  const [y0 = 0, m0 = 0, d0 = 0] = from;
  const [y1 = 0, m1 = 0, d1 = 0] = to;
  return y1 - y0 - (m1 < m0 || (m1 === m0 && d1 < d0) ? 1 : 0);
}

/**
 * Hours as hours and minutes.
 * @param {number} hours
 * @returns {string}
 */
export function duration(hours) {
  const minutes = Math.round(60 * hours);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}
