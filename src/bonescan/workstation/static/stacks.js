/**
 * Frames that belong together, and the flat pictures that are cut from them: one frame, the sum of several, a plane through a
 * volume, its maximum intensity projection from some side.
 *
 * A volume's slices go towards the head, its rows towards the back, its columns to the patient's left. Flat pictures lie as
 * one looks: heads up; from the feet, from in front and from the left side.
 * @module
 */

/**
 * @typedef {{key: string, kind: "whole body" | "spot" | "dynamic" | "tomographic" | "volume", label: string, view: string,
 *   part: string, phase: "" | "flow" | "pool" | "delayed", orientation: "" | "patient" | "oblique" | "unknown",
 *   frames: number, rows: number, columns: number, row_spacing_mm: number, column_spacing_mm: number,
 *   slice_spacing_mm: number | null, spacing_known: boolean, times_s: number[], durations_s: number[],
 *   angles_deg: number[], after_injection_s: number | null, largest: number, dtype: string}} SeriesFacts
 */
/**
 * What is cut: `at` is a frame, slice, row or column; `to` the last frame of a sum; `turn` degrees from the front towards the
 * patient's left side.
 * @typedef {{stack: Stack, way: "frame" | "sum" | "coronal" | "sagittal" | "mip", at: number, to: number, turn: number}} Cut
 */
/** @typedef {{rows: number, columns: number, rowMm: number, columnMm: number}} Size */

/** Frames with their geometry. */
export class Stack {
  /**
   * @param {SeriesFacts} facts
   * @param {Uint16Array | Float32Array} data
   */
  constructor(facts, data) {
    this.facts = facts;
    this.frames = facts.frames;
    this.rows = facts.rows;
    this.columns = facts.columns;
    this.rowMm = facts.row_spacing_mm;
    this.columnMm = facts.column_spacing_mm;
    this.sliceMm = facts.slice_spacing_mm ?? facts.row_spacing_mm;
    this.data = data;
  }

  get fromBehind() {
    return this.facts.view.startsWith("posterior");
  }

  /** @param {number} frame @param {number} row @param {number} column @returns {number} 0 beside the frames. */
  at(frame, row, column) {
    if (frame < 0 || row < 0 || column < 0 || frame >= this.frames || row >= this.rows || column >= this.columns) return 0;
    return this.data[(frame * this.rows + row) * this.columns + column] ?? 0;
  }
}

/** @param {Stack} stack @param {number} at @returns {Cut} */
export const frameOf = (stack, at) => ({ stack, way: "frame", at, to: at, turn: 0 });

/** @param {Stack} stack @param {number} from @param {number} to @returns {Cut} */
export const sumOf = (stack, from, to) => ({ stack, way: "sum", at: Math.min(from, to), to: Math.max(from, to), turn: 0 });

/** @param {Stack} stack @param {"coronal" | "sagittal"} way @param {number} at @returns {Cut} */
export const planeOf = (stack, way, at) => ({ stack, way, at, to: at, turn: 0 });

/** @param {Stack} stack @param {number} turn @returns {Cut} */
export const mipOf = (stack, turn) => ({ stack, way: "mip", at: 0, to: 0, turn: ((turn % 360) + 360) % 360 });

/** @param {Cut} cut @returns {string} Equal for equal flat pictures of one stack. */
export const nameOf = ({ way, at, to, turn }) => `${way} ${at} ${to} ${turn}`;

/**
 * How the rays of a projection run: bins of the finer spacing over the diagonal, so that no turn cuts anything off, and as
 * many more as put them on the columns when one looks from in front; steps of half a bin, one of them in the middle.
 * @param {Stack} stack
 * @returns {{bins: number, binMm: number, steps: number, stepMm: number}}
 */
export function rays(stack) {
  const binMm = Math.min(stack.rowMm, stack.columnMm);
  const across = Math.hypot(stack.rows * stack.rowMm, stack.columns * stack.columnMm);
  const enough = Math.ceil(across / binMm);
  const bins = enough + ((enough + stack.columns) % 2);
  return { bins, binMm, steps: 2 * bins + 1, stepMm: binMm / 2 };
}

/** @param {Cut} cut @returns {Size} */
export function sizeOf({ stack, way }) {
  const { rows, columns, frames, rowMm, columnMm, sliceMm } = stack;
  if (way === "coronal") return { rows: frames, columns, rowMm: sliceMm, columnMm };
  if (way === "sagittal") return { rows: frames, columns: rows, rowMm: sliceMm, columnMm: rowMm };
  if (way === "mip") {
    const { bins, binMm } = rays(stack);
    return { rows: frames, columns: bins, rowMm: sliceMm, columnMm: binMm };
  }
  return { rows, columns, rowMm, columnMm };
}

/**
 * The flat picture of a cut, row by row.
 * @param {Cut} cut
 * @returns {Float32Array}
 */
export function flatten(cut) {
  const { stack, way, at, to } = cut;
  const { rows, columns, frames, data } = stack;
  if (way === "mip") return mip(stack, cut.turn);
  const area = rows * columns;
  const size = sizeOf(cut);
  const made = new Float32Array(size.rows * size.columns);
  if (way === "frame") made.set(data.subarray(at * area, (at + 1) * area));
  else if (way === "sum") {
    for (let k = at; k <= to; k += 1) for (let i = 0, j = k * area; i < area; i += 1, j += 1) made[i] = /** @type {number} */ (made[i]) + /** @type {number} */ (data[j]);
  } else {
    for (let k = 0; k < frames; k += 1) {
      const below = (frames - 1 - k) * area; // the head is up
      const count = size.columns;
      const [first, step] = way === "coronal" ? [below + at * columns, 1] : [below + at, columns];
      for (let j = 0; j < count; j += 1) made[k * count + j] = /** @type {number} */ (data[first + j * step]);
    }
  }
  return made;
}

/** Voxels with the slices last, for every stack that was projected. @type {WeakMap<Stack, Float32Array>} */
const upright = new WeakMap();

/** @param {Stack} stack */
function slicesLast(stack) {
  const known = upright.get(stack);
  if (known) return known;
  const { frames, rows, columns, data } = stack;
  const area = rows * columns;
  const made = new Float32Array(data.length);
  for (let k = 0; k < frames; k += 1) for (let i = 0; i < area; i += 1) made[i * frames + k] = /** @type {number} */ (data[k * area + i]);
  upright.set(stack, made);
  return made;
}

/**
 * The maximum intensity projection: of every ray the largest value, bilinear between voxels, nothing beside the volume.
 *
 * With the turn f from the front, rays are a (cos f, sin f) + t (-sin f, cos f) in millimetres (to the left, to the back)
 * from the middle, a across the picture, t along the ray in steps of half a bin.
 * @param {Stack} stack
 * @param {number} turn Degrees.
 * @returns {Float32Array}
 */
function mip(stack, turn) {
  const { frames, rows, columns, rowMm, columnMm } = stack;
  const { bins, binMm, steps, stepMm } = rays(stack);
  const source = slicesLast(stack);
  const [cos, sin] = [Math.cos((turn * Math.PI) / 180), Math.sin((turn * Math.PI) / 180)];
  const made = new Float32Array(frames * bins);
  const most = new Float32Array(frames);
  for (let bin = 0; bin < bins; bin += 1) {
    const a = (bin - (bins - 1) / 2) * binMm;
    most.fill(0);
    for (let step = 0; step < steps; step += 1) {
      const t = (step - (steps - 1) / 2) * stepMm;
      const column = (a * cos - t * sin) / columnMm + (columns - 1) / 2;
      const row = (a * sin + t * cos) / rowMm + (rows - 1) / 2;
      const [i, j] = [Math.floor(row), Math.floor(column)];
      if (i < -1 || j < -1 || i >= rows || j >= columns) continue;
      const [down, right] = [row - i, column - j];
      // A corner beside the volume counts as nothing: its weight goes, and any voxel may stand in for it.
      const [top, bottom] = [i >= 0 ? 1 - down : 0, i + 1 < rows ? down : 0];
      const [left, other] = [j >= 0 ? 1 - right : 0, j + 1 < columns ? right : 0];
      const [i0, i1] = [Math.max(i, 0), Math.min(i + 1, rows - 1)];
      const [j0, j1] = [Math.max(j, 0), Math.min(j + 1, columns - 1)];
      const [w00, w01, w10, w11] = [top * left, top * other, bottom * left, bottom * other];
      const [p00, p01] = [(i0 * columns + j0) * frames, (i0 * columns + j1) * frames];
      const [p10, p11] = [(i1 * columns + j0) * frames, (i1 * columns + j1) * frames];
      for (let k = 0; k < frames; k += 1) {
        const n = w00 * /** @type {number} */ (source[p00 + k]) + w01 * /** @type {number} */ (source[p01 + k])
          + w10 * /** @type {number} */ (source[p10 + k]) + w11 * /** @type {number} */ (source[p11 + k]);
        if (n > /** @type {number} */ (most[k])) most[k] = n;
      }
    }
    for (let k = 0; k < frames; k += 1) made[(frames - 1 - k) * bins + bin] = /** @type {number} */ (most[k]);
  }
  return made;
}

/**
 * Where a ray of the projection meets its largest value.
 * @param {Stack} stack
 * @param {number} turn
 * @param {number} row Of the projection.
 * @param {number} bin
 * @returns {{slice: number, row: number, column: number} | null} Null where the ray meets nothing.
 */
export function brightest(stack, turn, row, bin) {
  const { binMm, bins, steps, stepMm } = rays(stack);
  const slice = stack.frames - 1 - Math.round(row);
  const [cos, sin] = [Math.cos((turn * Math.PI) / 180), Math.sin((turn * Math.PI) / 180)];
  const a = (bin - (bins - 1) / 2) * binMm;
  let [most, found] = [0, /** @type {{slice: number, row: number, column: number} | null} */ (null)];
  for (let step = 0; step < steps; step += 1) {
    const t = (step - (steps - 1) / 2) * stepMm;
    const j = Math.round((a * cos - t * sin) / stack.columnMm + (stack.columns - 1) / 2);
    const i = Math.round((a * sin + t * cos) / stack.rowMm + (stack.rows - 1) / 2);
    const n = stack.at(slice, i, j);
    if (n > most) [most, found] = [n, { slice, row: i, column: j }];
  }
  return found;
}

/**
 * Where a voxel falls on the projection.
 * @param {Stack} stack
 * @param {number} turn
 * @param {{slice: number, row: number, column: number}} voxel
 * @returns {{row: number, column: number}}
 */
export function projected(stack, turn, { slice, row, column }) {
  const { binMm, bins } = rays(stack);
  const [x, y] = [(column - (stack.columns - 1) / 2) * stack.columnMm, (row - (stack.rows - 1) / 2) * stack.rowMm];
  const a = x * Math.cos((turn * Math.PI) / 180) + y * Math.sin((turn * Math.PI) / 180);
  return { row: stack.frames - 1 - slice, column: a / binMm + (bins - 1) / 2 };
}

/**
 * The same volume with at most so many voxels: blocks of two voxels a side become their largest, so that a projection keeps
 * its peaks.
 * @param {Stack} stack
 * @param {number} voxels
 * @returns {Stack}
 */
export function coarser(stack, voxels) {
  let one = stack;
  while (one.frames * one.rows * one.columns > voxels) {
    const [frames, rows, columns] = [Math.ceil(one.frames / 2), Math.ceil(one.rows / 2), Math.ceil(one.columns / 2)];
    const data = new Float32Array(frames * rows * columns);
    for (let k = 0, n = 0; k < one.frames; k += 1) {
      for (let i = 0; i < one.rows; i += 1) {
        for (let j = 0; j < one.columns; j += 1, n += 1) {
          const place = ((k >> 1) * rows + (i >> 1)) * columns + (j >> 1);
          data[place] = Math.max(/** @type {number} */ (data[place]), /** @type {number} */ (one.data[n]));
        }
      }
    }
    const { facts } = one;
    one = new Stack({
      ...facts, frames, rows, columns, row_spacing_mm: 2 * facts.row_spacing_mm, column_spacing_mm: 2 * facts.column_spacing_mm,
      slice_spacing_mm: 2 * one.sliceMm,
    }, data);
  }
  return one;
}

/**
 * A level below which so great a share of what is brighter than nothing lies.
 * @param {ArrayLike<number>} data
 * @param {number} share
 * @returns {number}
 */
export function quantile(data, share) {
  const stride = Math.max(1, Math.floor(data.length / 200_000));
  const found = [];
  for (let k = 0; k < data.length; k += stride) if (/** @type {number} */ (data[k]) > 0) found.push(/** @type {number} */ (data[k]));
  const sorted = Float32Array.from(found).sort();
  return sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
}
