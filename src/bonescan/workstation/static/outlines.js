/**
 * Outlines as polygons: what drawing, brushing and mirroring do to them.
 *
 * Vertices are [row, column] with pixel centres at whole numbers, as reading.json has them, not closed twice.
 * @module
 */

/** @typedef {[number, number]} Vertex */
/** @typedef {import("./pictures.js").Picture} Picture */
/** @typedef {import("./camera.js").Place} Place */

const STEP = 4; // samples of a pixel's edge while an outline is worked on
const REACH = 60; // pixels about an outline that a brush can go

/**
 * Where a place of one view is seen in another: opposite heads see the same person at the same height, mirrored across.
 * @param {Place} place
 * @param {Picture} from
 * @param {Picture} to
 * @returns {Place}
 */
export function facing(place, from, to) {
  const across = (place.column + 0.5) * from.columnMm - from.widthMm / 2;
  const there = from.fromBehind === to.fromBehind ? across : -across;
  return { row: ((place.row + 0.5) * from.rowMm) / to.rowMm - 0.5, column: (to.widthMm / 2 + there) / to.columnMm - 0.5 };
}

/**
 * An outline as the other view would show it.
 * @param {ReadonlyArray<Readonly<Vertex>>} outline
 * @param {Picture} from
 * @param {Picture} to
 * @returns {Vertex[]}
 */
export function facingOutline(outline, from, to) {
  return outline.map(([row, column]) => {
    const there = facing({ row, column }, from, to);
    return [there.row, there.column];
  });
}

/**
 * @param {ReadonlyArray<Readonly<Vertex>>} outline
 * @returns {{top: number, bottom: number, left: number, right: number}}
 */
export function boxOf(outline) {
  const box = { top: Infinity, bottom: -Infinity, left: Infinity, right: -Infinity };
  for (const [row, column] of outline) {
    box.top = Math.min(box.top, row);
    box.bottom = Math.max(box.bottom, row);
    box.left = Math.min(box.left, column);
    box.right = Math.max(box.right, column);
  }
  return box;
}

/**
 * Area by the surveyor's formula, A = |sum (r_i c_(i+1) - r_(i+1) c_i)| / 2.
 * @param {ReadonlyArray<Readonly<Vertex>>} outline
 * @returns {number} Pixels.
 */
export function areaOf(outline) {
  let twice = 0;
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i, i += 1) {
    const [r1, c1] = outline[j] ?? [0, 0];
    const [r2, c2] = outline[i] ?? [0, 0];
    twice += r1 * c2 - r2 * c1;
  }
  return Math.abs(twice) / 2;
}

/**
 * The same closed line with fewer vertices (Ramer, Douglas and Peucker): none farther from it than a tolerance.
 * @param {Vertex[]} outline
 * @param {number} tolerance Pixels.
 * @returns {Vertex[]}
 */
export function simpler(outline, tolerance) {
  if (outline.length < 5) return outline;
  const [first = [0, 0]] = outline;
  let far = 0;
  let most = -1;
  outline.forEach(([r, c], k) => {
    const away = Math.hypot(r - first[0], c - first[1]);
    if (away > most) [far, most] = [k, away];
  });
  const kept = [...thinned(outline.slice(0, far + 1), tolerance).slice(0, -1), ...thinned([...outline.slice(far), first], tolerance).slice(0, -1)];
  return kept.length < 3 ? outline : kept;
}

/** @param {Vertex[]} line @param {number} tolerance @returns {Vertex[]} */
function thinned(line, tolerance) {
  const [a, b] = [line[0], line.at(-1)];
  if (!a || !b || line.length < 3) return line;
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
  let [at, most] = [0, 0];
  for (let k = 1; k < line.length - 1; k += 1) {
    const [r, c] = line[k] ?? a;
    const away = length ? Math.abs((b[0] - a[0]) * (c - a[1]) - (b[1] - a[1]) * (r - a[0])) / length : Math.hypot(r - a[0], c - a[1]);
    if (away > most) [at, most] = [k, away];
  }
  if (most <= tolerance) return [a, b];
  return [...thinned(line.slice(0, at + 1), tolerance).slice(0, -1), ...thinned(line.slice(at), tolerance)];
}

/**
 * How much of a straight line lies in an outline.
 * @param {ReadonlyArray<Readonly<Vertex>>} outline
 * @param {Place} from
 * @param {Place} to
 * @param {(outline: ReadonlyArray<Readonly<Vertex>>, place: Place) => boolean} within
 * @returns {number} 0 to 1.
 */
export function crossed(outline, from, to, within) {
  const points = 64;
  let hits = 0;
  for (let k = 0; k <= points; k += 1) {
    const t = k / points;
    if (within(outline, { row: from.row + t * (to.row - from.row), column: from.column + t * (to.column - from.column) })) hits += 1;
  }
  return hits / (points + 1);
}

/** A piece of a view in small cells, on which an outline is filled, brushed and drawn anew. */
export class Patch {
  /**
   * @param {ReadonlyArray<Readonly<Vertex>>} outline
   * @param {{rows: number, columns: number}} picture
   * @param {number} [reach] Pixels about the outline.
   */
  constructor(outline, picture, reach = REACH) {
    const box = boxOf(outline);
    this.top = Math.max(-1, Math.floor(box.top) - reach);
    this.left = Math.max(-1, Math.floor(box.left) - reach);
    this.rows = Math.max(1, STEP * (Math.min(picture.rows, Math.ceil(box.bottom) + reach) - this.top));
    this.columns = Math.max(1, STEP * (Math.min(picture.columns, Math.ceil(box.right) + reach) - this.left));
    this.cells = new Uint8Array(this.rows * this.columns);
    this.fill(outline);
  }

  /** @param {number} k @returns {number} Row of the view at which the cells' row begins. */
  row(k) {
    return this.top + k / STEP;
  }

  /** @param {number} k */
  column(k) {
    return this.left + k / STEP;
  }

  /** @param {ReadonlyArray<Readonly<Vertex>>} outline */
  fill(outline) {
    for (let i = 0; i < this.rows; i += 1) {
      const row = this.row(i + 0.5);
      /** @type {number[]} */
      const at = [];
      for (let a = 0, b = outline.length - 1; a < outline.length; b = a, a += 1) {
        const [r1, c1] = outline[a] ?? [0, 0];
        const [r2, c2] = outline[b] ?? [0, 0];
        if (r1 > row !== r2 > row) at.push(((c2 - c1) * (row - r1)) / (r2 - r1) + c1);
      }
      at.sort((one, other) => one - other);
      for (let k = 0; k + 1 < at.length; k += 2) {
        const from = Math.max(0, Math.ceil(((at[k] ?? 0) - this.left) * STEP - 0.5));
        const to = Math.min(this.columns - 1, Math.floor(((at[k + 1] ?? 0) - this.left) * STEP - 0.5));
        if (to >= from) this.cells.fill(1, i * this.columns + from, i * this.columns + to + 1);
      }
    }
  }

  /**
   * Go over a stretch with a round brush.
   * @param {Place} from
   * @param {Place} to
   * @param {number} rows Radius of the brush, in rows of the view.
   * @param {number} columns The same in columns.
   * @param {boolean} adds Or takes away.
   */
  brush(from, to, rows, columns, adds) {
    const [r1, c1, r2, c2] = [from.row / rows, from.column / columns, to.row / rows, to.column / columns];
    const length = (r2 - r1) ** 2 + (c2 - c1) ** 2;
    const first = Math.max(0, Math.floor((Math.min(from.row, to.row) - rows - this.top) * STEP));
    const last = Math.min(this.rows - 1, Math.ceil((Math.max(from.row, to.row) + rows - this.top) * STEP));
    const left = Math.max(0, Math.floor((Math.min(from.column, to.column) - columns - this.left) * STEP));
    const right = Math.min(this.columns - 1, Math.ceil((Math.max(from.column, to.column) + columns - this.left) * STEP));
    for (let i = first; i <= last; i += 1) {
      const r = this.row(i + 0.5) / rows;
      for (let j = left; j <= right; j += 1) {
        const c = this.column(j + 0.5) / columns;
        const t = length ? Math.min(1, Math.max(0, ((r - r1) * (r2 - r1) + (c - c1) * (c2 - c1)) / length)) : 0;
        if ((r - r1 - t * (r2 - r1)) ** 2 + (c - c1 - t * (c2 - c1)) ** 2 <= 1) this.cells[i * this.columns + j] = adds ? 1 : 0;
      }
    }
  }

  /**
   * The outer edge of the largest piece.
   * @returns {Vertex[]} Empty where nothing is left.
   */
  outline() {
    const { piece, start } = this.largest();
    if (start < 0) return [];
    const in_ = (/** @type {number} */ i, /** @type {number} */ j) => i >= 0 && j >= 0 && i < this.rows && j < this.columns && this.cells[i * this.columns + j] === piece;
    /** @type {Vertex[]} */
    const corners = [];
    const first = [Math.floor(start / this.columns), start % this.columns];
    let [i = 0, j = 0] = first;
    let [down, along] = [0, 1]; // along the upper edge of the uppermost cell: the piece lies to the right
    do {
      corners.push([this.row(i), this.column(j)]);
      i += down;
      j += along;
      // The two cells ahead, to the right and to the left of the way.
      const right = in_(i + (down > 0 ? 0 : down < 0 ? -1 : along > 0 ? 0 : -1), j + (along > 0 ? 0 : along < 0 ? -1 : down > 0 ? -1 : 0));
      const left = in_(i + (down > 0 ? 0 : down < 0 ? -1 : along > 0 ? -1 : 0), j + (along > 0 ? 0 : along < 0 ? -1 : down > 0 ? 0 : -1));
      if (!right) [down, along] = [along, -down];
      else if (left) [down, along] = [-along, down];
    } while (i !== first[0] || j !== first[1]);
    // Nine tenths of a cell: what is left of the cells' steps, and no more.
    return simpler(corners, 0.9 / STEP).map(([r, c]) => [Math.round(100 * r) / 100, Math.round(100 * c) / 100]);
  }

  /** Number the pieces (2, 3, ...) and tell the largest, with its first cell. */
  largest() {
    const { cells, columns } = this;
    for (let k = 0; k < cells.length; k += 1) if (cells[k]) cells[k] = 1;
    let [number, best, piece, start] = [1, 0, 0, -1];
    for (let k = 0; k < cells.length; k += 1) {
      if (cells[k] !== 1) continue;
      number = Math.min(number + 1, 255); // more pieces than a hand makes
      const stack = [k];
      cells[k] = number;
      let size = 0;
      for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
        size += 1;
        const column = at % columns;
        for (const next of [at - columns, at + columns, column ? at - 1 : -1, column < columns - 1 ? at + 1 : -1]) {
          if (next >= 0 && next < cells.length && cells[next] === 1) {
            cells[next] = number;
            stack.push(next);
          }
        }
      }
      if (size > best) [best, piece, start] = [size, number, k];
    }
    return { piece, start };
  }
}

/**
 * A line that a hand has drawn, as a simple polygon: closed, its loops gone, no vertex that says nothing.
 * @param {ReadonlyArray<Readonly<Vertex>>} line
 * @param {{rows: number, columns: number}} picture
 * @returns {Vertex[]} Empty where it encloses less than a pixel.
 */
export function drawn(line, picture) {
  if (line.length < 3) return [];
  const outline = new Patch(line, picture, 1).outline();
  return areaOf(outline) < 1 ? [] : outline;
}

/**
 * The outline in which counts, smoothed over three by three pixels, reach a share of the brightest place near a point.
 * @param {Picture} picture
 * @param {Place} place
 * @param {number} share Of that place's counts, 0 to 1.
 * @returns {Vertex[]} Empty where nothing stands out.
 */
export function contour(picture, place, share) {
  const { rows, columns } = picture;
  /** @type {Map<number, number>} */
  const known = new Map();
  const smooth = (/** @type {number} */ i, /** @type {number} */ j) => {
    const key = i * columns + j;
    const before = known.get(key);
    if (before !== undefined) return before;
    let sum = 0;
    for (let a = -1; a <= 1; a += 1) for (let b = -1; b <= 1; b += 1) sum += picture.at(i + a, j + b) ?? 0;
    known.set(key, sum / 9);
    return sum / 9;
  };
  const [near, far] = [12, 60].map((mm) => [mm / picture.rowMm, mm / picture.columnMm]);
  const about = (/** @type {number} */ i, /** @type {number} */ j, /** @type {number[] | undefined} */ radius, /** @type {Place} */ of) =>
    ((i - of.row) / (radius?.[0] ?? 1)) ** 2 + ((j - of.column) / (radius?.[1] ?? 1)) ** 2 <= 1;
  let [top, peak] = [0, { row: -1, column: -1 }];
  for (let i = Math.max(0, Math.floor(place.row - (near?.[0] ?? 0))); i <= Math.min(rows - 1, place.row + (near?.[0] ?? 0)); i += 1) {
    for (let j = Math.max(0, Math.floor(place.column - (near?.[1] ?? 0))); j <= Math.min(columns - 1, place.column + (near?.[1] ?? 0)); j += 1) {
      if (about(i, j, near, place) && smooth(i, j) > top) [top, peak] = [smooth(i, j), { row: i, column: j }];
    }
  }
  if (top <= 0) return [];
  const seen = new Set([peak.row * columns + peak.column]);
  const stack = [...seen];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    const [i, j] = [Math.floor(at / columns), at % columns];
    for (const [a, b] of /** @type {const} */ ([[i - 1, j], [i + 1, j], [i, j - 1], [i, j + 1]])) {
      const key = a * columns + b;
      if (a < 0 || b < 0 || a >= rows || b >= columns || seen.has(key) || !about(a, b, far, peak) || smooth(a, b) < share * top) continue;
      seen.add(key);
      stack.push(key);
    }
  }
  const cells = [...seen].map((key) => [Math.floor(key / columns), key % columns]);
  const patch = new Patch(/** @type {Vertex[]} */ (cells), picture, 2);
  patch.cells.fill(0);
  for (const [i = 0, j = 0] of cells) {
    // A little more than half a pixel about each centre: neighbours join, and the edge is rounded.
    patch.brush({ row: i, column: j }, { row: i, column: j }, 0.71, 0.71, true);
  }
  return patch.outline();
}
