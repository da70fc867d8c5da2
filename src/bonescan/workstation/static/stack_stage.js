/**
 * A stage for cuts of stacks: panes on one canvas, one grey scale, one magnification, what is drawn over them, and the hand.
 *
 * The page says which panes there are and what a hand's way over them means; the stage draws and tells places.
 * @module
 */

import { make } from "./elements.js";
import { canvasStackPainter, webglStackPainter } from "./stack_painters.js";
import { sizeOf } from "./stacks.js";

/** @typedef {import("./stacks.js").Cut} Cut */
/**
 * One pane, in CSS pixels. `across` and `down` are millimetres from the cut's middle to what is at the pane's middle.
 * @typedef {{id: string, cut: Cut, gain: number, label: string, note: string, x: number, y: number, width: number,
 *   height: number, across: number, down: number}} Shown
 */
/** @typedef {{shown: Shown, row: number, column: number, x: number, y: number}} Pointed Pixel centres at whole numbers. */
/** @typedef {{way: "press" | "drag" | "release" | "hover" | "leave", pointed: Pointed | null, event: PointerEvent}} Hand */

export const HEAD = 22; // room above a picture for its name, CSS pixels

/** Panes and everything that changes them; `changed` events tell of it. */
export class StackStage extends EventTarget {
  /**
   * @param {{painter: string | null, label: string, panes: (width: number, height: number) => Shown[],
   *   over?: (context: CanvasRenderingContext2D, stage: StackStage) => void, hand?: (hand: Hand) => boolean | void,
   *   wheel?: (pointed: Pointed, lines: number) => void, pinch?: (times: number) => void, largest: () => number, auto: () => {lower: number, upper: number}}} page
   *   `hand` answers true when the way was for it; else it sets the window.
   */
  constructor(page) {
    super();
    this.page = page;
    this.window = { lower: 0, upper: 1, log: false, inverse: true, smooth: true };
    this.touched = false;
    /** Millimetres a CSS pixel, of all panes. */
    this.scale = 2;
    /** @type {Shown[]} */
    this.shown = [];
    this.frames = 0;
    this.under = make("canvas", { class: "counts", "aria-hidden": "true" });
    this.over = make("canvas", { class: "over", tabindex: 0, role: "img", "aria-label": page.label });
    this.element = make("div", { class: "stage", "aria-busy": "true" }, this.under, this.over);
    /** @type {import("./stack_painters.js").Painter} */
    this.painter = (page.painter === "canvas" ? null : webglStackPainter(this.under, page.painter === "webgl2")) ?? canvasStackPainter(this.under);
    this.under.addEventListener("webglcontextlost", () => this.fallBack());
    new ResizeObserver(() => this.resize()).observe(this.element);
    document.addEventListener("themechange", () => this.redraw());
    this.hand();
  }

  /** Go on with the plain canvas: the graphics card has gone away, or cannot hold so much. */
  fallBack() {
    const fresh = make("canvas", { class: "counts", "aria-hidden": "true", width: this.under.width, height: this.under.height });
    this.under.replaceWith(fresh);
    this.under = fresh;
    this.painter = canvasStackPainter(fresh);
    this.changed("painter");
  }

  /** @param {import("./stacks.js").Stack[]} stacks */
  show(stacks) {
    if (!stacks.every((stack) => this.painter.holds(stack))) this.fallBack();
    this.element.setAttribute("aria-busy", "false");
    this.autoWindow();
    this.resize();
  }

  autoWindow() {
    Object.assign(this.window, this.page.auto());
    this.touched = false;
    this.changed("window");
  }

  get largest() {
    return Math.max(1e-6, this.page.largest());
  }

  /** @param {number} lower @param {number} upper */
  setWindow(lower, upper) {
    const most = this.largest;
    const least = most / 1e4;
    this.window.upper = Math.min(Math.max(upper, least), most);
    this.window.lower = Math.min(Math.max(lower, 0), this.window.upper - least / 2);
    this.touched = true;
    this.changed("window");
  }

  /** @param {string} what */
  changed(what) {
    this.redraw();
    this.dispatchEvent(new CustomEvent("changed", { detail: what }));
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.element;
    for (const canvas of [this.under, this.over]) {
      canvas.width = Math.max(1, Math.round(clientWidth * ratio));
      canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    }
    this.dispatchEvent(new CustomEvent("changed", { detail: "size" }));
    this.paint();
  }

  /** Draw with the next frame. */
  redraw() {
    if (!this.waiting) this.waiting = requestAnimationFrame(() => this.paint());
  }

  /** @returns {[number, number, number]} */
  get surround() {
    return document.documentElement.dataset.theme === "light" ? [222, 226, 231] : [23, 26, 31];
  }

  /** The panes in device pixels. */
  panes() {
    const ratio = window.devicePixelRatio || 1;
    return this.shown.map((one) => {
      const { rows, columns, rowMm, columnMm } = sizeOf(one.cut);
      const [x, y] = [Math.round(one.x * ratio), Math.round(one.y * ratio)];
      const left = (columns * columnMm) / 2 + one.across + (x / ratio - one.x - one.width / 2) * this.scale;
      const top = (rows * rowMm) / 2 + one.down + (y / ratio - one.y - (one.height + HEAD) / 2) * this.scale;
      return {
        cut: one.cut, gain: one.gain, x, y, width: Math.round(one.width * ratio), height: Math.round(one.height * ratio),
        row: top / rowMm, column: left / columnMm, rows: this.scale / ratio / rowMm, columns: this.scale / ratio / columnMm,
      };
    });
  }

  paint() {
    if (this.waiting) cancelAnimationFrame(this.waiting);
    this.waiting = 0;
    this.shown = this.page.panes(this.element.clientWidth, this.element.clientHeight);
    this.painter.paint(this.panes(), this.window, this.surround);
    this.frames += 1;
    const context = /** @type {CanvasRenderingContext2D} */ (this.over.getContext("2d"));
    const ratio = window.devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.element.clientWidth, this.element.clientHeight);
    for (const one of this.shown) {
      const room = one.width - 18 - plate(context, one.label, one.x + 6, one.y + 4, "start");
      // Where both do not fit beside each other, the note stands below.
      if (room > wideOf(context, one.note)) plate(context, one.note, one.x + one.width - 6, one.y + 4, "end");
      else plate(context, one.note, one.x + 6, one.y + 24, "start");
    }
    this.page.over?.(context, this);
  }

  /**
   * Where a place of a pane's picture is, CSS pixels of the stage.
   * @param {Shown} one @param {number} row @param {number} column
   * @returns {{x: number, y: number}}
   */
  toPoint(one, row, column) {
    const { rows, columns, rowMm, columnMm } = sizeOf(one.cut);
    return {
      x: one.x + one.width / 2 + ((column + 0.5 - columns / 2) * columnMm - one.across) / this.scale,
      y: one.y + (one.height + HEAD) / 2 + ((row + 0.5 - rows / 2) * rowMm - one.down) / this.scale,
    };
  }

  /** @param {number} x @param {number} y CSS pixels of the stage. @returns {Pointed | null} */
  toPlace(x, y) {
    const shown = this.shown.find((one) => x >= one.x && x < one.x + one.width && y >= one.y && y < one.y + one.height);
    return shown ? this.placeIn(shown, x, y) : null;
  }

  /** @param {Shown} shown @param {number} x @param {number} y @returns {Pointed} */
  placeIn(shown, x, y) {
    const { rows, columns, rowMm, columnMm } = sizeOf(shown.cut);
    return {
      shown, x, y,
      column: ((x - shown.x - shown.width / 2) * this.scale + shown.across) / columnMm + columns / 2 - 0.5,
      row: ((y - shown.y - (shown.height + HEAD) / 2) * this.scale + shown.down) / rowMm + rows / 2 - 0.5,
    };
  }

  /** Tell what the hand is over, by a `pointed` event. @param {Pointed | null} pointed */
  point(pointed) {
    this.dispatchEvent(new CustomEvent("pointed", { detail: pointed }));
  }

  /** Pointers: what the page does not take sets the window. */
  hand() {
    /** @type {null | {x: number, y: number, window: {lower: number, upper: number} | null}} */
    let drag = null;
    const { over, page } = this;
    /** Fingers on the stage: two of them zoom. @type {Map<number, [number, number]>} */
    const down = new Map();
    const apart = () => {
      const [[ax, ay], [bx, by]] = /** @type {[[number, number], [number, number]]} */ ([...down.values()]);
      return Math.max(1, Math.hypot(ax - bx, ay - by));
    };
    /** @param {MouseEvent} event @returns {[number, number]} */
    const at = (event) => {
      const box = over.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    over.addEventListener("pointerdown", (event) => {
      const [x, y] = at(event);
      over.setPointerCapture(event.pointerId);
      down.set(event.pointerId, [x, y]);
      if (down.size === 2) {
        if (drag && !drag.window) page.hand?.({ way: "release", pointed: this.toPlace(x, y), event });
        drag = null;
        return;
      }
      if (event.button === 1) event.preventDefault();
      const taken = event.button !== 2 && page.hand?.({ way: "press", pointed: this.toPlace(x, y), event });
      drag = { x, y, window: taken ? null : { ...this.window } };
    });
    over.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      this.point(this.toPlace(x, y));
      if (down.size === 2 && down.has(event.pointerId)) {
        const before = apart();
        down.set(event.pointerId, [x, y]);
        page.pinch?.(apart() / before);
      } else if (drag?.window) {
        // A whole stage's height is a factor of 16 of the upper level; its width is the lower from none to the upper.
        const upper = drag.window.upper * 16 ** ((y - drag.y) / this.element.clientHeight);
        this.setWindow(drag.window.lower + ((x - drag.x) / this.element.clientWidth) * drag.window.upper, upper);
      } else page.hand?.({ way: drag ? "drag" : "hover", pointed: this.toPlace(x, y), event });
    });
    const up = (/** @type {PointerEvent} */ event) => {
      const [x, y] = at(event);
      down.delete(event.pointerId);
      if (drag && !drag.window) page.hand?.({ way: "release", pointed: this.toPlace(x, y), event });
      drag = null;
    };
    over.addEventListener("pointerup", up);
    over.addEventListener("pointercancel", up);
    over.addEventListener("pointerleave", () => this.point(null));
    over.addEventListener("pointerleave", (event) => page.hand?.({ way: "leave", pointed: null, event }));
    over.addEventListener("contextmenu", (event) => event.preventDefault());
    over.addEventListener("wheel", (event) => {
      event.preventDefault();
      const pointed = this.toPlace(...at(event));
      if (pointed) page.wheel?.(pointed, (event.deltaMode === 1 ? 33 : 1) * event.deltaY);
    }, { passive: false });
  }
}

/**
 * Letters over a picture, on a ground of their own: black or white, they must be read on any grey.
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {"start" | "end" | "center"} side
 * @returns {number} How wide it is.
 */
export function plate(context, text, x, y, side) {
  if (!text) return 0;
  const wide = wideOf(context, text);
  context.textBaseline = "middle";
  context.textAlign = "left";
  const left = side === "start" ? x : side === "end" ? x - wide : x - wide / 2;
  context.fillStyle = "rgb(14 16 19 / 78%)";
  context.fillRect(left, y, wide, 18);
  context.fillStyle = "#e8edf2";
  context.fillText(text, left + 4, y + 9.5);
  return wide;
}

/** @param {CanvasRenderingContext2D} context @param {string} text */
function wideOf(context, text) {
  context.font = "12.5px system-ui, 'DejaVu Sans', sans-serif";
  return context.measureText(text).width + 8;
}

/**
 * Rectangles in rows and columns that fill a stage.
 * @param {number} count
 * @param {number} across
 * @param {number} width
 * @param {number} height
 * @returns {Array<{x: number, y: number, width: number, height: number}>}
 */
export function grid(count, across, width, height) {
  const down = Math.ceil(count / across);
  const gap = 2;
  const [w, h] = [(width - gap * (across - 1)) / across, (height - gap * (down - 1)) / Math.max(down, 1)];
  return Array.from({ length: count }, (_, k) => ({
    x: Math.round((k % across) * (w + gap)), y: Math.round(Math.floor(k / across) * (h + gap)), width: Math.floor(w), height: Math.floor(h),
  }));
}

/**
 * The magnification at which every pane shows all of its picture, millimetres a CSS pixel.
 * @param {ReadonlyArray<{cut: Cut, width: number, height: number}>} panes
 * @returns {number}
 */
export function fitting(panes) {
  let scale = 0.05;
  for (const { cut, width, height } of panes) {
    const { rows, columns, rowMm, columnMm } = sizeOf(cut);
    scale = Math.max(scale, (rows * rowMm) / Math.max(height - HEAD, 1), (columns * columnMm) / Math.max(width, 1));
  }
  return scale;
}
