/**
 * The stage for two scans of one person: prior and current of every view, the difference over them, both in turn.
 * @module
 */

import { LinkedCamera } from "./linked.js";
import { Overlay, STYLES } from "./overlay.js";
import { Stage } from "./stage.js";

/**
 * @typedef {import("./pictures.js").Picture} Picture
 * @typedef {import("./camera.js").Place} Place
 * @typedef {import("./linked.js").Link} Link
 * @typedef {{current: Picture, prior: Picture, link: Link, laid: Picture | null, hidden: Uint8Array | null,
 *   difference: Float32Array | null}} Pair One view of both scans; `laid` is the prior one on the current one's pixels, in its
 *   scale, but where it is `hidden`: there the two cannot be laid on each other.
 */

Object.assign(STYLES, /** @type {typeof STYLES} */ ({
  new: { colour: "rgb(190 18 24)", dash: [], width: 1.8, edge: 3.6, filled: true },
  rose: { colour: "rgb(176 84 0)", dash: [], width: 1.6, edge: 3.4 },
  same: { colour: "rgb(70 76 88)", dash: [], width: 0.9, edge: 2.2 },
  fell: { colour: "rgb(20 80 190)", dash: [8, 3], width: 1.6, edge: 3.4 },
  gone: { colour: "rgb(20 80 190)", dash: [4, 3], width: 1.6, edge: 3.4 },
  unclear: { colour: "rgb(120 50 150)", dash: [1.5, 2.6], width: 1.4, edge: 3 },
  look: { colour: "rgb(120 50 150)", dash: [3, 3], width: 1.4, edge: 3 },
}));

/** More and less uptake now: vermilion and blue, told apart with every kind of colour vision (Okabe and Ito 2008). */
export const MORE = /** @type {const} */ ([213, 94, 0]);
export const LESS = /** @type {const} */ ([0, 114, 178]);
export const SLOWEST = 0.4;
export const FASTEST = 2.5; // changes a second: a flash is two of them, and three flashes a second may harm (WCAG 2.3.1)
export const LEAST_SD = 1.5;
export const MOST_SD = 12;
const FULL_SD = 5; // beyond the threshold, where the tint is full
const EDGE = 1; // so that no light line is left at the picture's edge
const FAINTEST = 0.45;
const MOVING = new Set([13, 14]); // forearms and hands lie elsewhere each time: their difference tells nothing else

/** Everything that is seen of two scans. */
export class PairStage extends Stage {
  /** @param {string | null} [painter] */
  constructor(painter = null) {
    super(painter);
    this.linked = new LinkedCamera();
    this.camera = this.linked;
    /** @type {Pair[]} */
    this.pairs = [];
    /** Whether the prior scan lies on the current one's pixels, or is shown as it was. */
    this.laidOver = false;
    this.subtraction = { shown: false, threshold: 4, boneOnly: true };
    this.blink = { on: false, prior: false, speed: 1 };
    this.timer = 0;
    this.overlay = new PairOverlay(this);
  }

  /** @param {Pair[]} pairs @param {Picture[]} single Views that one scan alone has. */
  showPairs(pairs, single) {
    this.pairs = pairs;
    this.linked.links = new Map(pairs.map((pair) => [pair.prior, pair.link]));
    this.show([...pairs.flatMap((pair) => [pair.prior, pair.current]), ...single]);
  }

  /** The current scan: the prior one is scaled to it. @override */
  get judged() {
    return this.pairs.length ? this.pairs.map((pair) => pair.current) : this.pictures;
  }

  /** @override */
  get seen() {
    const seen = super.seen;
    const pairs = this.pairs.filter((pair) => seen.includes(pair.current));
    const single = seen.filter((picture) => !pairs.some((pair) => pair.current === picture || pair.prior === picture));
    const blinks = this.blink.on && pairs.some((pair) => pair.laid);
    if (blinks) return pairs.flatMap((pair) => (this.blink.prior && pair.laid) || pair.current);
    return [...pairs.flatMap((pair) => [(this.laidOver && pair.laid) || pair.prior, pair.current]), ...single];
  }

  /** @override */
  fit() {
    const [first] = this.shown;
    const seen = new Set(super.seen);
    const current = this.pairs.map((pair) => pair.current).filter((picture) => seen.has(picture));
    if (first) this.camera.fit(current.length ? current : this.shown.map((one) => one.picture), first.pane);
    this.fitted = true;
    this.changed("camera");
  }

  /**
   * The pair in which a picture is.
   * @param {Picture | undefined} picture
   */
  pairOf(picture) {
    return this.pairs.find((pair) => pair.current === picture || pair.prior === picture || pair.laid === picture);
  }

  /**
   * A place of any picture in the current scan's view.
   * @param {Picture} picture
   * @param {Place} place
   */
  currentPlace(picture, place) {
    const pair = this.pairOf(picture);
    return pair && pair.prior === picture ? pair.link.toCurrent(place) : place;
  }

  /** @param {boolean} on */
  layOver(on) {
    this.laidOver = on;
    this.pointed = null;
    this.changed("pair");
  }

  /** @param {Partial<{shown: boolean, threshold: number, boneOnly: boolean}>} how */
  subtract(how) {
    Object.assign(this.subtraction, how);
    this.subtraction.threshold = Math.min(Math.max(this.subtraction.threshold, LEAST_SD), MOST_SD);
    this.changed("pair");
  }

  /** Show both scans in turn on the same place, or stop. @param {boolean} on */
  setBlink(on) {
    this.blink.on = on;
    this.blink.prior = false;
    this.pointed = null;
    if (this.fitted) this.fit();
    this.beat(!matchMedia("(prefers-reduced-motion: reduce)").matches);
    this.changed("pair");
  }

  /** @param {number} speed Changes a second. */
  setSpeed(speed) {
    this.blink.speed = Math.min(Math.max(speed, SLOWEST), FASTEST);
    this.beat(this.timer !== 0);
    this.changed("pair");
  }

  /** The other scan by hand, which stops it from going on by itself. */
  flip() {
    if (!this.blink.on) return;
    this.beat(false);
    this.turn();
  }

  turn() {
    this.blink.prior = !this.blink.prior;
    const { pointed } = this;
    const pair = this.pairOf(pointed?.picture);
    if (pointed && pair?.laid) pointed.picture = this.blink.prior ? pair.laid : pair.current;
    this.changed("turn");
  }

  /** @param {boolean} going */
  beat(going) {
    clearInterval(this.timer);
    this.timer = going && this.blink.on ? setInterval(() => this.turn(), 1000 / this.blink.speed) : 0;
  }
}

/** Draws the difference under the outlines, and the cross where the same place is. */
class PairOverlay extends Overlay {
  /** @param {PairStage} stage */
  constructor(stage) {
    super(stage.over);
    this.stage = stage;
    /** @type {Map<import("./pair_stage.js").Pair, {how: string, canvas: HTMLCanvasElement | null}>} */
    this.layers = new Map();
    /** @type {Map<import("./pair_stage.js").Pair, {how: string, canvas: HTMLCanvasElement | null}>} */
    this.covers = new Map();
  }

  /**
   * @override
   * @param {import("./overlay.js").Shown} shown
   * @param {Parameters<Overlay["draw"]>[0]} what
   */
  beneath({ pane, picture }, what) {
    const { stage } = this;
    const pair = stage.pairOf(picture);
    if (!pair || picture === pair.prior) return;
    if (picture === pair.laid) this.spread(this.cover(pair), picture, pane, what.camera, EDGE);
    if (stage.subtraction.shown) this.spread(this.layer(pair), picture, pane, what.camera);
  }

  /**
   * Draw one pixel of the view as one of a canvas.
   * @param {HTMLCanvasElement | null} canvas
   * @param {Picture} picture
   * @param {import("./camera.js").Rectangle} pane
   * @param {import("./camera.js").Camera} camera
   * @param {number} [wider] CSS pixels that it reaches beyond the picture; sharp then.
   */
  spread(canvas, picture, pane, camera, wider = 0) {
    if (!canvas) return;
    const from = camera.toPoint(picture, pane, -0.5, -0.5);
    const to = camera.toPoint(picture, pane, picture.rows - 0.5, picture.columns - 0.5);
    this.context.imageSmoothingEnabled = wider === 0;
    this.context.drawImage(canvas, from.x - wider, from.y - wider, to.x - from.x + 2 * wider, to.y - from.y + 2 * wider);
  }

  /** What hides the places of the laid scan that lie nowhere. @param {import("./pair_stage.js").Pair} pair */
  cover(pair) {
    const { hidden } = pair;
    const how = this.stage.surround.join();
    const known = this.covers.get(pair);
    if (known?.how === how) return known.canvas;
    const colour = this.stage.surround;
    const canvas = hidden ? painted(pair.current, (k) => (hidden[k] ? [...colour, 255] : null)) : null;
    this.covers.set(pair, { how, canvas });
    return canvas;
  }

  /** @param {import("./pair_stage.js").Pair} pair */
  layer(pair) {
    const { threshold, boneOnly } = this.stage.subtraction;
    const how = [threshold, boneOnly, pair.current.regions !== null, pair.difference !== null].join();
    const known = this.layers.get(pair);
    if (known?.how === how) return known.canvas;
    const canvas = pair.difference ? tinted(pair.current, pair.difference, threshold, boneOnly) : null;
    this.layers.set(pair, { how, canvas });
    return canvas;
  }

  /**
   * Through the current scan, where both views of both scans meet.
   * @override
   * @param {import("./overlay.js").Pointed} pointed
   * @param {Picture} picture
   * @returns {Place}
   */
  counterpart(pointed, picture) {
    const { stage } = this;
    const [from, to] = [stage.pairOf(pointed.picture), stage.pairOf(picture)];
    if (!from || !to) return super.counterpart(pointed, picture);
    const now = { picture: from.current, place: stage.currentPlace(pointed.picture, pointed.place) };
    const place = from === to ? now.place : super.counterpart(now, to.current);
    return picture === to.prior ? to.link.toPrior(place) : place;
  }
}

/**
 * The difference as a picture: the stronger the surer, nothing below the threshold.
 * @param {Picture} picture Whose pixels they are.
 * @param {Float32Array} difference Standard deviations.
 * @param {number} threshold
 * @param {boolean} boneOnly
 */
function tinted(picture, difference, threshold, boneOnly) {
  const { regions } = picture;
  return painted(picture, (k) => {
    const sd = difference[k] ?? 0;
    const beyond = Math.abs(sd) - threshold;
    if (!(beyond > 0)) return null;
    const region = regions?.[k] ?? 0;
    if (boneOnly && regions && (!region || MOVING.has(region))) return null;
    const alpha = FAINTEST + (0.95 - FAINTEST) * Math.min(beyond / FULL_SD, 1);
    return [...(sd > 0 ? MORE : LESS), Math.round(255 * alpha)];
  });
}

/**
 * @param {Picture} picture
 * @param {(k: number) => number[] | null} colour Of the k-th pixel, 0 to 255 with its opacity; null for none.
 */
function painted({ rows, columns }, colour) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d");
  if (!context) return null;
  const image = context.createImageData(columns, rows);
  for (let k = 0; k < rows * columns; k += 1) {
    const four = colour(k);
    if (four) image.data.set(four, 4 * k);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
