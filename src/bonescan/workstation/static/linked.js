/**
 * Two scans in one frame: where a place of the current view lies in the prior one and back, and a camera that shows the same
 * part of the body in both, each in its own geometry.
 * @module
 */

import { Camera } from "./camera.js";

/** @typedef {import("./pictures.js").Picture} Picture */
/** @typedef {import("./camera.js").Place} Place */
/** @typedef {{rows: number, columns: number, step: number, row: Float32Array, column: Float32Array}} Grid */

const ROUNDS = 12;
const NEAR = 0.05; // pixels

/** The way between a view of the current scan and the same view of the prior one. */
export class Link {
  /**
   * @param {Picture} prior
   * @param {Picture} current
   * @param {Grid | null} grid Where every so many pixels of the current view lie in the prior one; null while nobody knows:
   *   then the same height and the same distance from the middle.
   */
  constructor(prior, current, grid) {
    this.prior = prior;
    this.current = current;
    this.grid = grid;
    this.down = current.rowMm / prior.rowMm;
    this.along = current.columnMm / prior.columnMm;
  }

  /**
   * Bilinear between the grid's points; beyond its edge as far on as in the current view.
   * @param {Place} place In the current view.
   * @returns {Place} In the prior view.
   */
  toPrior({ row, column }) {
    const { grid } = this;
    if (!grid) {
      return {
        row: (row + 0.5) * this.down - 0.5,
        column: (this.prior.widthMm / 2 + (column + 0.5) * this.current.columnMm - this.current.widthMm / 2) / this.prior.columnMm - 0.5,
      };
    }
    const i = clamp(row / grid.step, grid.rows - 1);
    const j = clamp(column / grid.step, grid.columns - 1);
    const [low, left] = [Math.min(Math.floor(i), grid.rows - 2), Math.min(Math.floor(j), grid.columns - 2)];
    const [share, across] = [i - low, j - left];
    /** @param {Float32Array} map */
    const at = (map) => {
      const k = low * grid.columns + left;
      const upper = (map[k] ?? 0) * (1 - across) + (map[k + 1] ?? 0) * across;
      const lower = (map[k + grid.columns] ?? 0) * (1 - across) + (map[k + grid.columns + 1] ?? 0) * across;
      return upper * (1 - share) + lower * share;
    };
    return {
      row: at(grid.row) + (row - i * grid.step) * this.down,
      column: at(grid.column) + (column - j * grid.step) * this.along,
    };
  }

  /**
   * The reverse, by stepping on by what is missing: the map is smooth and nearly a shift.
   * @param {Place} wanted In the prior view.
   * @returns {Place} In the current view.
   */
  toCurrent(wanted) {
    let place = { row: wanted.row / this.down, column: wanted.column / this.along };
    for (let k = 0; k < ROUNDS; k += 1) {
      const found = this.toPrior(place);
      const [down, along] = [wanted.row - found.row, wanted.column - found.column];
      place = { row: place.row + down / this.down, column: place.column + along / this.along };
      if (Math.hypot(down, along) < NEAR) break;
    }
    return place;
  }
}

/** @param {number} value @param {number} most */
function clamp(value, most) {
  return Math.min(Math.max(value, 0), most);
}

/** A camera over the current scan that the prior one follows. */
export class LinkedCamera extends Camera {
  constructor() {
    super();
    /** By picture of the prior scan. @type {Map<Picture, Link>} */
    this.links = new Map();
  }

  /**
   * @override
   * @param {Picture} picture
   * @returns {{x: number, y: number}}
   */
  centre(picture) {
    const link = this.links.get(picture);
    if (!link) return super.centre(picture);
    const { current } = link;
    const now = super.centre(current);
    const place = link.toPrior({ row: now.y / current.rowMm - 0.5, column: now.x / current.columnMm - 0.5 });
    return { x: (place.column + 0.5) * picture.columnMm, y: (place.row + 0.5) * picture.rowMm };
  }
}
