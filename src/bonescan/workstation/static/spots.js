/**
 * The page on all planar views of a study: a contact sheet in one window, and any view alone.
 * @module
 */

import { button, make } from "./elements.js";
import { greyCommands, greyControls } from "./grey_controls.js";
import { teaching } from "./page.js";
import { asked, goBack, readout, seriesPage, uid } from "./series_page.js";
import { framesOf } from "./service.js";
import { fitting, grid, plate, StackStage } from "./stack_stage.js";
import { quantile, Stack, sumOf } from "./stacks.js";
import { duration } from "./telling.js";
import { SPOTS_WORDS as WORDS } from "./words_spots.js";

const MOST = 60; // views on one sheet

/** What the page shows and the hand changes. */
class View {
  constructor() {
    /** @type {Array<{stack: Stack, gain: number, own: number, top: number, reference: number}>} */
    this.pictures = [];
    this.chosen = 0;
    this.alone = false;
    this.timed = true;
    this.oneScale = true;
    this.across = 1;
    this.sight = { zoom: 1, across: 0, down: 0 };
    /** @type {null | {x: number, y: number, sight: {across: number, down: number}}} */
    this.drag = null;
    this.stage = new StackStage({
      painter: asked.get("painter"), label: WORDS.stage,
      panes: (width, height) => this.panes(width, height),
      over: (context) => this.over(context),
      hand: (hand) => this.hand(hand),
      wheel: (_, lines) => this.magnify(this.sight.zoom * Math.exp(-lines / 500)),
      pinch: (times) => this.magnify(this.sight.zoom * times),
      largest: () => Math.max(0, ...this.pictures.map((one) => one.top * this.gain(one))),
      auto: () => ({ lower: 0, upper: Math.max(...this.pictures.map((one) => one.reference * this.gain(one))) || 1 }),
    });
    this.stage.over.addEventListener("dblclick", () => this.toggle());
  }

  /** @param {{gain: number, own: number}} one */
  gain(one) {
    return this.oneScale ? one.gain : one.own;
  }

  /** @param {Stack[]} stacks */
  open(stacks) {
    this.timed = stacks.every((stack) => stack.facts.durations_s.length === stack.frames);
    this.oneScale = this.timed;
    this.pictures = stacks.map((stack) => {
      const reference = quantile(stack.data, 0.995) * stack.frames || 1;
      const seconds = this.timed ? stack.facts.durations_s.reduce((sum, s) => sum + s, 0) : 1;
      return { stack, gain: 100 / (seconds * stack.rowMm * stack.columnMm), own: 1 / reference, top: stack.facts.largest * stack.frames, reference };
    });
    this.stage.show(stacks);
  }

  /** @param {number} width @param {number} height @returns {import("./stack_stage.js").Shown[]} */
  panes(width, height) {
    const shown = this.alone ? this.pictures.slice(this.chosen, this.chosen + 1) : this.pictures;
    if (!shown.length) return [];
    // As many beside each other as make the pictures largest.
    let [best, scale] = [1, Infinity];
    for (let across = 1; across <= shown.length; across += 1) {
      const rooms = grid(shown.length, across, width, height);
      const needed = fitting(shown.map(({ stack }, k) => ({ cut: sumOf(stack, 0, stack.frames - 1), width: rooms[k]?.width ?? 1, height: rooms[k]?.height ?? 1 })));
      if (needed < scale) [best, scale] = [across, needed];
    }
    this.across = best;
    this.stage.scale = scale / this.sight.zoom;
    return grid(shown.length, best, width, height).map((room, k) => {
      const one = /** @type {View["pictures"][number]} */ (shown[k]);
      const after = one.stack.facts.after_injection_s;
      const { across, down } = this.sight;
      return {
        ...room, id: String(this.pictures.indexOf(one)), cut: sumOf(one.stack, 0, one.stack.frames - 1), gain: this.gain(one),
        label: nameOf(one.stack.facts), note: after === null || room.width < 330 ? "" : WORDS.after(after < 3600 ? `${Math.round(after / 60)} min` : duration(after / 3600)),
        across: one.stack.fromBehind ? -across : across, down,
      };
    });
  }

  /** @param {CanvasRenderingContext2D} context */
  over(context) {
    for (const shown of this.stage.shown) {
      const { stack } = shown.cut;
      if (/^(anterior|posterior)$/.test(stack.facts.view)) {
        const [left, right] = stack.fromBehind ? [WORDS.left, WORDS.right] : [WORDS.right, WORDS.left];
        plate(context, left, shown.x + 6, shown.y + shown.height / 2, "start");
        plate(context, right, shown.x + shown.width - 6, shown.y + shown.height / 2, "end");
      }
      if (Number(shown.id) === this.chosen && !this.alone) {
        context.strokeStyle = "#ffd45e";
        context.lineWidth = 2;
        context.strokeRect(shown.x + 1, shown.y + 1, shown.width - 2, shown.height - 2);
      }
    }
  }

  /** @param {import("./stack_stage.js").Hand} hand */
  hand({ way, pointed, event }) {
    if (way === "press") {
      const pan = event.button === 1 || event.shiftKey;
      if (pan) this.drag = { x: event.clientX, y: event.clientY, sight: { ...this.sight } };
      else if (pointed) this.choose(Number(pointed.shown.id));
      return pan;
    }
    if (way === "drag" && this.drag) {
      this.sight.across = this.drag.sight.across - (event.clientX - this.drag.x) * this.stage.scale;
      this.sight.down = this.drag.sight.down - (event.clientY - this.drag.y) * this.stage.scale;
      this.stage.changed("sight");
    } else if (way === "release") this.drag = null;
    return true;
  }

  toggle() {
    this.alone = !this.alone;
    this.magnify(1);
  }

  /** @param {number} at */
  choose(at) {
    this.chosen = Math.min(this.pictures.length - 1, Math.max(0, at));
    this.stage.changed("chosen");
  }

  /** @param {number} to */
  magnify(to) {
    this.sight.zoom = Math.min(12, Math.max(1, to));
    if (this.sight.zoom === 1) Object.assign(this.sight, { across: 0, down: 0 });
    this.stage.changed("sight");
  }

  scales() {
    if (!this.timed) return;
    this.oneScale = !this.oneScale;
    this.stage.autoWindow();
  }
}

/** @param {import("./stacks.js").SeriesFacts} facts */
function nameOf({ label, view, part, kind }) {
  const own = [part ? part.charAt(0) + part.slice(1).toLowerCase() : "", view].filter(Boolean).join(", ");
  return own || (label === kind ? WORDS.unnamed : label);
}

const view = new View();

/** @type {import("./page.js").Command[]} */
const commands = [
  {
    keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], shown: "← → ↑ ↓", text: WORDS.keys.move, run: (event) => {
      view.choose(view.chosen + (/** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -view.across, ArrowDown: view.across })[event.key] ?? 0));
    },
  },
  { keys: ["Enter"], text: WORDS.keys.alone, run: () => view.toggle() },
  { keys: ["Escape"], text: WORDS.keys.all, run: () => { if (view.alone) view.toggle(); } },
  { keys: ["g"], text: WORDS.keys.one, run: () => view.scales() },
  { keys: ["+", "="], shown: "+", text: WORDS.keys.zoomIn, run: () => view.magnify(view.sight.zoom * 1.25) },
  { keys: ["-"], text: WORDS.keys.zoomOut, run: () => view.magnify(view.sight.zoom / 1.25) },
  { keys: ["Home"], text: WORDS.keys.fit, run: () => view.magnify(1) },
  ...greyCommands(view.stage),
  { keys: ["u"], text: WORDS.keys.back, run: goBack },
];

seriesPage({
  title: WORDS.title, back: WORDS.back, keys: WORDS.keys.title, commands, mouse: WORDS.mouse,
  async build({ main, series, leftOut }) {
    const chosen = series.filter((one) => one.kind === "spot" || one.kind === "whole body").slice(0, MOST);
    if (!chosen.length) {
      main.replaceChildren(teaching(WORDS.title, [WORDS.none], make("a", { href: `/study/${encodeURIComponent(uid)}` }, WORDS.back)));
      return;
    }
    const { stage } = view;
    const notes = make("div", { class: "notes", role: "status" }, make("p", { class: "hint" }, WORDS.opening));
    const bars = make("div", { class: "controls", role: "region", "aria-label": WORDS.bar });
    main.classList.add("wide");
    main.replaceChildren(make("section", { class: "looking", "aria-label": WORDS.title }, make("h1", { class: "unseen" }, WORDS.title), bars, notes, stage.element, readout(stage)));
    view.open(await Promise.all(chosen.map(async (facts) => new Stack(facts, await framesOf(uid, facts)))));
    performance.mark("first-picture");
    const told = [!view.timed && WORDS.unknownTimes, leftOut > 0 && WORDS.leftOut(leftOut)].filter(Boolean);
    notes.replaceChildren(...told.map((text) => make("p", { class: "warn" }, String(text))));
    const grey = greyControls(stage);
    const one = button(WORDS.one, () => view.scales(), { "aria-pressed": "true", title: WORDS.oneHint, disabled: !view.timed });
    const alone = button(WORDS.alone, () => view.toggle(), { "aria-pressed": "false", title: WORDS.aloneHint });
    bars.replaceChildren(grey.element, make("div", { class: "group", role: "group", "aria-label": WORDS.scale }, one), make("div", { class: "group", role: "group", "aria-label": WORDS.views }, alone));
    const follow = () => {
      grey.follow();
      one.setAttribute("aria-pressed", String(view.oneScale));
      alone.setAttribute("aria-pressed", String(view.alone));
    };
    stage.addEventListener("changed", follow);
    follow();
  },
});
