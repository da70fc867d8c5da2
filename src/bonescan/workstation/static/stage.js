/**
 * The stage: the views side by side, their counts, what lies over them, and the hand that drags, zooms and measures.
 * @module
 */

import { Camera } from "./camera.js";
import { make } from "./elements.js";
import { mirrored } from "./measuring.js";
import { findingAt, Overlay } from "./overlay.js";
import { canvasPainter, webglPainter } from "./painters.js";
import { ordinaryWindow } from "./pictures.js";

/**
 * @typedef {import("./pictures.js").Picture} Picture
 * @typedef {import("./camera.js").Rectangle} Rectangle
 * @typedef {import("./camera.js").Place} Place
 * @typedef {import("./overlay.js").Drawn} Drawn
 * @typedef {import("./measuring.js").Measure} Measure
 * @typedef {"window" | "pan" | "distance" | "ellipse" | "box" | import("./sketching.js").EditTool} Tool
 * @typedef {"both" | "anterior" | "posterior"} Layout
 */

const GAP = 2;
const LENS = 190;
const LENS_TIMES = 3;
const CLICK = 4; // CSS pixels that a still hand may move

/** Everything that is seen and can be changed; `changed` events tell of it. */
export class Stage extends EventTarget {
  /** @param {string | null} [painter] "webgl2" or "canvas" takes that one; otherwise what is faster here. */
  constructor(painter = null) {
    super();
    this.window = { lower: 0, upper: 1, log: false, inverse: true, smooth: true };
    this.touched = false;
    this.camera = new Camera();
    this.fitted = true;
    /** @type {Picture[]} */
    this.pictures = [];
    /** @type {Drawn[]} */
    this.findings = [];
    /** @type {number | null} */
    this.chosen = null;
    this.overlays = { findings: true, normal: true, regions: false, opacity: 0.9 };
    /** @type {Measure[]} */
    this.measures = [];
    /** @type {Tool} */
    this.tool = "window";
    /** @type {Layout} */
    this.layout = "both";
    this.lens = false;
    /** @type {import("./overlay.js").Pointed | null} */
    this.pointed = null;
    /** Set while the cross is led by the keyboard. */
    this.crossing = false;
    /** @type {Measure | null} */
    this.drawing = null;
    /** The hand that edits, where somebody may. @type {import("./sketching.js").Sketch | null} */
    this.sketch = null;
    this.frames = 0;

    this.under = make("canvas", { class: "counts", "aria-hidden": "true" });
    this.over = make("canvas", { class: "over", tabindex: 0, role: "img" });
    this.element = make("div", { class: "stage", "aria-busy": "true" }, this.under, this.over);
    this.overlay = new Overlay(this.over);
    /** @type {import("./painters.js").Painter} */
    this.painter = (painter === "canvas" ? null : webglPainter(this.under, painter === "webgl2")) ?? canvasPainter(this.under);
    this.under.addEventListener("webglcontextlost", () => this.fallBack());
    new ResizeObserver(() => this.resize()).observe(this.element);
    document.addEventListener("themechange", () => this.redraw());
    this.hand();
  }

  /** Go on with the plain canvas: the graphics card has gone away. */
  fallBack() {
    const fresh = make("canvas", { class: "counts", "aria-hidden": "true", width: this.under.width, height: this.under.height });
    this.under.replaceWith(fresh);
    this.under = fresh;
    this.painter = canvasPainter(fresh);
    this.redraw();
  }

  /** @param {Picture[]} pictures */
  show(pictures) {
    this.pictures = pictures;
    for (const picture of pictures) this.painter.add(picture);
    this.autoWindow();
    this.resize();
    this.element.setAttribute("aria-busy", "false");
  }

  autoWindow() {
    const boxes = this.findings.flatMap((finding) => Object.entries(finding.views).map(([name, seen]) => ({
      name,
      top: Math.min(...seen.outline.map((p) => p[0])), bottom: Math.max(...seen.outline.map((p) => p[0])),
      left: Math.min(...seen.outline.map((p) => p[1])), right: Math.max(...seen.outline.map((p) => p[1])),
    })));
    Object.assign(this.window, ordinaryWindow(this.judged, (picture, row, column) =>
      boxes.some((box) => box.name === picture.key && row >= box.top && row <= box.bottom && column >= box.left && column <= box.right)));
    this.touched = false;
    this.changed("window");
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

  /** The pictures from which the ordinary window is worked out. */
  get judged() {
    return this.pictures;
  }

  get largest() {
    return Math.max(1e-6, ...this.pictures.map((picture) => picture.largest));
  }

  /** @param {string} what */
  changed(what) {
    this.redraw(what === "window");
    this.dispatchEvent(new CustomEvent("changed", { detail: what }));
  }

  /** The pictures of the layout, from left to right. */
  get seen() {
    const rest = this.pictures.filter((picture) => this.layout === "both" || picture.name === this.layout);
    return rest.length ? rest : this.pictures;
  }

  /** The views that are seen, each with its pane. */
  get shown() {
    const { seen } = this;
    const { clientWidth, clientHeight } = this.element;
    const width = (clientWidth - GAP * (seen.length - 1)) / Math.max(seen.length, 1);
    return seen.map((picture, k) => ({ picture, pane: { x: Math.round(k * (width + GAP)), y: 0, width: Math.floor(width), height: clientHeight } }));
  }

  fit() {
    const [first] = this.shown;
    if (first) this.camera.fit(this.shown.map((one) => one.picture), first.pane);
    this.fitted = true;
    this.changed("camera");
  }

  /** @param {Layout} layout */
  setLayout(layout) {
    this.layout = layout;
    this.fit();
    this.changed("layout");
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.element;
    for (const canvas of [this.under, this.over]) {
      canvas.width = Math.max(1, Math.round(clientWidth * ratio));
      canvas.height = Math.max(1, Math.round(clientHeight * ratio));
    }
    if (this.fitted) this.fit();
    this.paint(false);
  }

  /**
   * Draw with the next frame.
   * @param {boolean} [greyOnly] Nothing but the window has changed.
   */
  redraw(greyOnly = false) {
    this.whole = this.whole || !greyOnly;
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => this.paint(!this.whole));
  }

  /** The panes in device pixels. */
  panes() {
    const ratio = window.devicePixelRatio || 1;
    const panes = this.shown.map((one) => this.pane(one.picture, one.pane, this.camera, ratio));
    const lens = this.lensPane();
    if (lens) panes.push(this.pane(lens.shown.picture, lens.pane, lens.camera, ratio));
    return panes;
  }

  /** @param {Picture} picture @param {Rectangle} pane @param {Camera} camera @param {number} ratio */
  pane(picture, pane, camera, ratio) {
    const [x, y] = [Math.round(pane.x * ratio), Math.round(pane.y * ratio)];
    const corner = camera.toMm(picture, pane, x / ratio, y / ratio);
    return {
      picture, x, y, width: Math.round(pane.width * ratio), height: Math.round(pane.height * ratio),
      row: corner.y / picture.rowMm, column: corner.x / picture.columnMm,
      rows: camera.scale / ratio / picture.rowMm, columns: camera.scale / ratio / picture.columnMm,
    };
  }

  lensPane() {
    if (!this.lens || !this.pointed) return null;
    const shown = this.shown.find((one) => one.picture === this.pointed?.picture);
    if (!shown) return null;
    const at = this.camera.toPoint(shown.picture, shown.pane, this.pointed.place.row, this.pointed.place.column);
    const pane = { x: at.x - LENS / 2, y: at.y - LENS / 2, width: LENS, height: LENS };
    return { shown, pane, camera: this.camera.lens(shown.picture, this.pointed.place, LENS_TIMES) };
  }

  /** @returns {[number, number, number]} */
  get surround() {
    return document.documentElement.dataset.theme === "light" ? [222, 226, 231] : [23, 26, 31];
  }

  /** @param {boolean} greyOnly */
  paint(greyOnly) {
    if (this.waiting) cancelAnimationFrame(this.waiting);
    this.waiting = 0;
    this.whole = false;
    this.painter.paint(this.panes(), this.window, this.surround);
    this.frames += 1;
    if (greyOnly) return;
    const { normal } = this.overlays;
    this.overlay.draw({
      shown: this.shown, camera: this.camera, ratio: window.devicePixelRatio || 1,
      findings: this.overlays.findings ? this.findings.filter((one) => normal || !one.likely_normal || one.id === this.chosen) : [],
      chosen: this.chosen, regions: this.overlays.regions, opacity: this.overlays.opacity,
      measures: this.drawing ? [...this.measures, this.drawing] : this.measures,
      pointed: this.pointed, cross: this.crossing, lens: this.lensPane(), sketch: this.sketch,
    });
  }

  /**
   * Choose a finding and bring it into sight.
   * @param {number | null} id
   */
  choose(id) {
    this.chosen = id;
    const finding = this.findings.find((one) => one.id === id);
    if (finding) {
      for (const { picture, pane } of this.shown) {
        const seen = finding.views[picture.key];
        if (!seen) continue;
        const at = this.camera.toPoint(picture, pane, seen.peak.row, seen.peak.column);
        const outside = at.x < pane.x + 20 || at.x > pane.x + pane.width - 20 || at.y < 20 || at.y > pane.height - 20;
        if (outside) this.camera.move(picture, pane.x + pane.width / 2 - at.x, pane.height / 2 - at.y);
        if (outside) this.fitted = false;
        break;
      }
    }
    this.changed("chosen");
  }

  /** @param {number} by */
  zoom(by) {
    this.fitted = false;
    const one = this.shown.find(({ picture }) => picture === this.pointed?.picture);
    if (one && this.pointed && this.over.matches(":hover")) {
      const at = this.camera.toPoint(one.picture, one.pane, this.pointed.place.row, this.pointed.place.column);
      this.camera.zoom(by, one.picture, one.pane, at.x, at.y);
    } else this.camera.zoom(by);
    this.changed("camera");
  }

  /** @param {number} x @param {number} y CSS pixels. */
  move(x, y) {
    this.fitted = false;
    this.camera.move(this.shown[0]?.picture, x, y);
    this.changed("camera");
  }

  /** @param {Tool} tool */
  setTool(tool) {
    this.tool = tool;
    this.drawing = null;
    this.crossing &&= this.aiming;
    this.over.dataset.tool = tool;
    this.sketch?.taken();
    this.changed("tool");
  }

  get measuring() {
    return this.tool === "distance" || this.tool === "ellipse" || this.tool === "box";
  }

  /** Whether the arrow keys lead a cross: something is measured or edited. */
  get aiming() {
    return this.measuring || Boolean(this.sketch?.tool);
  }

  /**
   * Lead the cross by the keyboard.
   * @param {number} rows
   * @param {number} columns
   */
  moveCross(rows, columns) {
    const { pointed } = this;
    if (!pointed || !this.crossing) {
      const first = this.shown[0];
      if (!first) return;
      const { picture, pane } = pointed ? (this.shown.find((one) => one.picture === pointed.picture) ?? first) : first;
      this.pointed = { picture, place: this.camera.toPlace(picture, pane, pane.x + pane.width / 2, pane.y + pane.height / 2) };
      this.crossing = true;
    } else {
      const { row, column } = pointed.place;
      this.pointed = { picture: pointed.picture, place: { row: Math.round(row) + rows, column: Math.round(column) + columns } };
    }
    if (this.drawing && this.pointed) this.drawing.to = this.pointed.place;
    if (this.pointed) this.sketch?.move(this.pointed);
    this.changed("pointed");
  }

  /** The cross to the other view. */
  otherView() {
    const { shown, pointed } = this;
    const at = shown.findIndex((one) => one.picture === pointed?.picture);
    const next = shown[(at + 1) % shown.length];
    this.drawing = null;
    if (!next) return;
    this.pointed = { picture: next.picture, place: pointed?.place ?? { row: next.picture.rows / 2, column: next.picture.columns / 2 } };
    this.crossing = true;
    this.changed("pointed");
  }

  /** Set the first or second point where the cross is. */
  setPoint() {
    if (this.pointed && this.sketch?.tool) {
      this.sketch.enter(this.pointed);
      this.changed("sketch");
    }
    if (!this.pointed || !this.measuring) return;
    if (!this.drawing) this.drawing = this.newMeasure(this.pointed.picture, this.pointed.place);
    else this.finish();
    this.redraw();
  }

  /** @param {Picture} picture @param {Place} place @returns {Measure} */
  newMeasure(picture, place) {
    const id = 1 + Math.max(0, ...this.measures.map((one) => one.id));
    return { id, kind: /** @type {Measure["kind"]} */ (this.tool), picture, from: place, to: place, mate: null };
  }

  finish() {
    const made = this.drawing;
    this.drawing = null;
    if (made && Math.hypot(made.to.row - made.from.row, made.to.column - made.from.column) > 1) this.measures.push(made);
    this.changed("measures");
  }

  /** @param {number} id */
  removeMeasure(id) {
    this.measures = this.measures.filter((one) => one.id !== id);
    this.changed("measures");
  }

  /** @param {number} id */
  mirror(id) {
    for (const one of this.measures) if (one.id === id) one.mate = one.mate ? null : mirrored(one);
    this.changed("measures");
  }

  /** @param {number} x @param {number} y @returns {import("./overlay.js").Shown | undefined} */
  paneAt(x, y) {
    return this.shown.find(({ pane }) => x >= pane.x && x < pane.x + pane.width && y >= pane.y && y < pane.y + pane.height);
  }

  /** Pointers: one drags the tool, two zoom. */
  hand() {
    /** @type {Map<number, {x: number, y: number}>} */
    const down = new Map();
    /** @type {null | {x: number, y: number, way: Tool | "shape" | "sketch", window: {lower: number, upper: number}, moved: boolean,
     *   shape: {from: Place, to: Place} | null, was: {from: Place, to: Place} | null}} */
    let drag = null;
    const { over } = this;
    /** @param {MouseEvent} event */
    const at = (event) => {
      const box = over.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    /** @param {{x: number, y: number}} p */
    const point = (p) => {
      const one = this.paneAt(p.x, p.y);
      this.crossing = false;
      this.pointed = one ? { picture: one.picture, place: this.camera.toPlace(one.picture, one.pane, p.x, p.y) } : null;
      this.changed("pointed");
    };
    over.addEventListener("pointerdown", (event) => {
      const p = at(event);
      over.setPointerCapture(event.pointerId);
      down.set(event.pointerId, p);
      point(p);
      if (down.size === 2) {
        drag = null;
        this.drawing = null;
        this.sketch?.drop();
        return;
      }
      if (event.button === 1) event.preventDefault();
      const { pointed } = this;
      const way = event.button === 1 || event.shiftKey ? "pan" : event.button === 2 ? "window" : this.tool;
      const shape = pointed && event.button === 0 && this.measuring ? this.shapeAt(pointed) : null;
      const sketched = pointed !== null && way === this.tool && this.sketch?.down(pointed);
      drag = { ...p, way: shape ? "shape" : sketched ? "sketch" : way, window: { ...this.window }, moved: false, shape,
        was: shape && { from: { ...shape.from }, to: { ...shape.to } } };
      if (!shape && this.measuring && way === this.tool && pointed) this.drawing = this.newMeasure(pointed.picture, pointed.place);
    });
    over.addEventListener("pointermove", (event) => {
      const p = at(event);
      const before = down.get(event.pointerId);
      if (before && down.size === 2) {
        const other = [...down.entries()].find(([id]) => id !== event.pointerId)?.[1];
        const one = this.paneAt(p.x, p.y) ?? this.shown[0];
        if (other && one) {
          const by = Math.hypot(p.x - other.x, p.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
          this.camera.zoom(by, one.picture, one.pane, (p.x + other.x) / 2, (p.y + other.y) / 2);
          this.move((p.x - before.x) / 2, (p.y - before.y) / 2);
        }
        down.set(event.pointerId, p);
        return;
      }
      if (!before || !drag) {
        point(p);
        if (this.pointed) this.sketch?.move(this.pointed);
        return;
      }
      drag.moved ||= Math.hypot(p.x - drag.x, p.y - drag.y) > CLICK;
      if (drag.way === "pan") {
        this.fitted = false;
        const one = this.paneAt(drag.x, drag.y);
        this.camera.move(one?.picture, p.x - before.x, p.y - before.y);
        this.changed("camera");
      } else if (drag.way === "window" && drag.moved) {
        // A whole stage's height is a factor of 16 of the upper level; its width is the lower from none to the upper.
        const upper = drag.window.upper * 16 ** ((p.y - drag.y) / this.element.clientHeight);
        const lower = drag.window.lower + ((p.x - drag.x) / this.element.clientWidth) * drag.window.upper;
        this.setWindow(lower, upper);
      } else if (drag.way === "shape" && drag.shape && drag.was && this.pointed) {
        const mm = this.camera.scale;
        const { picture } = this.pointed;
        const rows = ((p.y - drag.y) * mm) / picture.rowMm;
        const columns = ((p.x - drag.x) * mm) / picture.columnMm;
        drag.shape.from = { row: drag.was.from.row + rows, column: drag.was.from.column + columns };
        drag.shape.to = { row: drag.was.to.row + rows, column: drag.was.to.column + columns };
        this.changed("measures");
      } else if (drag.way === "sketch") {
        const from = this.paneAt(drag.x, drag.y);
        const between = event.getCoalescedEvents?.() ?? [];
        for (const each of between.length ? between : [event]) {
          const q = at(each);
          if (from) this.pointed = { picture: from.picture, place: this.camera.toPlace(from.picture, from.pane, q.x, q.y) };
          if (this.pointed) this.sketch?.move(this.pointed);
        }
        this.changed("pointed");
      } else if (this.drawing) {
        const one = this.shown.find(({ picture }) => picture === this.drawing?.picture);
        if (one) {
          this.drawing.to = this.camera.toPlace(one.picture, one.pane, p.x, p.y);
          this.pointed = { picture: one.picture, place: this.drawing.to };
        }
        this.changed("pointed");
      }
      down.set(event.pointerId, p);
    });
    const up = (/** @type {PointerEvent} */ event) => {
      down.delete(event.pointerId);
      const was = drag;
      drag = null;
      if (this.drawing) this.finish();
      if (was?.way === "sketch") {
        if (event.type === "pointerup" && this.pointed) this.sketch?.up(this.pointed, was.moved);
        else this.sketch?.drop();
        return this.changed("sketch");
      }
      if (was && !was.moved && event.type === "pointerup" && event.button === 0 && this.pointed) {
        const findings = this.overlays.findings ? this.findings : [];
        const found = findingAt(findings, this.pointed.picture, this.pointed.place);
        if (found || this.tool === "window" || this.tool === "pan") this.choose(found?.id ?? null);
      }
    };
    over.addEventListener("pointerup", up);
    over.addEventListener("pointercancel", up);
    over.addEventListener("pointerleave", () => {
      if (down.size || this.crossing) return;
      this.pointed = null;
      this.changed("pointed");
    });
    over.addEventListener("contextmenu", (event) => event.preventDefault());
    over.addEventListener("wheel", (event) => {
      event.preventDefault();
      const p = at(event);
      const one = this.paneAt(p.x, p.y);
      if (!one) return;
      this.fitted = false;
      const lines = event.deltaMode === 1 ? 33 : 1;
      this.camera.zoom(Math.exp((-event.deltaY * lines) / 500), one.picture, one.pane, p.x, p.y);
      point(p);
      this.changed("camera");
    }, { passive: false });
  }

  /** @param {import("./overlay.js").Pointed} pointed @returns {{from: Place, to: Place} | null} */
  shapeAt({ picture, place }) {
    for (const measure of [...this.measures].reverse()) {
      if (measure.picture !== picture || measure.kind === "distance") continue;
      for (const shape of [measure.mate, measure]) {
        if (!shape) continue;
        const [top, bottom] = [Math.min(shape.from.row, shape.to.row), Math.max(shape.from.row, shape.to.row)];
        const [left, right] = [Math.min(shape.from.column, shape.to.column), Math.max(shape.from.column, shape.to.column)];
        if (place.row >= top && place.row <= bottom && place.column >= left && place.column <= right) return shape;
      }
    }
    return null;
  }
}
