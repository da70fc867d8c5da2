/**
 * What can be measured on a view: distances, counts in a shape, and the ratio of a shape to the other side of the body.
 * @module
 */

/** @typedef {import("./pictures.js").Picture} Picture */
/** @typedef {import("./camera.js").Place} Place */
/**
 * Two corners: the ends of a distance, or opposite corners of the rectangle about a shape. `mate` is a shape's counterpart.
 * @typedef {{id: number, kind: "distance" | "ellipse" | "box", picture: Picture, from: Place, to: Place,
 *   mate: {from: Place, to: Place} | null}} Measure
 */
/** @typedef {{pixels: number, counts: number, mean: number, largest: number, areaMm2: number}} Inside */

/**
 * @param {Measure} measure
 * @returns {number} Millimetres in the plane of the picture.
 */
export function distanceMm({ picture, from, to }) {
  return Math.hypot((to.row - from.row) * picture.rowMm, (to.column - from.column) * picture.columnMm);
}

/**
 * Counts of the pixels whose centre lies in a shape.
 * @param {Picture} picture
 * @param {"ellipse" | "box"} kind
 * @param {Place} from
 * @param {Place} to
 * @returns {Inside}
 */
export function inside(picture, kind, from, to) {
  const [top, bottom] = [Math.min(from.row, to.row), Math.max(from.row, to.row)];
  const [left, right] = [Math.min(from.column, to.column), Math.max(from.column, to.column)];
  const [row, column] = [(top + bottom) / 2, (left + right) / 2];
  const [high, wide] = [Math.max((bottom - top) / 2, 1e-9), Math.max((right - left) / 2, 1e-9)];
  let [pixels, counts, largest] = [0, 0, 0];
  for (let i = Math.max(0, Math.ceil(top)); i <= Math.min(picture.rows - 1, bottom); i += 1) {
    for (let j = Math.max(0, Math.ceil(left)); j <= Math.min(picture.columns - 1, right); j += 1) {
      if (kind === "ellipse" && ((i - row) / high) ** 2 + ((j - column) / wide) ** 2 > 1) continue;
      const n = picture.data[i * picture.columns + j] ?? 0;
      pixels += 1;
      counts += n;
      largest = Math.max(largest, n);
    }
  }
  return { pixels, counts, largest, mean: pixels ? counts / pixels : 0, areaMm2: pixels * picture.rowMm * picture.columnMm };
}

/**
 * Ratio of the mean counts of two shapes, with the spread that counting alone gives.
 *
 * r = m1 / m2, and by Poisson's law and the propagation of errors s = r sqrt(1/N1 + 1/N2), N the counts inside.
 * @param {Inside} one
 * @param {Inside} other
 * @returns {{ratio: number, spread: number} | null} Null where either is empty.
 */
export function ratio(one, other) {
  if (!(one.counts > 0 && other.counts > 0)) return null;
  const r = one.mean / other.mean;
  return { ratio: r, spread: r * Math.sqrt(1 / one.counts + 1 / other.counts) };
}

/**
 * The column of the body's midline: the middle of spine and sacrum where the regions are known, else of the counts.
 * @param {Picture} picture
 * @returns {number}
 */
export function midline(picture) {
  const axial = new Set([2, 3, 9, 10]);
  let [weight, sum, all, every] = [0, 0, 0, 0];
  for (let k = 0; k < picture.data.length; k += 1) {
    const column = k % picture.columns;
    const n = picture.data[k] ?? 0;
    all += n;
    every += n * column;
    if (picture.regions && axial.has(picture.regions[k] ?? 0)) {
      weight += 1;
      sum += column;
    }
  }
  return weight > 200 ? sum / weight : all > 0 ? every / all : (picture.columns - 1) / 2;
}

/**
 * A shape on the other side of the midline.
 * @param {Measure} measure
 * @returns {{from: Place, to: Place}}
 */
export function mirrored({ picture, from, to }) {
  const middle = midline(picture);
  return { from: { row: from.row, column: 2 * middle - from.column }, to: { row: to.row, column: 2 * middle - to.column } };
}
