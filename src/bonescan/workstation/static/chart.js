/**
 * A control chart: values by day, what is usual, and the median of each month; the numbers stand in a table beside it.
 * @module
 */

import { figure } from "./telling.js";

/**
 * @typedef {{median: number, robust_sd: number, look_below: number, look_above: number, act_below: number, act_above: number}} Limits
 * @typedef {{month: string, studies: number, median: number, drifts: boolean}} Month
 */

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [960, 250];
const [LEFT, RIGHT, TOP, BOTTOM] = [84, 12, 10, 26];
const DAY_MS = 86_400_000;

/**
 * @param {string} tag
 * @param {Record<string, string | number>} facts
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function drawn(tag, facts, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(facts)) element.setAttribute(name, typeof value === "number" ? String(Math.round(value * 100) / 100) : value);
  element.append(...children);
  return element;
}

/**
 * @param {{points: [string, number][], months: Month[], limits: Limits | null, first: string, last: string, told: string}} what
 * @returns {SVGElement}
 */
export function controlChart({ points, months, limits, first, last, told }) {
  const values = points.map((one) => one[1]);
  const [low, high] = range([...values, ...(limits ? [limits.act_below, limits.act_above] : [])]);
  const from = Date.parse(first);
  const span = Math.max(Date.parse(last) - from, 28 * DAY_MS);
  /** @param {number} at */
  const x = (at) => LEFT + ((WIDTH - LEFT - RIGHT) * (at - from)) / span;
  /** @param {number} value */
  const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low));
  const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": told });
  /** @param {string} kind @param {number} below @param {number} above */
  const band = (kind, below, above) => {
    const [top, bottom] = [y(Math.min(above, high)), y(Math.max(below, low))];
    if (bottom > top) picture.append(drawn("rect", { class: kind, x: LEFT, y: top, width: WIDTH - LEFT - RIGHT, height: bottom - top }));
  };
  if (limits) {
    band("act", limits.act_above, high);
    band("look", limits.look_above, limits.act_above);
    band("usual", limits.look_below, limits.look_above);
    band("look", limits.act_below, limits.look_below);
    band("act", low, limits.act_below);
    picture.append(drawn("line", { class: "middle", x1: LEFT, x2: WIDTH - RIGHT, y1: y(limits.median), y2: y(limits.median) }));
  }
  for (const tick of ticks(low, high)) {
    picture.append(drawn("line", { class: "grid", x1: LEFT - 5, x2: LEFT, y1: y(tick), y2: y(tick) }), label(figure(tick), LEFT - 9, y(tick) + 4, "end"));
  }
  for (const { at, text } of monthTicks(from, from + span)) {
    picture.append(drawn("line", { class: "grid", x1: x(at), x2: x(at), y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 5 }), label(text, x(at), HEIGHT - 6, "middle"));
  }
  picture.append(drawn("path", { class: "grid", fill: "none", d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}` }));
  picture.append(...dots(points, limits, x, y));
  const middles = months.map((one) => ({ ...one, at: x(Date.parse(`${one.month}-15`)), y: y(one.median) })).filter((one) => one.at >= LEFT - 20 && one.at <= WIDTH);
  if (middles.length > 1) picture.append(drawn("polyline", { class: "medians", points: middles.map((one) => `${Math.max(LEFT, one.at).toFixed(1)},${one.y.toFixed(1)}`).join(" ") }));
  for (const one of middles) picture.append(drawn("circle", { class: one.drifts ? "median drifts" : "median", cx: Math.max(LEFT, one.at), cy: one.y, r: one.drifts ? 5.5 : 3.6 }));
  return picture;
}

/**
 * The points in three paths, one for each kind: a circle, a square beyond two deviations, a triangle beyond three.
 * @param {[string, number][]} points
 * @param {Limits | null} limits
 * @param {(at: number) => number} x
 * @param {(value: number) => number} y
 */
function dots(points, limits, x, y) {
  const paths = { point: "", beyond: "", far: "" };
  for (const [day, value] of points) {
    const [cx, cy] = [x(Date.parse(day)).toFixed(1), y(value).toFixed(1)];
    const away = limits ? Math.abs(value - limits.median) / limits.robust_sd : 0;
    if (away > 3) paths.far += `M${cx} ${cy}m0-6l5.5 9.5h-11z`;
    else if (away > 2) paths.beyond += `M${cx} ${cy}m-3.6-3.6h7.2v7.2h-7.2z`;
    else paths.point += `M${cx} ${cy}m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0`;
  }
  return Object.entries(paths).filter(([, d]) => d).map(([kind, d]) => drawn("path", { class: kind, d }));
}

/** @param {string} text @param {number} x @param {number} y @param {string} anchor */
function label(text, x, y, anchor) {
  return drawn("text", { x, y, "text-anchor": anchor }, document.createTextNode(text));
}

/** @param {number[]} values @returns {[number, number]} */
function range(values) {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (!(high > low)) [low, high] = [low * 0.9 - 1e-9, low * 1.1 + 1e-9];
  const room = 0.06 * (high - low);
  return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
}

/** @param {number} low @param {number} high */
function ticks(low, high) {
  const raw = (high - low) / 5;
  const ten = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((one) => one * ten).find((one) => one >= raw) ?? raw;
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k += 1) found.push(k * step);
  return found;
}

/** @param {number} from @param {number} to */
function monthTicks(from, to) {
  const found = [];
  const start = new Date(from);
  const every = Math.max(1, Math.ceil((to - from) / DAY_MS / 30.4 / 12));
  for (let k = 1; ; k += every) {
    const at = Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + k, 1);
    if (at > to) return found;
    found.push({ at, text: new Date(at).toISOString().slice(0, 7) });
  }
}
