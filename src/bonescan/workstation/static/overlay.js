/**
 * What lies over the counts: outlines and letters of findings, tinted regions, sides, scale bar, cursor and measurements.
 * @module
 */

import { distanceMm, inside } from "./measuring.js";
import { figure } from "./telling.js";
import { WORDS } from "./words.js";

/**
 * @typedef {import("./pictures.js").Picture} Picture
 * @typedef {import("./camera.js").Camera} Camera
 * @typedef {import("./camera.js").Place} Place
 * @typedef {import("./camera.js").Rectangle} Rectangle
 * @typedef {import("./measuring.js").Measure} Measure
 * @typedef {{outline: [number, number][], peak: {row: number, column: number}, area_mm2: number,
 *   dashed?: boolean}} DrawnView
 * @typedef {{id: number, letter: string, kind: string, polarity: string, views: Record<string, DrawnView>,
 *   likely_normal?: boolean, likely_benign?: boolean, style?: string}} Drawn What of a finding is drawn; a `style` goes before its kind.
 * @typedef {DrawnView & {peak: {counts: number, z_mm: number | null}, uptake_ratio: number | null,
 *   significance: number | null}} FindingView
 * @typedef {{text: string, weight: number, source: string}} Evidence
 * @typedef {Drawn & {place: string, side: string, views: Record<string, FindingView>, uptake_ratio: number | null, uptake_reference: string,
 *   significance: number | null, depth_mm: number | null, depth_uncertainty: number | null, depth_absent_reason?: string | null,
 *   mass_share_percent: number | null, in_burden: boolean, reason: string,
 *   natures: Record<string, number>, evidence: Evidence[], likelihood: number | null, bone: string, region: number,
 *   judged_by?: string, drawn_by?: string}} Finding
 * @typedef {{pane: Rectangle, picture: Picture}} Shown
 * @typedef {{picture: Picture, place: Place}} Pointed
 */

/** Colours, dashes and widths of the report's outlines; each colour has a contrast of 5:1 or more on white. */
export const STYLES = /** @type {Record<string, {colour: string, dash: number[], width: number, edge: number, filled?: boolean}>} */ ({
  hot: { colour: "rgb(190 18 24)", dash: [], width: 1.6, edge: 3.4, filled: true },
  benign: { colour: "rgb(150 84 0)", dash: [20, 3], width: 1.6, edge: 3.4, filled: true },
  normal: { colour: "rgb(92 96 104)", dash: [], width: 0.9, edge: 2.2 },
  cold: { colour: "rgb(20 80 190)", dash: [8, 3], width: 1.6, edge: 3.4, filled: true },
  physiologic: { colour: "rgb(0 105 60)", dash: [4, 3], width: 1.4, edge: 3 },
  artefact: { colour: "rgb(120 50 150)", dash: [1.5, 2.6], width: 1.4, edge: 3 },
});

/** With more letters in a view their lines cross and hide the picture; the chosen one's alone is drawn then. */
const MOST_LINES = 40;

/** Tints of regions, as in the report. @type {ReadonlyArray<readonly [number, number, number]>} */
export const TINTS = [
  [0, 0, 0], [230, 159, 0], [0, 114, 178], [213, 94, 0], [86, 180, 233], [170, 60, 150], [0, 158, 115], [205, 175, 0],
  [200, 80, 120], [0, 114, 178], [170, 60, 150], [0, 158, 115], [230, 159, 0], [86, 180, 233], [213, 94, 0], [200, 80, 120],
  [86, 180, 233], [205, 175, 0],
];

/**
 * How a finding is drawn.
 * @param {Drawn} finding
 * @returns {string} A key of `STYLES`.
 */
export function styleOf(finding) {
  if (finding.style) return finding.style;
  if (finding.kind !== "bone") return finding.kind in STYLES ? finding.kind : "artefact";
  if (finding.likely_normal) return "normal";
  if (finding.polarity === "cold") return "cold";
  return finding.likely_benign ? "benign" : "hot";
}

/**
 * Regions as a tinted picture, one pixel each.
 * @param {Picture} picture
 * @returns {HTMLCanvasElement | null}
 */
export function tinted(picture) {
  if (!picture.regions) return null;
  const canvas = document.createElement("canvas");
  canvas.width = picture.columns;
  canvas.height = picture.rows;
  const context = canvas.getContext("2d");
  if (!context) return null;
  const image = context.createImageData(picture.columns, picture.rows);
  picture.regions.forEach((id, k) => {
    const tint = id ? TINTS[id] : undefined;
    if (tint) image.data.set([...tint, 255], 4 * k);
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * The finding whose outline is smallest about a place.
 * @param {ReadonlyArray<Drawn>} findings
 * @param {Picture} picture
 * @param {Place} place
 * @returns {Drawn | null}
 */
export function findingAt(findings, picture, place) {
  /** @type {Drawn | null} */
  let best = null;
  for (const finding of findings) {
    const seen = finding.views[picture.key];
    if (!seen || !within(seen.outline, place, 1.5)) continue;
    if (!best || seen.area_mm2 < (best.views[picture.key]?.area_mm2 ?? Infinity)) best = finding;
  }
  return best;
}

/**
 * Whether a place is in a polygon, or so near its edge that a hand meant it.
 * @param {ReadonlyArray<readonly [number, number]>} outline
 * @param {Place} place
 * @param {number} near Pixels.
 */
export function within(outline, place, near = 0) {
  let odd = false;
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i, i += 1) {
    const [r1, c1] = outline[i] ?? [0, 0];
    const [r2, c2] = outline[j] ?? [0, 0];
    if (r1 > place.row !== r2 > place.row && place.column < ((c2 - c1) * (place.row - r1)) / (r2 - r1) + c1) odd = !odd;
    if (near && Math.hypot(r1 - place.row, c1 - place.column) <= near) return true;
  }
  return odd;
}

/** Draws over one stage. */
export class Overlay {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    /** @type {Map<Picture, HTMLCanvasElement | null>} */
    this.tints = new Map();
  }

  /**
   * @param {{shown: Shown[], camera: Camera, ratio: number, findings: Drawn[], chosen: number | null, regions: boolean,
   *   opacity: number, measures: Measure[], pointed: Pointed | null, cross: boolean,
   *   lens: {pane: Rectangle, shown: Shown, camera: Camera} | null, sketch: import("./sketching.js").Sketch | null}} what
   */
  draw(what) {
    const { context } = this;
    context.setTransform(what.ratio, 0, 0, what.ratio, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    for (const shown of what.shown) {
      context.save();
      clip(context, shown.pane);
      this.beneath(shown, what);
      if (what.regions) this.regions(shown, what.camera, what.opacity);
      this.outlines(shown, what);
      for (const measure of what.measures) if (measure.picture === shown.picture) this.measure(measure, shown, what);
      what.sketch?.draw(context, shown, what.camera);
      this.cursor(shown, what);
      this.sides(shown, what.camera);
      context.restore();
    }
    if (what.lens) this.lens(what.lens, what);
  }

  /**
   * What lies under all the rest; nothing here, for a page that adds a layer.
   * @param {Shown} _shown
   * @param {Parameters<Overlay["draw"]>[0]} _what
   */
  beneath(_shown, _what) {}

  /** @param {Shown} shown @param {Camera} camera @param {number} opacity */
  regions({ pane, picture }, camera, opacity) {
    if (!this.tints.get(picture)) this.tints.set(picture, tinted(picture));
    const tint = this.tints.get(picture);
    if (!tint) return;
    const from = camera.toPoint(picture, pane, -0.5, -0.5);
    const to = camera.toPoint(picture, pane, picture.rows - 0.5, picture.columns - 0.5);
    this.context.globalAlpha = 0.55 * opacity;
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(tint, from.x, from.y, to.x - from.x, to.y - from.y);
    this.context.globalAlpha = 1;
  }

  /** @param {Shown} shown @param {Parameters<Overlay["draw"]>[0]} what @param {boolean} [lettered] */
  outlines({ pane, picture }, what, lettered = true) {
    const { context } = this;
    /** @type {{letter: string, x: number, y: number, toX: number, style: string, chosen: boolean, atLeft: boolean, at: number}[]} */
    const letters = [];
    // The chosen one last, so that nothing lies over it.
    const order = [...what.findings].sort((a, b) => Number(a.id === what.chosen) - Number(b.id === what.chosen));
    const left = Math.max(pane.x, what.camera.toPoint(picture, pane, 0, -0.5).x);
    const right = Math.min(pane.x + pane.width, what.camera.toPoint(picture, pane, 0, picture.columns - 0.5).x);
    for (const finding of order) {
      const seen = finding.views[picture.key];
      if (!seen || seen.outline.length < 2) continue;
      const chosen = finding.id === what.chosen;
      const style = STYLES[styleOf(finding)] ?? STYLES.hot;
      if (!style) continue;
      const points = seen.outline.map(([row, column]) => what.camera.toPoint(picture, pane, row, column));
      context.globalAlpha = chosen ? 1 : what.opacity;
      context.lineJoin = "round";
      trace(context, points);
      context.setLineDash([]);
      context.strokeStyle = chosen ? "rgb(255 205 60)" : "rgb(255 255 255 / 85%)";
      context.lineWidth = chosen ? style.edge + 4 : style.edge;
      context.stroke();
      context.setLineDash(seen.dashed ? [2, 4] : style.dash);
      context.strokeStyle = style.colour;
      context.lineWidth = chosen ? style.width + 0.8 : style.width;
      context.stroke();
      context.setLineDash([]);
      const ys = points.map((p) => p.y);
      const xs = points.map((p) => p.x);
      const y = (Math.min(...ys) + Math.max(...ys)) / 2;
      const middle = (Math.min(...xs) + Math.max(...xs)) / 2;
      if (y < pane.y || y > pane.y + pane.height || middle < pane.x || middle > pane.x + pane.width) continue;
      const atLeft = middle < (left + right) / 2;
      letters.push({ letter: finding.letter, x: atLeft ? Math.max(left - 16, pane.x + 16) : Math.min(right + 16, pane.x + pane.width - 16),
        toX: atLeft ? Math.min(...xs) : Math.max(...xs), y, at: y, style: styleOf(finding), chosen, atLeft });
    }
    context.globalAlpha = what.opacity;
    for (const side of [true, false]) {
      spread(letters.filter((one) => one.atLeft === side), pane);
    }
    const crowded = letters.length > MOST_LINES;
    if (lettered) for (const one of letters) this.letter(one, one.chosen || !crowded);
    context.globalAlpha = 1;
  }

  /** @param {{letter: string, x: number, y: number, toX: number, style: string, chosen: boolean, atLeft: boolean, at: number}} one @param {boolean} line */
  letter(one, line) {
    const { context } = this;
    const style = STYLES[one.style] ?? STYLES.hot;
    if (!style) return;
    const { filled } = style;
    context.font = "600 12px system-ui, sans-serif";
    const width = Math.max(18, context.measureText(one.letter).width + 8);
    context.strokeStyle = style.colour;
    context.lineWidth = one.chosen ? 1.4 : 0.7;
    if (line) {
      context.beginPath();
      context.moveTo(one.x + (one.atLeft ? width / 2 : -width / 2), one.at);
      context.lineTo(one.toX, one.y);
      context.stroke();
    }
    context.beginPath();
    context.roundRect(one.x - width / 2, one.at - 8, width, 16, 4);
    if (one.chosen) {
      context.strokeStyle = "rgb(255 205 60)";
      context.lineWidth = 5;
      context.stroke();
    }
    context.fillStyle = filled ? style.colour : "white";
    context.fill();
    context.strokeStyle = style.colour;
    context.lineWidth = 1;
    context.stroke();
    context.fillStyle = filled ? "white" : style.colour;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(one.letter, one.x, one.at + 0.5);
  }

  /** @param {Shown} shown @param {Camera} camera */
  sides({ pane, picture }, camera) {
    const { context } = this;
    const view = picture.title || (/** @type {Record<string, string>} */ (WORDS.study.views)[picture.name] ?? picture.name);
    const [first, second] = picture.fromBehind ? [WORDS.study.left, WORDS.study.right] : [WORDS.study.right, WORDS.study.left];
    context.font = "600 15px system-ui, sans-serif";
    context.textBaseline = "top";
    const left = Math.max(pane.x, camera.toPoint(picture, pane, 0, -0.5).x);
    const right = Math.min(pane.x + pane.width, camera.toPoint(picture, pane, 0, picture.columns - 0.5).x);
    const lines = view.split("\n");
    const room = right - left - 56; // between the two letters
    const wide = () => Math.max(...lines.map((line) => context.measureText(line).width));
    if (picture.title) context.font = "600 12px system-ui, sans-serif";
    const below = wide() > room ? 17 * lines.length : 0;
    context.textAlign = "center";
    for (const [k, line] of lines.entries()) halo(context, line, (left + right) / 2, pane.y + 8 + 17 * k);
    context.font = "600 15px system-ui, sans-serif";
    for (const [text, align, x] of /** @type {[string, CanvasTextAlign, number][]} */ ([[first, "left", left + 10], [second, "right", right - 10]])) {
      context.textAlign = align;
      halo(context, text, x, pane.y + 8 + below);
    }
    const cm = [20, 10, 5, 2, 1].find((length) => (10 * length) / camera.scale < 0.35 * (right - left)) ?? 1;
    const length = (10 * cm) / camera.scale;
    const [x, y] = [left + 10, pane.y + pane.height - 10];
    for (const [colour, width] of /** @type {const} */ ([["rgb(255 255 255 / 90%)", 5], ["rgb(20 24 30)", 2]])) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(x, y - 5);
      context.lineTo(x, y);
      context.lineTo(x + length, y);
      context.lineTo(x + length, y - 5);
      context.stroke();
    }
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "left";
    context.textBaseline = "bottom";
    halo(context, `${cm} cm`, x + 4, y - 5);
  }

  /**
   * Where a place of one view is in another. Opposite heads see the same person: same height, mirrored across.
   * @param {Pointed} pointed
   * @param {Picture} picture
   * @returns {Place}
   */
  counterpart({ picture: from, place }, picture) {
    const row = ((place.row + 0.5) * from.rowMm) / picture.rowMm - 0.5;
    const across = (place.column + 0.5) * from.columnMm - from.widthMm / 2;
    const mirrored = from.fromBehind !== picture.fromBehind ? -across : across;
    return { row, column: (picture.widthMm / 2 + mirrored) / picture.columnMm - 0.5 };
  }

  /** @param {Shown} shown @param {Parameters<Overlay["draw"]>[0]} what */
  cursor({ pane, picture }, { pointed, camera, cross }) {
    if (!pointed) return;
    const { context } = this;
    const same = pointed.picture === picture;
    if (same && !cross) return;
    const { row, column } = this.counterpart(pointed, picture);
    const at = camera.toPoint(picture, pane, row, column);
    for (const [colour, width] of /** @type {const} */ ([["rgb(255 255 255 / 75%)", 3], ["rgb(0 96 160)", 1]])) {
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.beginPath();
      context.moveTo(pane.x, at.y);
      context.lineTo(at.x - 7, at.y);
      context.moveTo(at.x + 7, at.y);
      context.lineTo(pane.x + pane.width, at.y);
      context.moveTo(at.x, at.y - 16);
      context.lineTo(at.x, at.y - 5);
      context.moveTo(at.x, at.y + 5);
      context.lineTo(at.x, at.y + 16);
      context.stroke();
    }
  }

  /** @param {Measure} measure @param {Shown} shown @param {Parameters<Overlay["draw"]>[0]} what */
  measure(measure, { pane, picture }, what) {
    const { context } = this;
    for (const [k, shape] of [measure, ...(measure.mate ? [measure.mate] : [])].entries()) {
      const a = what.camera.toPoint(picture, pane, shape.from.row, shape.from.column);
      const b = what.camera.toPoint(picture, pane, shape.to.row, shape.to.column);
      context.beginPath();
      if (measure.kind === "distance") {
        context.moveTo(a.x, a.y);
        context.lineTo(b.x, b.y);
        for (const p of [a, b]) {
          context.moveTo(p.x + 3, p.y);
          context.arc(p.x, p.y, 3, 0, 7);
        }
      } else if (measure.kind === "box") context.rect(Math.min(a.x, b.x), Math.min(a.y, b.y), Math.abs(b.x - a.x), Math.abs(b.y - a.y));
      else context.ellipse((a.x + b.x) / 2, (a.y + b.y) / 2, Math.abs(b.x - a.x) / 2, Math.abs(b.y - a.y) / 2, 0, 0, 7);
      context.strokeStyle = "rgb(255 255 255 / 85%)";
      context.lineWidth = 4;
      context.stroke();
      context.strokeStyle = "rgb(0 96 160)";
      context.lineWidth = 1.8;
      context.setLineDash(k ? [5, 3] : []);
      context.stroke();
      context.setLineDash([]);
      const text = measure.kind === "distance" ? `${measure.id}: ${figure(distanceMm(measure))} mm`
        : `${measure.id}${k ? "′" : ""}: ${figure(inside(picture, measure.kind, shape.from, shape.to).mean)}`;
      context.font = "600 12px system-ui, sans-serif";
      context.textAlign = "left";
      context.textBaseline = "bottom";
      halo(context, text, Math.max(a.x, b.x) + 4, Math.min(a.y, b.y));
    }
  }

  /** @param {{pane: Rectangle, shown: Shown, camera: Camera}} lens @param {Parameters<Overlay["draw"]>[0]} what */
  lens({ pane, shown, camera }, what) {
    const { context } = this;
    context.save();
    clip(context, pane);
    context.clearRect(pane.x, pane.y, pane.width, pane.height);
    if (what.regions) this.regions({ pane, picture: shown.picture }, camera, what.opacity);
    this.outlines({ pane, picture: shown.picture }, { ...what, camera }, false);
    context.restore();
    context.strokeStyle = "rgb(255 255 255 / 90%)";
    context.lineWidth = 4;
    context.strokeRect(pane.x, pane.y, pane.width, pane.height);
    context.strokeStyle = "rgb(0 96 160)";
    context.lineWidth = 1.5;
    context.strokeRect(pane.x, pane.y, pane.width, pane.height);
  }
}

/** @param {CanvasRenderingContext2D} context @param {Rectangle} pane */
function clip(context, pane) {
  context.beginPath();
  context.rect(pane.x, pane.y, pane.width, pane.height);
  context.clip();
}

/** @param {CanvasRenderingContext2D} context @param {{x: number, y: number}[]} points @param {boolean} [closed] */
export function trace(context, points, closed = true) {
  context.beginPath();
  points.forEach((p, k) => (k ? context.lineTo(p.x, p.y) : context.moveTo(p.x, p.y)));
  if (closed) context.closePath();
}

/** @param {CanvasRenderingContext2D} context @param {string} text @param {number} x @param {number} y */
export function halo(context, text, x, y) {
  context.lineJoin = "round";
  context.lineWidth = 4;
  context.strokeStyle = "rgb(255 255 255 / 90%)";
  context.strokeText(text, x, y);
  context.fillStyle = "rgb(20 24 30)";
  context.fillText(text, x, y);
}

/**
 * Move letters of one side apart, from the top down and back up.
 * @param {{y: number, at: number}[]} letters
 * @param {Rectangle} pane
 */
function spread(letters, pane) {
  const apart = Math.min(19, (pane.height - 40) / Math.max(letters.length, 1));
  letters.sort((a, b) => a.y - b.y);
  let last = pane.y + 26 - apart;
  for (const one of letters) last = one.at = Math.max(one.y, last + apart);
  let limit = pane.y + pane.height - 12;
  for (const one of letters.reverse()) {
    one.at = Math.min(one.at, limit);
    limit = one.at - apart;
  }
}

