/**
 * Which part of the views is seen: one place and one magnification for all, linked by body height; views from behind are
 * mirrored, so that the same side of the body stays in sight.
 * @module
 */

/** @typedef {import("./pictures.js").Picture} Picture */
/** @typedef {{x: number, y: number, width: number, height: number}} Rectangle In CSS pixels of the stage. */
/** @typedef {{row: number, column: number}} Place Pixel centres at whole numbers. */

const NEAREST = 0.05; // mm per CSS pixel
const FARTHEST = 12;

/** What is looked at. */
export class Camera {
  constructor() {
    /** Millimetres below the upper edge, at the pane's middle. */
    this.down = 0;
    /** Millimetres from the picture's middle, to the right of an anterior view, at the pane's middle. */
    this.across = 0;
    /** Millimetres a CSS pixel. */
    this.scale = 2;
  }

  /**
   * Show the whole body.
   * @param {ReadonlyArray<Picture>} pictures
   * @param {Rectangle} pane
   */
  fit(pictures, pane) {
    let [top, bottom, reach] = [Infinity, -Infinity, 0];
    for (const picture of pictures) {
      const body = picture.body();
      const middle = picture.widthMm / 2;
      top = Math.min(top, body.top);
      bottom = Math.max(bottom, body.bottom);
      reach = Math.max(reach, middle - body.left, body.right - middle);
    }
    if (!Number.isFinite(top)) return;
    this.across = 0;
    this.scale = Math.max((bottom - top) / Math.max(pane.height - HEAD, 1), (2 * reach) / Math.max(pane.width - 2 * MARGIN, 1));
    this.down = (top + bottom) / 2 - (HEAD / 2) * this.scale;
  }

  /**
   * What of a picture is at the middle of its pane; millimetres from the left and the upper edge.
   * @param {Picture} picture
   * @returns {{x: number, y: number}}
   */
  centre(picture) {
    return { x: picture.widthMm / 2 + (picture.fromBehind ? -this.across : this.across), y: this.down };
  }

  /**
   * Millimetres (from the left edge, from the upper edge) of a point in a pane.
   * @param {Picture} picture
   * @param {Rectangle} pane
   * @param {number} x
   * @param {number} y
   * @returns {{x: number, y: number}}
   */
  toMm(picture, pane, x, y) {
    const centre = this.centre(picture);
    return {
      x: centre.x + (x - pane.x - pane.width / 2) * this.scale,
      y: centre.y + (y - pane.y - pane.height / 2) * this.scale,
    };
  }

  /**
   * @param {Picture} picture
   * @param {Rectangle} pane
   * @param {number} x
   * @param {number} y
   * @returns {Place}
   */
  toPlace(picture, pane, x, y) {
    const mm = this.toMm(picture, pane, x, y);
    return { row: mm.y / picture.rowMm - 0.5, column: mm.x / picture.columnMm - 0.5 };
  }

  /**
   * Where a place of a view is in its pane.
   * @param {Picture} picture
   * @param {Rectangle} pane
   * @param {number} row
   * @param {number} column
   * @returns {{x: number, y: number}}
   */
  toPoint(picture, pane, row, column) {
    const centre = this.centre(picture);
    const x = (column + 0.5) * picture.columnMm;
    const y = (row + 0.5) * picture.rowMm;
    return {
      x: pane.x + pane.width / 2 + (x - centre.x) / this.scale,
      y: pane.y + pane.height / 2 + (y - centre.y) / this.scale,
    };
  }

  /**
   * Move by CSS pixels of a pane.
   * @param {Picture | undefined} picture
   * @param {number} x
   * @param {number} y
   */
  move(picture, x, y) {
    this.across -= (picture?.fromBehind ? -x : x) * this.scale;
    this.down -= y * this.scale;
  }

  /**
   * Zoom about a point that stays where it is.
   * @param {number} by Above 1 nearer.
   * @param {Picture} [picture]
   * @param {Rectangle} [pane]
   * @param {number} [x]
   * @param {number} [y]
   */
  zoom(by, picture, pane, x, y) {
    const before = this.scale;
    this.scale = Math.min(FARTHEST, Math.max(NEAREST, before / by));
    if (!picture || !pane || x === undefined || y === undefined) return;
    const change = before - this.scale;
    const right = (x - pane.x - pane.width / 2) * change;
    this.across += picture.fromBehind ? -right : right;
    this.down += (y - pane.y - pane.height / 2) * change;
  }

  /**
   * The same with a lens: a small pane about a place.
   * @param {Picture} picture
   * @param {Place} place
   * @param {number} times
   * @returns {Camera}
   */
  lens(picture, place, times) {
    const made = new Camera();
    made.scale = this.scale / times;
    made.down = (place.row + 0.5) * picture.rowMm;
    const across = (place.column + 0.5) * picture.columnMm - picture.widthMm / 2;
    made.across = picture.fromBehind ? -across : across;
    return made;
  }
}

/** Room for letters on each side of a pane, and for its name above the head; CSS pixels. */
const MARGIN = 44;
const HEAD = 24;
