/**
 * The hand that draws on the pictures: outlines, the brush, the line that splits, the pair that is joined.
 *
 * It changes nothing itself: what a hand has done is told as a wish, and drawn as a sketch until the answer is there.
 * @module
 */

import { boxOf, contour, crossed, drawn, facingOutline, Patch } from "./outlines.js";
import { findingAt, halo, trace, within } from "./overlay.js";
import { EDITING } from "./words_editing.js";

/**
 * @typedef {import("./outlines.js").Vertex} Vertex
 * @typedef {import("./pictures.js").Picture} Picture
 * @typedef {import("./camera.js").Place} Place
 * @typedef {import("./camera.js").Camera} Camera
 * @typedef {import("./overlay.js").Pointed} Pointed
 * @typedef {import("./overlay.js").Shown} Shown
 * @typedef {import("./stage.js").Stage} Stage
 * @typedef {"draw" | "contour" | "brush" | "split" | "merge"} EditTool
 * @typedef {{draw: (picture: Picture, outline: Vertex[]) => void, reshape: (id: number, picture: Picture, outline: Vertex[]) => void,
 *   split: (id: number, picture: Picture, line: [Vertex, Vertex]) => void, merge: (ids: [number, number]) => void,
 *   tell: (text: string) => void, changed: () => void}} Wishes
 */

/** The tools of the hand, in the order of the bar. */
export const EDIT_TOOLS = /** @type {const} */ (["draw", "contour", "brush", "split", "merge"]);

const NEAR = 9; // CSS pixels in which a click meets a point
const LINE = "rgb(0 96 160)";
const HALO = "rgb(255 255 255 / 90%)";

/** Draws wishes on one stage. */
export class Sketch {
  /** @param {Stage} stage @param {Wishes} wishes */
  constructor(stage, wishes) {
    this.stage = stage;
    this.wishes = wishes;
    /** Whether somebody is editing at all. */
    this.on = false;
    /** Radius of the brush. */
    this.radiusMm = 9;
    /** Share of the brightest place's counts at which `contour` draws. */
    this.share = 0.5;
    /** A finding whose outline is drawn anew, whatever is drawn next. @type {number | null} */
    this.target = null;
    /** The first of two that are joined. @type {number | null} */
    this.first = null;
    /** An outline that was drawn in the facing view and may be wanted here. @type {{id: number, picture: Picture, outline: Vertex[]} | null} */
    this.offer = null;
    /** What has been wished and not answered. @type {{picture: Picture, outline: Vertex[]}[]} */
    this.pending = [];
    this.drop();
  }

  /** Let go of what the hand holds. */
  drop() {
    /** @type {{picture: Picture, points: Vertex[]} | null} */
    this.line = null;
    /** @type {Vertex[] | null} */
    this.free = null;
    /** @type {{picture: Picture, id: number, patch: Patch, adds: boolean, at: Place, outline: Vertex[]} | null} */
    this.stroke = null;
    /** @type {{picture: Picture, from: Place, to: Place} | null} */
    this.cut = null;
    /** @type {{from: Place, outline: Vertex[]} | null} */
    this.carried = null;
    /** @type {{picture: Picture, outline: Vertex[]} | null} */
    this.guess = null;
  }

  /** @returns {EditTool | null} The tool in the hand, when it is one of these. */
  get tool() {
    const { tool } = this.stage;
    return this.on && EDIT_TOOLS.some((one) => one === tool) ? /** @type {EditTool} */ (tool) : null;
  }

  /** Whether a line, a stroke or a cut is under way. */
  get busy() {
    return Boolean(this.line ?? this.stroke ?? this.cut);
  }

  /** A tool was taken up. */
  taken() {
    this.drop();
    this.first = this.tool === "merge" ? this.stage.chosen : null;
    if (this.tool !== "draw" && this.tool !== "contour") this.target = null;
    if (!this.tool) this.offer = null;
  }

  /** @param {Picture} picture @param {Place} place @param {Vertex} [vertex] @returns {boolean} Whether the two are one for a hand. */
  meets(picture, place, [row, column] = /** @type {Vertex} */ ([0, 0])) {
    const { scale } = this.stage.camera;
    return Math.hypot((place.row - row) * picture.rowMm, (place.column - column) * picture.columnMm) / scale <= NEAR;
  }

  /** @param {Pointed} pointed @returns {boolean} Whether the hand takes the pointer. */
  down({ picture, place }) {
    const { tool, offer } = this;
    if (!tool) return false;
    if (offer?.picture === picture && within(offer.outline, place, 2)) {
      this.carried = { from: place, outline: offer.outline };
      return true;
    }
    if (tool === "draw") {
      if (this.line?.picture !== picture) this.line = { picture, points: [] };
      this.free = [[place.row, place.column]];
    } else if (tool === "brush") this.begin({ picture, place });
    else if (tool === "split") this.cut = { picture, from: place, to: place };
    return true;
  }

  /** @param {Pointed} pointed */
  begin({ picture, place }) {
    const { stage } = this;
    const finding = stage.findings.find((one) => one.id === stage.chosen) ?? findingAt(stage.findings, picture, place);
    if (!finding) return this.wishes.tell(EDITING.say.chooseFirst);
    if (finding.id !== stage.chosen) stage.choose(finding.id);
    const outline = finding.views[picture.name]?.outline ?? [];
    const adds = !outline.length || within(outline, place);
    const [rows, columns] = [this.radiusMm / picture.rowMm, this.radiusMm / picture.columnMm];
    const patch = new Patch(outline.length ? outline : [[place.row, place.column]], picture);
    this.stroke = { picture, id: finding.id, patch, adds, at: place, outline: [] };
    patch.brush(place, place, rows, columns, adds);
    this.stroke.outline = patch.outline();
  }

  /** @param {Pointed} pointed A place of the picture in which the hand went down, or beside it. */
  move({ picture, place }) {
    if (this.carried && this.offer) {
      const [rows, columns] = [place.row - this.carried.from.row, place.column - this.carried.from.column];
      this.offer = { ...this.offer, outline: this.carried.outline.map(([r, c]) => [r + rows, c + columns]) };
    }
    if (this.free) {
      const [row, column] = this.free.at(-1) ?? [0, 0];
      if (Math.hypot(place.row - row, place.column - column) > 0.25) this.free.push([place.row, place.column]);
    }
    if (this.stroke && this.stroke.picture === picture) {
      const { patch, at, adds } = this.stroke;
      patch.brush(at, place, this.radiusMm / picture.rowMm, this.radiusMm / picture.columnMm, adds);
      this.stroke.at = place;
      this.stroke.outline = patch.outline();
    }
    if (this.cut) this.cut.to = place;
    if (this.tool === "contour") this.guess = { picture, outline: contour(picture, place, this.share) };
  }

  /**
   * The pointer has gone up.
   * @param {Pointed} pointed
   * @param {boolean} moved
   */
  up(pointed, moved) {
    const { picture, place } = pointed;
    const { tool, free, carried } = this;
    this.free = null;
    this.carried = null;
    if (carried) return this.accept();
    if (this.stroke) return this.lift();
    if (this.cut) return moved ? this.sever(place) : undefined;
    if (tool === "draw" && free) {
      if (moved) return this.close([...(this.line?.points ?? []), ...free]);
      return this.point(pointed);
    }
    if (tool === "contour" && !moved) this.outlined(picture, contour(picture, place, this.share));
    if (tool === "merge" && !moved) this.pick(findingAt(this.stage.findings, picture, place)?.id ?? null);
  }

  /**
   * What Enter does where the cross is.
   * @param {Pointed} pointed
   */
  enter(pointed) {
    const { tool, stage } = this;
    if (tool === "draw") this.point(pointed);
    else if (tool === "contour") this.outlined(pointed.picture, contour(pointed.picture, pointed.place, this.share));
    else if (tool === "brush") {
      if (this.stroke) this.lift();
      else this.begin(pointed);
    } else if (tool === "split") {
      if (this.cut) this.sever(pointed.place);
      else this.cut = { picture: pointed.picture, from: pointed.place, to: pointed.place };
    } else if (tool === "merge") this.pick(stage.chosen);
  }

  /** @param {Pointed} pointed A point of an outline; the first one, or the last one again, closes it. */
  point({ picture, place }) {
    if (this.line?.picture !== picture) this.line = { picture, points: [] };
    const { points } = this.line;
    const again = points.length > 2 && (this.meets(picture, place, points[0]) || this.meets(picture, place, points.at(-1)));
    if (again) this.close(points);
    else points.push([place.row, place.column]);
  }

  /** Take the last point back. @returns {boolean} Whether there was one. */
  unpoint() {
    if (!this.line?.points.length) return false;
    this.line.points.pop();
    if (!this.line.points.length) this.line = null;
    return true;
  }

  /** @param {Vertex[]} points */
  close(points) {
    const picture = this.line?.picture;
    this.line = null;
    if (picture) this.outlined(picture, drawn(points, picture));
  }

  /**
   * An outline is done: of a new finding, of one that is drawn anew, or of one that was offered.
   * @param {Picture} picture
   * @param {Vertex[]} outline
   */
  outlined(picture, outline) {
    if (!outline.length) return this.wishes.tell(EDITING.say.tooSmall);
    const { offer, target } = this;
    this.guess = null;
    const [box, other] = [boxOf(outline), offer && boxOf(offer.outline)];
    const meant = offer && other && offer.picture === picture && box.top <= other.bottom && box.bottom >= other.top;
    this.offer = null;
    this.pending.push({ picture, outline });
    if (target !== null) {
      this.target = null;
      this.wishes.reshape(target, picture, outline);
    } else if (meant) this.wishes.reshape(offer.id, picture, outline);
    else this.wishes.draw(picture, outline);
  }

  /** The stroke of the brush is over. */
  lift() {
    const { stroke } = this;
    this.stroke = null;
    if (!stroke) return;
    this.pending.push({ picture: stroke.picture, outline: stroke.outline });
    this.wishes.reshape(stroke.id, stroke.picture, stroke.outline);
  }

  /** @param {Place} to */
  sever(to) {
    const { cut, stage } = this;
    this.cut = null;
    if (!cut || Math.hypot(to.row - cut.from.row, to.column - cut.from.column) < 2) return;
    const shares = stage.findings.map((one) => ({ id: one.id, share: crossed(one.views[cut.picture.name]?.outline ?? [], cut.from, to, within) * (one.id === stage.chosen ? 4 : 1) }));
    const best = shares.sort((a, b) => b.share - a.share)[0];
    if (!best?.share) return this.wishes.tell(EDITING.say.nothingCrossed);
    this.wishes.split(best.id, cut.picture, [[cut.from.row, cut.from.column], [to.row, to.column]]);
  }

  /** @param {number | null} id The next of two that are joined. */
  pick(id) {
    if (id === null) return;
    const { first } = this;
    if (first === null || first === id) {
      this.first = id;
      this.stage.choose(id);
      return;
    }
    this.first = null;
    this.wishes.merge([first, id]);
  }

  /**
   * Offer a finding's outline in the view that faces the one it was drawn in.
   * @param {number} id
   * @param {Picture} from
   * @param {Vertex[]} outline
   */
  offerFacing(id, from, outline) {
    const faces = { anterior: "posterior", posterior: "anterior" };
    const name = /** @type {Record<string, string>} */ (faces)[from.name];
    const to = this.stage.shown.find((one) => one.picture.name === name)?.picture;
    this.offer = to && this.tool ? { id, picture: to, outline: facingOutline(outline, from, to) } : null;
    this.wishes.changed();
  }

  /** Take the offered outline. */
  accept() {
    const { offer } = this;
    if (!offer) return;
    this.offer = null;
    const outline = drawn(offer.outline, offer.picture);
    this.pending.push({ picture: offer.picture, outline });
    this.wishes.reshape(offer.id, offer.picture, outline);
    this.wishes.changed();
  }

  /** @returns {boolean} Whether there was something to let go of. */
  escape() {
    if (this.busy || this.carried) this.drop();
    else if (this.offer) this.offer = null;
    else if (this.target !== null) this.target = null;
    else return false;
    this.wishes.changed();
    return true;
  }

  /**
   * Draw what the hand does over one view.
   * @param {CanvasRenderingContext2D} context
   * @param {Shown} shown
   * @param {Camera} camera
   */
  draw(context, { pane, picture }, camera) {
    if (!this.on) return;
    const to = (/** @type {Readonly<Vertex>} */ [row, column]) => camera.toPoint(picture, pane, row, column);
    /** @param {ReadonlyArray<Readonly<Vertex>>} outline @param {number[]} dash @param {boolean} [open] */
    const line = (outline, dash, open = false) => {
      if (!outline.length) return;
      trace(context, outline.map(to), !open);
      context.setLineDash([]);
      context.strokeStyle = HALO;
      context.lineWidth = 4.5;
      context.stroke();
      context.setLineDash(dash);
      context.strokeStyle = LINE;
      context.lineWidth = 2;
      context.stroke();
      context.setLineDash([]);
    };
    for (const one of this.pending) if (one.picture === picture) line(one.outline, [3, 3]);
    if (this.guess?.picture === picture) line(this.guess.outline, [2, 3]);
    if (this.offer?.picture === picture) {
      line(this.offer.outline, [6, 4]);
      const box = boxOf(this.offer.outline);
      const at = to([box.top, (box.left + box.right) / 2]);
      context.font = "700 16px system-ui, sans-serif";
      context.textAlign = "center";
      context.textBaseline = "bottom";
      halo(context, "?", at.x, at.y - 4);
    }
    if (this.line?.picture === picture) {
      line([...this.line.points, ...(this.free ?? [])], [], true);
      for (const p of this.line.points.map(to)) dot(context, p);
      const { pointed } = this.stage;
      const last = this.line.points.at(-1);
      if (last && !this.free && pointed?.picture === picture) line([last, [pointed.place.row, pointed.place.column]], [3, 3], true);
    }
    if (this.stroke?.picture === picture) line(this.stroke.outline, []);
    if (this.cut?.picture === picture) line([[this.cut.from.row, this.cut.from.column], [this.cut.to.row, this.cut.to.column]], [], true);
    if (this.tool === "brush") this.circle(context, { pane, picture }, camera);
  }

  /** @param {CanvasRenderingContext2D} context @param {Shown} shown @param {Camera} camera */
  circle(context, { pane, picture }, camera) {
    const { pointed, findings, chosen } = this.stage;
    if (pointed?.picture !== picture) return;
    const outline = findings.find((one) => one.id === chosen)?.views[picture.name]?.outline ?? [];
    const adds = this.stroke?.adds ?? (!outline.length || within(outline, pointed.place));
    const at = camera.toPoint(picture, pane, pointed.place.row, pointed.place.column);
    for (const [colour, width] of /** @type {const} */ ([[HALO, 4], [LINE, 1.6]])) {
      context.beginPath();
      context.arc(at.x, at.y, Math.max(2, this.radiusMm / camera.scale), 0, 7);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    }
    context.font = "700 15px system-ui, sans-serif";
    context.textAlign = "left";
    context.textBaseline = "middle";
    halo(context, adds ? "+" : "−", at.x + this.radiusMm / camera.scale + 5, at.y);
  }
}

/** @param {CanvasRenderingContext2D} context @param {{x: number, y: number}} at */
function dot(context, at) {
  context.beginPath();
  context.arc(at.x, at.y, 3.5, 0, 7);
  context.fillStyle = LINE;
  context.fill();
  context.strokeStyle = HALO;
  context.lineWidth = 1.5;
  context.stroke();
}
