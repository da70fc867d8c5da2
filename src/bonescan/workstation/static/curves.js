/**
 * Time-activity curves of two sides, as a drawing that scales.
 * @module
 */

import { figure } from "./telling.js";

/** @typedef {{name: "own" | "mate", kind: "live" | "read", points: Array<{x: number, y: number, spread: number}>}} Curve */

const [WIDE, HIGH, LEFT, BOTTOM, TOP, RIGHT] = [360, 190, 42, 30, 10, 8];
const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag @param {Record<string, string | number>} facts @param {string} [text]
 * @returns {SVGElement}
 */
function draw(tag, facts, text) {
  const made = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  for (const [name, value] of Object.entries(facts)) made.setAttribute(name, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/** A step of 1, 2 or 5 times a power of ten that gives few ticks. @param {number} span */
function ticksOf(span) {
  const raw = Math.max(span, 1e-9) / 4;
  const ten = 10 ** Math.floor(Math.log10(raw));
  const step = ten * (raw / ten < 1.5 ? 1 : raw / ten < 3.5 ? 2 : raw / ten < 7.5 ? 5 : 10);
  return Array.from({ length: Math.floor(span / step + 1e-9) + 1 }, (_, k) => k * step);
}

/**
 * @param {{curves: Curve[], now: {from: number, to: number} | null, title: string, xName: string, yName: string}} what `now`:
 *   which seconds are shown in the picture.
 * @returns {SVGElement}
 */
export function curvesDrawing({ curves, now, title, xName, yName }) {
  const all = curves.flatMap((curve) => curve.points);
  const right = Math.max(1, ...all.map((point) => point.x));
  const top = Math.max(1e-6, ...all.map((point) => point.y + point.spread)) * 1.05;
  const x = (/** @type {number} */ n) => LEFT + (n / right) * (WIDE - LEFT - RIGHT);
  const y = (/** @type {number} */ n) => HIGH - BOTTOM - (n / top) * (HIGH - BOTTOM - TOP);
  const made = draw("svg", { class: "curves", viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": title });
  if (now) made.append(draw("rect", { class: "band now", x: x(now.from), y: TOP, width: Math.max(1, x(now.to) - x(now.from)), height: HIGH - BOTTOM - TOP }));
  made.append(draw("path", { class: "axis", d: `M${LEFT} ${TOP}V${HIGH - BOTTOM}H${WIDE - RIGHT}` }));
  for (const n of ticksOf(right)) made.append(draw("text", { x: x(n), y: HIGH - BOTTOM + 13, "text-anchor": "middle" }, figure(n)));
  for (const n of ticksOf(top)) made.append(draw("text", { x: LEFT - 5, y: y(n) + 4, "text-anchor": "end" }, figure(n, 2)));
  made.append(draw("text", { x: (LEFT + WIDE) / 2, y: HIGH - 3, "text-anchor": "middle" }, xName));
  made.append(draw("text", { x: LEFT + 4, y: TOP + 9 }, yName));
  for (const { name, kind, points } of curves) {
    if (points.length < 2) continue;
    const line = (/** @type {Array<[number, number]>} */ places) => places.map(([a, b], k) => `${k ? "L" : "M"}${x(a).toFixed(1)} ${y(Math.max(0, b)).toFixed(1)}`).join("");
    if (kind === "live") {
      const up = points.map((p) => /** @type {[number, number]} */ ([p.x, p.y + p.spread]));
      const down = points.map((p) => /** @type {[number, number]} */ ([p.x, p.y - p.spread])).reverse();
      made.append(draw("path", { class: `band ${name}`, d: `${line(up)}${line(down).replace("M", "L")}Z` }));
    }
    made.append(draw("path", { class: `${name} ${kind}`, d: line(points.map((p) => [p.x, p.y])) }));
  }
  return made;
}
