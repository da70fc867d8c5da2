/**
 * The page on three phases: the flow as a cine or summed, blood pool and delayed views beside it, regions on both sides with
 * their curves and ratios, and what the reading says.
 * @module
 */

import { Cine } from "./cine.js";
import { button, make } from "./elements.js";
import { greyCommands, greyControls } from "./grey_controls.js";
import { say, teaching } from "./page.js";
import { livePart } from "./phases_live.js";
import { edgesOf, readingPart } from "./phases_panel.js";
import { bodyOf, middleOf, placeOf, seenFromFront } from "./rois.js";
import { asked, goBack, readout, seriesPage, uid } from "./series_page.js";
import { framesOf, readingFile, Refused, study as ask, watch } from "./service.js";
import { grid, HEAD, plate, StackStage } from "./stack_stage.js";
import { frameOf, quantile, sizeOf, Stack, sumOf } from "./stacks.js";
import { duration } from "./telling.js";
import { PHASES_WORDS as WORDS } from "./words_phases.js";

/** @typedef {"flow" | "pool" | "delayed"} PhaseName */
/** @typedef {import("./rois.js").Region} Region */
/** @typedef {import("./phases_panel.js").PhaseReading} PhaseReading */
/**
 * Levels in counts per second and cm²; `single` is the brightest frame's.
 * @typedef {{name: PhaseName, stacks: Stack[], top: number, reference: number, single: number}} Phase
 */

const PHASES = /** @type {const} */ (["flow", "pool", "delayed"]);
const STEP_MM = 2;

/** @param {Stack} stack */
const areaCm2 = (stack) => (stack.rowMm * stack.columnMm) / 100;
/** @param {Stack} stack @param {number} from @param {number} to */
const secondsOf = (stack, from, to) => stack.facts.durations_s.slice(from, to + 1).reduce((sum, s) => sum + s, 0);

/** What the page shows and the hand changes. */
export class View {
  constructor() {
    /** @type {Phase[]} */
    this.phases = [];
    this.timed = true;
    this.summed = true;
    this.frame = 0;
    this.span = { from: 0, to: 0 };
    this.oneScale = true;
    this.regionShown = true;
    /** @type {"both" | "anterior" | "posterior"} */
    this.views = "both";
    /** @type {"ellipse" | "box"} */
    this.kind = "ellipse";
    /** @type {Region | null} */
    this.region = null;
    this.middle = 0;
    this.sight = { zoom: 1, across: 0, down: 0 };
    this.body = { left: -1, right: 1, top: -1, bottom: 1 };
    /** @type {PhaseReading | null} */
    this.reading = null;
    /** Outlines of the reading's region and its counterpart, mm seen from the front. @type {Array<[number, number, number, number]>} */
    this.edges = [];
    /** @type {Cine | null} */
    this.cine = null;
    /** @type {null | {way: "draw" | "own" | "mate" | "pan", x: number, y: number, was: Region | null, sight: {across: number, down: number}, behind: boolean}} */
    this.drag = null;
    this.stage = new StackStage({
      painter: asked.get("painter"), label: WORDS.stage,
      panes: (width, height) => this.panes(width, height),
      over: (context) => this.over(context),
      hand: (hand) => this.hand(hand),
      wheel: (_, lines) => this.magnify(this.sight.zoom * Math.exp(-lines / 500)),
      pinch: (times) => this.magnify(this.sight.zoom * times),
      largest: () => 1.5 * Math.max(0, ...this.phases.map((phase) => phase.top * this.own(phase))),
      auto: () => ({ lower: 0, upper: Math.max(...this.phases.map((phase) => phase.reference * this.own(phase))) || 1 }),
    });
  }

  get flow() {
    return this.phases.find((phase) => phase.name === "flow");
  }

  /** What a phase's levels are multiplied with: nothing in one scale, else its own reference to the brightest's. @param {Phase} phase */
  own(phase) {
    if (this.oneScale) return 1;
    return Math.max(...this.phases.map((one) => one.reference)) / Math.max(phase.reference, 1e-12);
  }

  /** @param {Stack[]} stacks */
  open(stacks) {
    this.timed = stacks.every((stack) => stack.facts.durations_s.length === stack.frames);
    this.oneScale = this.timed;
    this.phases = PHASES.map((name) => {
      const own = stacks.filter((stack) => stack.facts.phase === name);
      let [top, reference, single] = [0, 0, 0];
      for (const stack of own) {
        const rate = new Float32Array(stack.rows * stack.columns);
        const per = 1 / (this.seconds(stack, 0, stack.frames - 1) * areaCm2(stack));
        for (let k = 0; k < stack.data.length; k += 1) rate[k % rate.length] = (rate[k % rate.length] ?? 0) + per * (stack.data[k] ?? 0);
        top = rate.reduce((most, n) => Math.max(most, n), top);
        reference = Math.max(reference, quantile(rate, 0.995));
        for (let k = 0; k < stack.frames; k += 1) single = Math.max(single, quantile(stack.data.subarray(k * rate.length, (k + 1) * rate.length), 0.98) / (this.seconds(stack, k, k) * areaCm2(stack)));
      }
      return { name, stacks: own, top, reference, single };
    }).filter((phase) => phase.stacks.length);
    const count = this.flow?.stacks[0]?.frames ?? 1;
    this.span = { from: 0, to: count - 1 };
    this.middle = middleOf(this.phases.at(-1)?.stacks ?? []);
    this.body = bodyOf(stacks);
    this.home();
    this.cine = new Cine({
      words: WORDS.cine, id: "cine", count, perSecond: 8, fastest: 30,
      step: (at) => {
        this.frame = at;
        this.summed = false;
        this.stage.changed("frame");
      },
      told: (at) => `${at + 1}/${count}`,
    });
    this.stage.show(stacks);
  }

  /** Seconds of frames; 1 where no file says. @param {Stack} stack @param {number} from @param {number} to */
  seconds(stack, from, to) {
    return this.timed ? secondsOf(stack, from, to) : to - from + 1;
  }

  /** The names of views that are seen, in their order. */
  get rows() {
    const names = [...new Set(this.phases.flatMap((phase) => phase.stacks.map((stack) => stack.facts.view)))].sort();
    const wanted = names.filter((name) => this.views === "both" || name === this.views);
    return wanted.length ? wanted : names;
  }

  /** @param {number} width @param {number} height @returns {import("./stack_stage.js").Shown[]} */
  panes(width, height) {
    const { phases, rows } = this;
    if (!phases.length) return [];
    const rooms = grid(phases.length * rows.length, phases.length, width, height);
    const made = [];
    for (const [i, view] of rows.entries()) {
      for (const [j, phase] of phases.entries()) {
        const stack = phase.stacks.find((one) => one.facts.view === view);
        const room = rooms[i * phases.length + j];
        if (!stack || !room) continue;
        const last = stack.frames - 1;
        const flow = phase.name === "flow";
        const [from, to] = !flow ? [0, last] : this.summed ? [Math.min(this.span.from, last), Math.min(this.span.to, last)] : [Math.min(this.frame, last), Math.min(this.frame, last)];
        const cut = from === to ? frameOf(stack, from) : sumOf(stack, from, to);
        // A single frame of seconds holds few counts: in the sums' scale it would be black and white.
        const alone = flow && !this.summed;
        const own = alone ? Math.max(...phases.map((one) => one.reference)) / Math.max(phase.single, 1e-12) : this.own(phase);
        const gain = own / (this.seconds(stack, from, to) * areaCm2(stack));
        const name = /** @type {Record<string, string>} */ (WORDS.views)[view] ?? view;
        made.push({ ...room, cut, gain, id: `${phase.name} ${view}`, label: [WORDS.phases[phase.name], name].filter(Boolean).join(", "), note: [this.when(phase, stack, from, to), alone && this.oneScale ? WORDS.ownScale : ""].filter(Boolean).join(", ") });
      }
    }
    const { left, right, top, bottom } = this.body;
    const [room] = rooms;
    const whole = room ? Math.max((right - left) / room.width, (bottom - top) / Math.max(room.height - HEAD, 1)) : 1;
    this.stage.scale = whole / this.sight.zoom;
    const { across, down } = this.sight;
    return made.map((one) => ({ ...one, across: one.cut.stack.fromBehind ? -across : across, down }));
  }

  /** @param {Phase} phase @param {Stack} stack @param {number} from @param {number} to */
  when(phase, stack, from, to) {
    const { times_s: times, durations_s: lengths, after_injection_s: after } = stack.facts;
    if (phase.name === "flow" || stack.frames > 1) {
      if (times.length !== stack.frames) return `${from + 1} to ${to + 1}`;
      return WORDS.span(times[from] ?? 0, (times[to] ?? 0) + (lengths[to] ?? 0));
    }
    return after === null ? "" : WORDS.after(after < 3600 ? `${Math.round(after / 60)} min` : duration(after / 3600));
  }

  /** @param {CanvasRenderingContext2D} context */
  over(context) {
    for (const shown of this.stage.shown) {
      const { stack } = shown.cut;
      context.save();
      context.beginPath();
      context.rect(shown.x, shown.y, shown.width, shown.height);
      context.clip();
      const size = sizeOf(shown.cut);
      const [left, right] = stack.fromBehind ? [WORDS.left, WORDS.right] : [WORDS.right, WORDS.left];
      if (/^(anterior|posterior)/.test(stack.facts.view)) {
        plate(context, left, shown.x + 6, shown.y + shown.height / 2, "start");
        plate(context, right, shown.x + shown.width - 6, shown.y + shown.height / 2, "end");
      }
      const point = (/** @type {number} */ x, /** @type {number} */ y) => {
        const place = placeOf(stack, { x, y });
        return this.stage.toPoint(shown, place.row, place.column);
      };
      if (this.regionShown && this.edges.length && size.rows) {
        context.strokeStyle = "#2f9e44";
        context.lineWidth = 1.5;
        context.beginPath();
        for (const [ax, ay, bx, by] of this.edges) {
          const [a, b] = [point(ax, ay), point(bx, by)];
          context.moveTo(a.x, a.y);
          context.lineTo(b.x, b.y);
        }
        context.stroke();
      }
      if (this.region) {
        for (const [middle, ink, dashed] of /** @type {const} */ ([[this.region, "#d6322b", false], [this.region.mate, "#2f7fd0", true]])) {
          this.outline(context, point, this.region, middle, ink, dashed);
        }
      }
      context.restore();
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {(x: number, y: number) => {x: number, y: number}} point
   * @param {Region} region @param {{x: number, y: number}} middle @param {string} ink @param {boolean} dashed
   */
  outline(context, point, { kind, wide, high }, middle, ink, dashed) {
    const [a, b] = [point(middle.x - wide, middle.y - high), point(middle.x + wide, middle.y + high)];
    for (const [colour, thick] of /** @type {const} */ ([["rgb(255 255 255 / 75%)", 3.5], [ink, 1.8]])) {
      context.strokeStyle = colour;
      context.lineWidth = thick;
      context.setLineDash(dashed && colour === ink ? [6, 3] : []);
      context.beginPath();
      if (kind === "ellipse") context.ellipse((a.x + b.x) / 2, (a.y + b.y) / 2, Math.abs(b.x - a.x) / 2, Math.abs(b.y - a.y) / 2, 0, 0, 2 * Math.PI);
      else context.rect(Math.min(a.x, b.x), Math.min(a.y, b.y), Math.abs(b.x - a.x), Math.abs(b.y - a.y));
      context.stroke();
    }
    context.setLineDash([]);
  }

  /** @param {import("./stack_stage.js").Hand} hand */
  hand({ way, pointed, event }) {
    if (way === "release" || way === "leave" || way === "hover") {
      if (way === "release") {
        const { region } = this;
        if (this.drag?.way === "draw" && region && (region.wide < 1 || region.high < 1)) this.region = this.drag.was;
        this.drag = null;
        this.stage.changed("region");
      }
      return true;
    }
    if (way === "press") {
      if (!pointed) return false;
      const stack = pointed.shown.cut.stack;
      const at = seenFromFront(stack, pointed.row, pointed.column);
      const { region } = this;
      const within = (/** @type {{x: number, y: number}} */ middle) => region && Math.abs(at.x - middle.x) <= region.wide && Math.abs(at.y - middle.y) <= region.high;
      const pan = event.button === 1 || event.shiftKey;
      const what = pan ? "pan" : within(region ?? at) && region ? "own" : region && within(region.mate) ? "mate" : "draw";
      this.drag = { way: what, ...(pan ? { x: event.clientX, y: event.clientY } : at), was: region && structuredClone(region), sight: { ...this.sight }, behind: stack.fromBehind };
      if (what === "draw") this.region = { kind: this.kind, x: at.x, y: at.y, wide: 0, high: 0, mate: { x: 2 * this.middle - at.x, y: at.y } };
      return true;
    }
    const { drag, region } = this;
    if (!drag) return false;
    if (drag.way === "pan") {
      const right = (event.clientX - drag.x) * this.stage.scale;
      this.sight.across = drag.sight.across - (drag.behind ? -right : right);
      this.sight.down = drag.sight.down - (event.clientY - drag.y) * this.stage.scale;
      this.stage.changed("sight");
      return true;
    }
    if (!pointed || !region) return true;
    const at = seenFromFront(pointed.shown.cut.stack, pointed.row, pointed.column);
    const [dx, dy] = [at.x - drag.x, at.y - drag.y];
    if (drag.way === "draw") Object.assign(region, { x: drag.x + dx / 2, y: drag.y + dy / 2, wide: Math.abs(dx) / 2, high: Math.abs(dy) / 2, mate: { x: 2 * this.middle - drag.x - dx / 2, y: drag.y + dy / 2 } });
    else if (drag.was && drag.way === "mate") region.mate = { x: drag.was.mate.x + dx, y: drag.was.mate.y + dy };
    else if (drag.was) Object.assign(region, { x: drag.was.x + dx, y: drag.was.y + dy, mate: { x: drag.was.mate.x - dx, y: drag.was.mate.y + dy } });
    this.stage.changed("region");
    return true;
  }

  /** @param {"ellipse" | "box"} kind */
  put(kind) {
    this.kind = kind;
    if (this.region) this.region.kind = kind;
    else {
      const x = this.middle + 80;
      this.region = { kind, x, y: 0, wide: 25, high: 25, mate: { x: 2 * this.middle - x, y: 0 } };
    }
    this.stage.changed("region");
  }

  /** @param {number} right @param {number} down Millimetres, seen from the front. */
  move(right, down) {
    const { region } = this;
    if (!region) return false;
    Object.assign(region, { x: region.x + right, y: region.y + down, mate: { x: region.mate.x - right, y: region.mate.y + down } });
    this.stage.changed("region");
    return true;
  }

  /** @param {number} wide @param {number} high Millimetres. */
  grow(wide, high) {
    if (!this.region) return;
    this.region.wide = Math.max(2, this.region.wide + wide);
    this.region.high = Math.max(2, this.region.high + high);
    this.stage.changed("region");
  }

  mirror() {
    if (this.region) this.region.mate = { x: 2 * this.middle - this.region.x, y: this.region.y };
    this.stage.changed("region");
  }

  remove() {
    this.region = null;
    this.stage.changed("region");
  }

  /** @param {number} to */
  magnify(to) {
    this.sight.zoom = Math.min(12, Math.max(0.5, to));
    this.stage.changed("sight");
  }

  /** The whole body in view. */
  home() {
    const { left, right, top, bottom } = this.body;
    this.sight = { zoom: 1, across: (left + right) / 2, down: (top + bottom) / 2 };
    this.stage.changed("sight");
  }

  /** @param {"summed" | "oneScale" | "regionShown"} what */
  flip(what) {
    this[what] = !this[what];
    if (what === "summed" && this.summed) this.cine?.stop();
    if (what === "oneScale") this.stage.autoWindow();
    this.stage.changed(what);
  }

  /** @param {"both" | "anterior" | "posterior"} views */
  choose(views) {
    this.views = views;
    this.stage.changed("views");
  }
}

const view = new View();
/** @type {Record<string, [number, number]>} */
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
/** @type {Record<string, [number, number]>} */
const GROWTH = { "<": [-STEP_MM, 0], ">": [STEP_MM, 0], "(": [0, -STEP_MM], ")": [0, STEP_MM] };

/** @type {import("./page.js").Command[]} */
const commands = [
  { keys: [" "], shown: "Space", text: WORDS.keys.play, run: () => view.cine?.toggle() },
  { keys: [",", "."], text: WORDS.keys.step, run: (event) => view.cine?.by(event.key === "," ? -1 : 1) },
  { keys: ["a"], text: WORDS.keys.sum, run: () => view.flip("summed") },
  { keys: ["g"], text: WORDS.keys.one, run: () => view.timed && view.flip("oneScale") },
  { keys: ["e", "b"], text: WORDS.keys.ellipse, run: (event) => view.put(event.key === "e" ? "ellipse" : "box") },
  {
    keys: Object.keys(WAYS), shown: "← → ↑ ↓", text: WORDS.keys.move, run: (event) => {
      if (event.target instanceof Element && event.target.matches(".panel")) return false; // it scrolls
      const [x, y] = WAYS[event.key] ?? [0, 0];
      const by = STEP_MM * (event.shiftKey ? 10 : 1);
      return view.move(by * x, by * y);
    },
  },
  { keys: Object.keys(GROWTH), text: WORDS.keys.wide, run: (event) => view.grow(...(GROWTH[event.key] ?? [0, 0])) },
  { keys: ["m"], text: WORDS.keys.mirror, run: () => view.mirror() },
  { keys: ["Delete"], text: WORDS.keys.remove, run: () => view.remove() },
  { keys: ["r"], text: WORDS.keys.region, run: () => view.flip("regionShown") },
  { keys: ["1", "2", "3"], text: WORDS.keys.views, run: (event) => view.choose(/** @type {const} */ (["anterior", "posterior", "both"])[Number(event.key) - 1] ?? "both") },
  { keys: ["+", "="], shown: "+", text: WORDS.keys.zoomIn, run: () => view.magnify(view.sight.zoom * 1.25) },
  { keys: ["-"], text: WORDS.keys.zoomOut, run: () => view.magnify(view.sight.zoom / 1.25) },
  { keys: ["Home"], text: WORDS.keys.fit, run: () => view.home() },
  ...greyCommands(view.stage),
  { keys: ["u"], text: WORDS.keys.back, run: goBack },
];

seriesPage({
  title: WORDS.title, back: WORDS.back, keys: WORDS.keys.title, commands, mouse: WORDS.mouse,
  async build({ main, study, series }) {
    const chosen = chosenSeries(series);
    if (!chosen.some((one) => one.phase === "flow" || one.phase === "pool")) {
      main.replaceChildren(teaching(WORDS.title, [WORDS.none], make("a", { href: `/study/${encodeURIComponent(uid)}` }, WORDS.back)));
      return;
    }
    const { stage } = view;
    const panel = make("aside", { class: "panel", tabindex: 0, "aria-label": WORDS.reading.title });
    const notes = make("div", { class: "notes", role: "status" }, make("p", { class: "hint" }, WORDS.opening));
    const bars = make("div", { class: "controls", role: "region", "aria-label": WORDS.bar });
    const looking = make("section", { class: "looking", "aria-label": WORDS.title }, make("h1", { class: "unseen" }, WORDS.title), bars, notes, stage.element, readout(stage));
    main.replaceChildren(looking, panel);
    const number = Number(asked.get("version")) || study.reading?.version;
    const coming = number ? readPhases(number) : Promise.resolve(null);
    const stacks = await Promise.all(chosen.map(async (facts) => new Stack(facts, await framesOf(uid, facts))));
    view.open(stacks);
    performance.mark("first-picture");
    notes.replaceChildren(...(view.timed ? [] : [make("p", { class: "warn" }, WORDS.unknownTimes)]));
    const bar = controls();
    bars.replaceChildren(...bar.elements);
    const live = livePart(view);
    view.reading = await coming;
    if (view.reading && number) view.edges = await edgesOf(uid, number, view.reading);
    panel.replaceChildren(live.element, readingPart(view.reading));
    stage.addEventListener("changed", (event) => {
      bar.follow();
      const what = /** @type {CustomEvent} */ (event).detail;
      if (what === "region" || what === "frame" || what === "summed" || what === "span") live.follow();
    });
    bar.follow();
    live.follow();
    stage.redraw();
    const first = study.reading?.version ?? 0;
    watch(async (changes) => {
      if (!changes.some((change) => change.study_uid === uid || change.study_uid === "")) return;
      try {
        const now = (await ask(uid)).reading?.version ?? 0;
        // Regions drawn meanwhile would be lost by itself: whoever drew them decides.
        if (now > first) notes.replaceChildren(make("p", {}, `${WORDS.reading.newer} `, make("a", { href: location.pathname }, WORDS.reading.show)));
      } catch (error) {
        say(error);
      }
    });
  },
});

/**
 * One series of each phase and view: of the flow's part of the body, and a spot view rather than long frames.
 * @param {import("./stacks.js").SeriesFacts[]} series
 */
function chosenSeries(series) {
  const part = series.find((one) => one.phase === "flow")?.part;
  const score = (/** @type {import("./stacks.js").SeriesFacts} */ one) => (one.part === part ? 2 : 0) + (one.kind === "spot" ? 1 : 0);
  /** @type {Map<string, import("./stacks.js").SeriesFacts>} */
  const best = new Map();
  for (const one of series) {
    if (!one.phase) continue;
    const name = `${one.phase} ${one.view}`;
    const known = best.get(name);
    if (!known || score(one) > score(known)) best.set(name, one);
  }
  return [...best.values()];
}

/** @param {number} version @returns {Promise<PhaseReading | null>} */
async function readPhases(version) {
  try {
    return await (await readingFile(uid, version, "phases.json")).json();
  } catch (error) {
    if (error instanceof Refused && error.status !== 401) return null; // the reading has no phases
    throw error;
  }
}

/** The bar over the pictures. @returns {{elements: Node[], follow: () => void}} */
function controls() {
  const { stage, cine } = view;
  const grey = greyControls(stage);
  /** @param {string} text @param {string} hint @param {() => void} run */
  const toggle = (text, hint, run) => button(text, run, { "aria-pressed": "false", title: hint });
  const sum = toggle(WORDS.sum, WORDS.sumHint, () => view.flip("summed"));
  const one = toggle(WORDS.one, WORDS.oneHint, () => view.flip("oneScale"));
  one.disabled = !view.timed;
  const region = toggle(WORDS.region, WORDS.regionHint, () => view.flip("regionShown"));
  const last = Math.max(0, (cine?.count ?? 1) - 1);
  const ends = /** @type {const} */ (["from", "to"]).map((end) => {
    const input = make("input", { type: "range", id: `sum-${end}`, min: 0, max: last, value: view.span[end], class: "short" });
    input.addEventListener("input", () => {
      view.span[end] = input.valueAsNumber;
      if (view.span.from > view.span.to) view.span[end === "from" ? "to" : "from"] = view.span[end];
      view.summed = true;
      cine?.stop();
      stage.changed("span");
    });
    return { end, input, label: make("label", { for: `sum-${end}` }, WORDS[end]) };
  });
  const kinds = /** @type {const} */ ([["ellipse", WORDS.ellipse, "e"], ["box", WORDS.box, "b"]]).map(([kind, text, key]) => ({ kind, button: toggle(text, `${WORDS.drawHint} (${key})`, () => view.put(kind)) }));
  const views = /** @type {const} */ ([["both", WORDS.both, "3"], ["anterior", "Anterior", "1"], ["posterior", "Posterior", "2"]]).map(([name, text, key]) => ({ name, button: toggle(text, key, () => view.choose(name)) }));
  const group = (/** @type {string} */ name, /** @type {Node[]} */ ...content) => make("div", { class: "group", role: "group", "aria-label": name }, ...content);
  const summing = group(WORDS.sum, sum, ...ends.flatMap((end) => [end.label, end.input]));
  const elements = [
    grey.element, ...(view.flow && cine ? [cine.element, summing] : []), group(WORDS.scale, one), group(WORDS.viewsTitle, ...views.map((v) => v.button)),
    group(WORDS.tools, ...kinds.map((kind) => kind.button), region),
  ];
  function follow() {
    grey.follow();
    const press = (/** @type {HTMLElement} */ what, /** @type {boolean} */ on) => what.setAttribute("aria-pressed", String(on));
    press(sum, view.summed);
    press(one, view.oneScale);
    one.setAttribute("aria-description", view.oneScale ? WORDS.perArea : WORDS.ownScale);
    press(region, view.regionShown);
    region.hidden = view.edges.length === 0;
    for (const end of ends) end.input.value = String(view.span[end.end]);
    for (const kind of kinds) press(kind.button, view.region !== null && view.kind === kind.kind);
    for (const v of views) press(v.button, v.name === view.views);
  }
  return { elements, follow };
}
