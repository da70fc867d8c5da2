/**
 * Regions on both sides of the body: their place in millimetres as seen from the front, what they count in every view and
 * phase, and how one side stands against the other.
 * @module
 */

import { extent } from "./pictures.js";
import { quantile } from "./stacks.js";

/** @typedef {import("./stacks.js").Stack} Stack */
/**
 * Half extents and the middle of a shape: `x` to the patient's left, `y` down, from the middle of the picture; `mate` is the
 * middle of its counterpart.
 * @typedef {{kind: "ellipse" | "box", x: number, y: number, wide: number, high: number, mate: {x: number, y: number}}} Region
 */
/** @typedef {{x: number, y: number}} Middle */
/** @typedef {{startS: number, durationS: number, own: number, mate: number}} CurvePoint Counts of a frame, all views. */

/**
 * The middle of a pixel in millimetres from the picture's middle, as seen from the front.
 * @param {Stack} stack @param {number} row @param {number} column
 * @returns {Middle}
 */
export function seenFromFront(stack, row, column) {
  const x = (column - (stack.columns - 1) / 2) * stack.columnMm;
  return { x: stack.fromBehind ? -x : x, y: (row - (stack.rows - 1) / 2) * stack.rowMm };
}

/**
 * @param {Stack} stack @param {Middle} middle
 * @returns {{row: number, column: number}}
 */
export function placeOf(stack, { x, y }) {
  return { row: y / stack.rowMm + (stack.rows - 1) / 2, column: (stack.fromBehind ? -x : x) / stack.columnMm + (stack.columns - 1) / 2 };
}

/**
 * Pixels of a frame whose middle lies in the shape.
 * @param {Stack} stack @param {Region} region @param {Middle} middle
 * @returns {number[]}
 */
export function pixelsIn(stack, { kind, wide, high }, middle) {
  const at = placeOf(stack, middle);
  const [rows, columns] = [Math.max(high / stack.rowMm, 1e-9), Math.max(wide / stack.columnMm, 1e-9)];
  const found = [];
  for (let i = Math.max(0, Math.ceil(at.row - rows)); i <= Math.min(stack.rows - 1, at.row + rows); i += 1) {
    for (let j = Math.max(0, Math.ceil(at.column - columns)); j <= Math.min(stack.columns - 1, at.column + columns); j += 1) {
      if (kind === "ellipse" && ((i - at.row) / rows) ** 2 + ((j - at.column) / columns) ** 2 > 1) continue;
      found.push(i * stack.columns + j);
    }
  }
  return found;
}

/**
 * Counts of the pixels, frame by frame.
 * @param {Stack} stack @param {number[]} pixels
 * @returns {Float64Array}
 */
export function countsIn(stack, pixels) {
  const made = new Float64Array(stack.frames);
  const area = stack.rows * stack.columns;
  for (let k = 0; k < stack.frames; k += 1) for (const pixel of pixels) made[k] = (made[k] ?? 0) + (stack.data[k * area + pixel] ?? 0);
  return made;
}

/**
 * What both sides count in one phase, all its views added up, in pixels per view too.
 * @param {Stack[]} stacks The phase's views.
 * @param {Region} region
 * @returns {{own: number, mate: number, ownPixels: number, matePixels: number, points: CurvePoint[]}}
 */
export function bothSides(stacks, region) {
  let [own, mate, ownPixels, matePixels] = [0, 0, 0, 0];
  /** @type {CurvePoint[]} */
  const points = [];
  for (const stack of stacks) {
    const [here, there] = [pixelsIn(stack, region, region), pixelsIn(stack, region, region.mate)];
    const [a, b] = [countsIn(stack, here), countsIn(stack, there)];
    ownPixels += here.length;
    matePixels += there.length;
    for (let k = 0; k < stack.frames; k += 1) {
      const [n, m] = [a[k] ?? 0, b[k] ?? 0];
      own += n;
      mate += m;
      const point = points[k] ?? { startS: stack.facts.times_s[k] ?? k, durationS: stack.facts.durations_s[k] ?? 1, own: 0, mate: 0 };
      points[k] = { ...point, own: point.own + n, mate: point.mate + m };
    }
  }
  return { own, mate, ownPixels, matePixels, points };
}

/**
 * Ratio of the mean counts of two sides, with the spread that counting alone gives: r sqrt(1/N1 + 1/N2).
 * @param {{own: number, mate: number, ownPixels: number, matePixels: number}} sides
 * @returns {{value: number, spread: number} | null} Null where either side is empty.
 */
export function sideRatio({ own, mate, ownPixels, matePixels }) {
  if (!(own > 0 && mate > 0)) return null;
  const value = own / ownPixels / (mate / matePixels);
  return { value, spread: value * Math.sqrt(1 / own + 1 / mate) };
}

/**
 * Where the body lies in all pictures, millimetres seen from the front: all but a thousandth of the counts on each side, two
 * centimetres wider.
 * @param {Stack[]} stacks
 * @returns {{left: number, right: number, top: number, bottom: number}}
 */
export function bodyOf(stacks) {
  const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
  for (const stack of stacks) {
    const [rows, columns] = [new Float64Array(stack.rows), new Float64Array(stack.columns)];
    for (let k = 0; k < stack.data.length; k += 1) {
      const n = stack.data[k] ?? 0;
      const [i, j] = [Math.floor(k / stack.columns) % stack.rows, k % stack.columns];
      rows[i] = (rows[i] ?? 0) + n;
      columns[j] = (columns[j] ?? 0) + n;
    }
    const [[top, bottom], [left, right]] = [extent(rows), extent(columns)];
    const [a, b] = [seenFromFront(stack, top, left), seenFromFront(stack, bottom, right)];
    Object.assign(box, {
      left: Math.min(box.left, a.x - 20, b.x - 20), right: Math.max(box.right, a.x + 20, b.x + 20),
      top: Math.min(box.top, a.y - 20), bottom: Math.max(box.bottom, b.y + 20),
    });
  }
  return box;
}

/**
 * The body's middle, in millimetres to the left of the picture's: of its counts, none above the median of those that are
 * there, so that a hot place does not draw it to itself.
 * @param {Stack[]} stacks
 * @returns {number}
 */
export function middleOf(stacks) {
  let [sum, all] = [0, 0];
  for (const stack of stacks) {
    const most = quantile(stack.data, 0.5);
    for (let k = 0; k < stack.data.length; k += 1) {
      const n = Math.min(stack.data[k] ?? 0, most);
      if (!n) continue;
      sum += n * seenFromFront(stack, 0, k % stack.columns).x;
      all += n;
    }
  }
  return all > 0 ? sum / all : 0;
}
