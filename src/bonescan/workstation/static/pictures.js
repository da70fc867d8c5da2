/**
 * Views as counts with geometry, and what can be worked out from the counts alone: body, window, grey.
 *
 * Rows and columns count from 0 at the upper left, as the camera stored them and as reading.json has them; pixel centres lie
 * at whole numbers. Millimetres count from the upper left edge of the first pixel.
 * @module
 */

/** @typedef {{lower: number, upper: number, log: boolean, inverse: boolean, smooth: boolean}} Window Counts per pixel. */
/** @typedef {{top: number, bottom: number, left: number, right: number}} Box Millimetres. */

/** One view of a scan. */
export class Picture {
  /**
   * @param {import("./service.js").ViewFacts} facts
   * @param {{rows: number, columns: number, data: Uint16Array | Float32Array}} counts
   */
  constructor(facts, counts) {
    this.name = facts.name;
    /** By what findings name their outlines in it: the view's name, unless two pictures show the same view. */
    this.key = facts.name;
    /** What stands over it; empty for the view's name. */
    this.title = "";
    this.rows = counts.rows;
    this.columns = counts.columns;
    this.rowMm = facts.row_spacing_mm;
    this.columnMm = facts.column_spacing_mm;
    this.data = counts.data;
    this.largest = facts.largest;
    /** Region ids, once the reading has come. @type {Uint8Array | null} */
    this.regions = null;
  }

  get heightMm() {
    return this.rows * this.rowMm;
  }

  get widthMm() {
    return this.columns * this.columnMm;
  }

  /** Posterior views are looked at from behind: what is left there is right in front. */
  get fromBehind() {
    return this.name.startsWith("posterior");
  }

  /**
   * @param {number} row
   * @param {number} column
   * @returns {number | null} Counts of the pixel; null beside the picture.
   */
  at(row, column) {
    const [i, j] = [Math.round(row), Math.round(column)];
    if (i < 0 || j < 0 || i >= this.rows || j >= this.columns) return null;
    return this.data[i * this.columns + j] ?? null;
  }

  /**
   * @param {number} row
   * @param {number} column
   * @returns {number} Id of the region there; 0 for none.
   */
  regionAt(row, column) {
    const [i, j] = [Math.round(row), Math.round(column)];
    if (!this.regions || i < 0 || j < 0 || i >= this.rows || j >= this.columns) return 0;
    return this.regions[i * this.columns + j] ?? 0;
  }

  /**
   * Where the body lies: all but a thousandth of the counts on each side, three centimetres wider.
   * @returns {Box}
   */
  body() {
    const rows = new Float64Array(this.rows);
    const columns = new Float64Array(this.columns);
    for (let i = 0, k = 0; i < this.rows; i += 1) {
      for (let j = 0; j < this.columns; j += 1, k += 1) {
        const n = this.data[k] ?? 0;
        rows[i] = (rows[i] ?? 0) + n;
        columns[j] = (columns[j] ?? 0) + n;
      }
    }
    const [top, bottom] = extent(rows);
    const [left, right] = extent(columns);
    const beyond = 30;
    return {
      top: Math.max(0, top * this.rowMm - beyond),
      bottom: Math.min(this.heightMm, (bottom + 1) * this.rowMm + beyond),
      left: Math.max(0, left * this.columnMm - beyond),
      right: Math.min(this.widthMm, (right + 1) * this.columnMm + beyond),
    };
  }
}

/**
 * @param {Float64Array} sums
 * @returns {[number, number]} First and last index between which nearly all lies.
 */
export function extent(sums) {
  let total = 0;
  for (const n of sums) total += n;
  const cut = total / 1000;
  let [first, last, sum] = [0, sums.length - 1, 0];
  while (first < last && (sum += sums[first] ?? 0) <= cut) first += 1;
  sum = 0;
  while (last > first && (sum += sums[last] ?? 0) <= cut) last -= 1;
  return [first, last];
}

/**
 * The window the report has too: lower a tenth of the median of this person's normal bone, upper its 98th percentile.
 * Before the regions are known, what is brighter than the haze stands for bone. One window for all views.
 * @param {ReadonlyArray<Picture>} pictures
 * @param {(picture: Picture, row: number, column: number) => boolean} [apart] Pixels of findings, which do not count.
 * @returns {{lower: number, upper: number}}
 */
export function ordinaryWindow(pictures, apart = () => false) {
  let [lower, upper] = [Infinity, 0];
  for (const picture of pictures) {
    const bone = [];
    if (picture.regions) {
      for (let k = 0; k < picture.data.length; k += 1) {
        if (picture.regions[k] && !apart(picture, Math.floor(k / picture.columns), k % picture.columns)) bone.push(picture.data[k] ?? 0);
      }
    }
    if (bone.length < 200) {
      bone.length = 0;
      const counted = picture.data.filter((n) => n > 0).sort();
      const haze = counted[Math.floor(0.5 * counted.length)] ?? 0;
      for (const n of counted) if (n > haze) bone.push(n);
    }
    if (!bone.length) continue;
    const sorted = Float32Array.from(bone).sort();
    const median = sorted[Math.floor(0.5 * (sorted.length - 1))] ?? 0;
    const high = Math.max(sorted[Math.floor(0.98 * (sorted.length - 1))] ?? 0, 1e-6);
    lower = Math.min(lower, 0.1 * median, 0.5 * high);
    upper = Math.max(upper, high);
  }
  return upper > 0 ? { lower: Number.isFinite(lower) ? lower : 0, upper } : { lower: 0, upper: 1 };
}

/**
 * Grey of a count, as both painters draw it: 0 black to 255 white.
 *
 * Linear: t = (n - lower) / (upper - lower). Logarithmic: t = log(1 + n - lower) / log(1 + upper - lower). t is cut to 0 to 1
 * and grey is 255 t, or 255 (1 - t) inverse.
 * @param {number} n
 * @param {Window} window
 * @returns {number}
 */
export function grey(n, window) {
  const above = Math.max(n - window.lower, 0);
  const span = window.upper - window.lower;
  const t = Math.min(window.log ? Math.log1p(above) / Math.log1p(span) : above / span, 1);
  return Math.round(255 * (window.inverse ? 1 - t : t));
}
