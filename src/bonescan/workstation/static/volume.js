/**
 * The page on volumes: three planes with one cross-hair, the spinning maximum intensity projection, and projections as a cine.
 * @module
 */

import { Cine } from "./cine.js";
import { button, make } from "./elements.js";
import { greyCommands, greyControls } from "./grey_controls.js";
import { teaching } from "./page.js";
import { asked, goBack, seriesPage, uid } from "./series_page.js";
import { framesOf } from "./service.js";
import { fitting, grid, plate, StackStage } from "./stack_stage.js";
import { brightest, coarser, frameOf, mipOf, planeOf, projected, quantile, Stack } from "./stacks.js";
import { figure } from "./telling.js";
import { VOLUME_WORDS as WORDS } from "./words_volume.js";

/** @typedef {"transverse" | "coronal" | "sagittal"} Plane */
/** @typedef {{slice: number, row: number, column: number}} Voxel */
/** @typedef {import("./stack_stage.js").Pointed} Pointed */

const PLANES = /** @type {const} */ (["transverse", "coronal", "sagittal"]);
const CANVAS_VOXELS = 2 ** 22; // a projection of these takes less than a tenth of a second without a graphics card
const TURNS = { webgl2: 120, canvas: 60 };
// What stands left, right, above and below of each plane, seen from the feet, from in front and from the left.
// What stands left and right of the projection from the front, the left, behind and the right.
const SIDES_ROUND = /** @type {const} */ ([["R", "L"], ["A", "P"], ["L", "R"], ["P", "A"]]);
const NEAR_A_SIDE_DEG = 30; // farther round, no side of the picture is one of the patient's [D]
const SIDES = { transverse: ["R", "L", "A", "P"], coronal: ["R", "L", "H", "F"], sagittal: ["A", "P", "H", "F"] };

/** What the page shows and the hand changes. */
class View {
  constructor() {
    /** @type {Stack | null} */
    this.stack = null;
    /** The volume that is projected, which may be coarser. @type {Stack | null} */
    this.thick = null;
    /** @type {Voxel} */
    this.cross = { slice: 0, row: 0, column: 0 };
    /** @type {Plane} */
    this.plane = "transverse";
    this.zoom = 1;
    this.crossShown = true;
    this.turn = 0;
    this.projection = 0;
    this.top = 1;
    this.upper = 1;
    this.turns = 60;
    /** @type {Cine | null} */
    this.cine = null;
    this.stage = new StackStage({
      painter: asked.get("painter"), label: WORDS.stage,
      panes: (width, height) => this.panes(width, height),
      over: (context) => this.over(context),
      hand: (hand) => this.hand(hand),
      wheel: (pointed, lines) => this.wheel(pointed, lines),
      pinch: (times) => this.magnify(this.zoom * times),
      largest: () => this.top, auto: () => ({ lower: 0, upper: this.upper }),
    });
  }

  get volume() {
    return this.stack?.facts.kind === "volume";
  }

  /** @param {Stack} stack */
  open(stack) {
    this.cine?.stop();
    this.stack = stack;
    this.top = Math.max(1e-6, stack.facts.largest);
    this.upper = quantile(stack.data, this.volume ? 0.997 : 0.995) || this.top;
    this.cross = this.hottest();
    this.zoom = 1;
    const webgl = this.stage.painter.kind === "webgl2" && this.stage.painter.holds(stack);
    this.turns = webgl ? TURNS.webgl2 : TURNS.canvas;
    // A stack of its own, so that slices do not push projections out of what is kept.
    this.thick = webgl ? stack : coarser(new Stack(stack.facts, stack.data), CANVAS_VOXELS);
    const words = this.volume ? WORDS.spin : WORDS.cine;
    this.cine = new Cine({
      words, id: "cine", count: this.volume ? this.turns : stack.frames, perSecond: this.volume ? 20 : 10, fastest: 40,
      step: (at) => {
        if (this.volume) this.turn = (360 * at) / this.turns;
        else this.projection = at;
        this.stage.changed("turn");
      },
      told: (at) => (this.volume ? `${Math.round((360 * at) / this.turns)}°` : this.projectionTold(at)),
    });
    this.stage.over.setAttribute("aria-label", this.volume ? WORDS.stage : WORDS.projections);
    this.stage.show([stack]);
    if (this.volume && !webgl) this.prepare(this.thick);
  }

  /** Work out all projections while nobody waits for them. @param {Stack} thick */
  prepare(thick) {
    let at = 0;
    const next = () => {
      if (this.thick !== thick || at >= this.turns) return;
      this.stage.painter.prepare(mipOf(thick, (360 * at) / this.turns));
      at += 1;
      setTimeout(next, 4);
    };
    setTimeout(next, 200);
  }

  /** @returns {Voxel} */
  hottest() {
    const { stack } = this;
    if (!stack) return this.cross;
    let [most, place] = [-1, 0];
    for (let k = 0; k < stack.data.length; k += 1) if (/** @type {number} */ (stack.data[k]) > most) [most, place] = [/** @type {number} */ (stack.data[k]), k];
    const area = stack.rows * stack.columns;
    return { slice: Math.floor(place / area), row: Math.floor((place % area) / stack.columns), column: place % stack.columns };
  }

  /** @param {number} at */
  projectionTold(at) {
    const angle = this.stack?.facts.angles_deg[at];
    const number = WORDS.slice(at + 1, this.stack?.frames ?? 0);
    return angle === undefined ? number : `${number}, ${Math.round(angle)}°, ${WORDS.sides[(Math.round(angle / 90) + 2) % 4] ?? ""}`;
  }

  /** @param {number} width @param {number} height @returns {import("./stack_stage.js").Shown[]} */
  panes(width, height) {
    const { stack, thick, cross } = this;
    if (!stack || !thick) return [];
    if (!this.volume) {
      const cut = frameOf(stack, this.projection);
      const pane = { cut, x: 0, y: 0, width, height };
      this.stage.scale = fitting([pane]) / this.zoom;
      return [{ ...pane, id: "projection", gain: 1, label: WORDS.cine.frame, note: this.projectionTold(this.projection), across: 0, down: 0 }];
    }
    const cuts = { transverse: frameOf(stack, cross.slice), coronal: planeOf(stack, "coronal", cross.row), sagittal: planeOf(stack, "sagittal", cross.column), mip: mipOf(thick, this.turn) };
    const rooms = grid(4, 2, width, height);
    const places = Object.entries(cuts).map(([id, cut], k) => ({ id, cut, .../** @type {import("./camera.js").Rectangle} */ (rooms[k]) }));
    this.stage.scale = fitting(places) / this.zoom;
    const middle = {
      x: (cross.column - (stack.columns - 1) / 2) * stack.columnMm, y: (cross.row - (stack.rows - 1) / 2) * stack.rowMm,
      z: -(cross.slice - (stack.frames - 1) / 2) * stack.sliceMm,
    };
    const near = 1 - 1 / this.zoom; // zoomed in, the cross-hair comes to the middle
    const angle = (this.turn * Math.PI) / 180;
    /** @type {Record<string, [number, number, string]>} */
    const led = {
      transverse: [middle.x, middle.y, WORDS.slice(cross.slice + 1, stack.frames)],
      coronal: [middle.x, middle.z, WORDS.slice(cross.row + 1, stack.rows)],
      sagittal: [middle.y, middle.z, WORDS.slice(cross.column + 1, stack.columns)],
      mip: [middle.x * Math.cos(angle) + middle.y * Math.sin(angle), middle.z, `${Math.round(this.turn)}°, ${WORDS.sides[Math.round(this.turn / 90) % 4] ?? ""}`],
    };
    return places.map((place) => {
      const [across, down, note] = led[place.id] ?? [0, 0, ""];
      return { ...place, gain: 1, label: WORDS.planes[/** @type {Plane} */ (place.id)], note, across: near * across, down: near * down };
    });
  }

  /** @param {CanvasRenderingContext2D} context */
  over(context) {
    const { stack, thick, cross } = this;
    if (!stack || !thick) return;
    if (!this.volume) {
      const angle = stack.facts.angles_deg[this.projection];
      for (const shown of this.stage.shown) if (angle !== undefined) lettered(context, shown, roundAbout(angle + 180)); // 0° is behind
      return;
    }
    for (const shown of this.stage.shown) {
      const { id, x, y, width, height } = shown;
      const last = stack.frames - 1 - cross.slice;
      const scale = thick === stack ? 1 : stack.columns / thick.columns;
      const at = id === "transverse" ? { row: cross.row, column: cross.column }
        : id === "coronal" ? { row: last, column: cross.column }
          : id === "sagittal" ? { row: last, column: cross.row }
            : projected(thick, this.turn, { slice: cross.slice / scale, row: cross.row / scale, column: cross.column / scale });
      const point = this.stage.toPoint(shown, at.row, at.column);
      context.save();
      context.beginPath();
      context.rect(x, y, width, height);
      context.clip();
      if (this.crossShown) {
        for (const [ink, wide] of /** @type {const} */ ([["rgb(14 16 19 / 40%)", 2.4], ["#ffb347", 1.2]])) {
          context.strokeStyle = ink;
          context.lineWidth = wide;
          context.beginPath();
          const gap = 9;
          for (const [ax, ay, bx, by] of /** @type {const} */ ([[x, point.y, point.x - gap, point.y], [point.x + gap, point.y, x + width, point.y], [point.x, y, point.x, point.y - gap], [point.x, point.y + gap, point.x, y + height]])) {
            context.moveTo(ax, ay);
            context.lineTo(bx, by);
          }
          context.stroke();
        }
      }
      context.restore();
      if (id === this.plane) {
        context.strokeStyle = "#ffd45e";
        context.lineWidth = 2;
        context.strokeRect(x + 1, y + 1, width - 2, height - 2);
      }
      const letters = id === "mip" ? roundAbout(this.turn) : SIDES[/** @type {Plane} */ (id)];
      if (letters && stack.facts.orientation !== "unknown") lettered(context, shown, letters);
    }
  }

  /** @param {Partial<Voxel>} to */
  put(to) {
    const { stack } = this;
    if (!stack) return;
    const cut = (/** @type {number} */ n, /** @type {number} */ count) => Math.min(count - 1, Math.max(0, Math.round(n)));
    const whole = { ...this.cross, ...to };
    this.cross = { slice: cut(whole.slice, stack.frames), row: cut(whole.row, stack.rows), column: cut(whole.column, stack.columns) };
    this.stage.changed("cross");
  }

  /** @param {import("./stack_stage.js").Hand} hand */
  hand({ way, pointed, event }) {
    const { stack, thick } = this;
    if (!pointed || !stack || !thick || !this.volume || way === "hover" || way === "leave" || event.button > 0) return false;
    const { shown, row, column } = pointed;
    const slice = stack.frames - 1 - row;
    if (shown.id === "mip") {
      if (way !== "press") return true;
      const found = brightest(thick, this.turn, row, column);
      const scale = stack.columns / thick.columns;
      if (found) this.put({ slice: found.slice * scale, row: found.row * scale, column: found.column * scale });
      return true;
    }
    if (way === "press") this.plane = /** @type {Plane} */ (shown.id);
    if (way === "release" || shown.id !== this.plane) return true; // a drag stays in its plane
    if (shown.id === "transverse") this.put({ row, column });
    else if (shown.id === "coronal") this.put({ slice, column });
    else this.put({ slice, row: column });
    return true;
  }

  /** @param {Pointed} pointed @param {number} lines */
  wheel({ shown }, lines) {
    const by = lines > 0 ? -1 : 1;
    if (shown.id === "mip" || shown.id === "projection") return this.cine?.by(by);
    this.plane = /** @type {Plane} */ (shown.id);
    this.next(by);
  }

  /** @param {number} by Slices of the chosen plane: up, to the front, to the left. */
  next(by) {
    const { slice, row, column } = this.cross;
    if (!this.volume) this.cine?.by(by);
    else if (this.plane === "transverse") this.put({ slice: slice + by });
    else if (this.plane === "coronal") this.put({ row: row - by });
    else this.put({ column: column + by });
  }

  /** @param {number} right @param {number} down Pixels of the chosen plane. */
  move(right, down) {
    const { slice, row, column } = this.cross;
    if (!this.volume) this.cine?.by(right || -down);
    else if (this.plane === "transverse") this.put({ row: row + down, column: column + right });
    else if (this.plane === "coronal") this.put({ slice: slice - down, column: column + right });
    else this.put({ slice: slice - down, row: row + right });
  }

  /** @param {number} to */
  magnify(to) {
    this.zoom = Math.min(12, Math.max(1, to));
    this.stage.changed("zoom");
  }

  /** @param {Plane} plane */
  choose(plane) {
    this.plane = plane;
    this.stage.changed("plane");
  }

  /** What the cross-hair points at, in words. */
  told() {
    const { stack, cross } = this;
    if (!stack) return "";
    if (!this.volume) return this.projectionTold(this.projection);
    const mm = (/** @type {number} */ at, /** @type {number} */ count, /** @type {number} */ step, /** @type {string} */ less, /** @type {string} */ more) => {
      const n = (at - (count - 1) / 2) * step;
      return `${Math.abs(n).toFixed(0)} mm ${n < 0 ? less : more}`;
    };
    const to = WORDS.directions;
    const places = stack.facts.orientation === "unknown" ? [] : [
      mm(cross.column, stack.columns, stack.columnMm, to.right, to.left), mm(cross.row, stack.rows, stack.rowMm, to.front, to.back),
      mm(cross.slice, stack.frames, stack.sliceMm, to.down, to.up)];
    return [`${figure(stack.at(cross.slice, cross.row, cross.column))} ${WORDS.counts}`, ...places].join(" · ");
  }
}

/** @param {number} turn Degrees. @returns {readonly string[]} What stands left, right, above and below of the projection. */
function roundAbout(turn) {
  const quarter = Math.round(turn / 90);
  const near = Math.abs(turn - 90 * quarter) <= NEAR_A_SIDE_DEG;
  const [left, right] = SIDES_ROUND[((quarter % 4) + 4) % 4] ?? ["", ""];
  return near ? [left, right, "H", "F"] : ["", "", "H", "F"];
}

/**
 * Letters at the four sides of a pane.
 * @param {CanvasRenderingContext2D} context @param {import("./camera.js").Rectangle} pane @param {readonly string[]} letters
 */
function lettered(context, { x, y, width, height }, [left = "", right = "", above = "", below = ""]) {
  plate(context, left, x + 6, y + height / 2 - 9, "start");
  plate(context, right, x + width - 6, y + height / 2 - 9, "end");
  plate(context, above, x + width / 2, y + 4, "center");
  plate(context, below, x + width / 2, y + height - 22, "center");
}

const view = new View();

/** @type {import("./page.js").Command[]} */
const commands = [
  {
    keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], shown: "← → ↑ ↓", text: WORDS.keys.move, run: (event) => {
      const by = event.shiftKey ? 10 : 1;
      const [x, y] = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] })[event.key] ?? [0, 0];
      view.move(by * x, by * y);
    },
  },
  { keys: ["PageUp", "PageDown"], shown: "PgUp PgDn", text: WORDS.keys.slice, run: (event) => view.next(event.key === "PageUp" ? 1 : -1) },
  { keys: ["1", "2", "3"], text: WORDS.keys.plane, run: (event) => view.choose(PLANES[Number(event.key) - 1] ?? "transverse") },
  { keys: [" "], shown: "Space", text: WORDS.keys.spin, run: () => view.cine?.toggle() },
  { keys: [",", "."], text: WORDS.keys.step, run: (event) => view.cine?.by(event.key === "," ? -1 : 1) },
  { keys: ["+", "="], shown: "+", text: WORDS.keys.zoomIn, run: () => view.magnify(view.zoom * 1.25) },
  { keys: ["-"], text: WORDS.keys.zoomOut, run: () => view.magnify(view.zoom / 1.25) },
  { keys: ["Home"], text: WORDS.keys.fit, run: () => view.magnify(1) },
  { keys: ["c"], text: WORDS.keys.cross, run: () => { view.crossShown = !view.crossShown; view.stage.changed("shown"); } },
  { keys: ["h"], text: WORDS.keys.hottest, run: () => view.put(view.hottest()) },
  ...greyCommands(view.stage),
  { keys: ["u"], text: WORDS.keys.back, run: goBack },
];

seriesPage({
  title: WORDS.title, back: WORDS.back, keys: WORDS.keys.title, commands, mouse: WORDS.mouse,
  async build({ main, series, leftOut }) {
    const all = [...series.filter((one) => one.kind === "volume"), ...series.filter((one) => one.kind === "tomographic")];
    const wanted = all.find((one) => one.key === asked.get("series")) ?? all[0];
    if (!wanted) {
      main.replaceChildren(teaching(WORDS.title, [WORDS.none], make("a", { href: `/study/${encodeURIComponent(uid)}` }, WORDS.back)));
      return;
    }
    const { stage } = view;
    const grey = greyControls(stage);
    const running = make("span", { class: "running" });
    const select = make("select", { "aria-label": WORDS.series });
    for (const one of all) select.append(make("option", { value: one.key, selected: one === wanted }, one.label));
    const zoom = make("input", { type: "range", id: "zoom", min: 100, max: 1200, value: 100, class: "short" });
    zoom.addEventListener("input", () => view.magnify(zoom.valueAsNumber / 100));
    const cross = button(WORDS.cross, () => { view.crossShown = !view.crossShown; stage.changed("shown"); }, { "aria-pressed": "true", title: WORDS.crossHint });
    const planes = PLANES.map((plane, k) => ({ plane, button: button(WORDS.planes[plane], () => view.choose(plane), { "aria-pressed": "false", title: String(k + 1) }) }));
    const planeGroup = make("div", { class: "group", role: "group", "aria-label": WORDS.plane }, ...planes.map((one) => one.button), cross);
    const bar = make("div", { class: "controls", role: "region", "aria-label": WORDS.shape },
      all.length > 1 && make("div", { class: "group" }, select), grey.element, running, planeGroup,
      make("div", { class: "group" }, make("label", { for: "zoom" }, WORDS.zoom), zoom));
    const notes = make("div", { class: "notes", role: "status" });
    const readout = make("p", { class: "readout", "aria-live": "off" });
    const looking = make("section", { class: "looking", "aria-label": WORDS.title }, make("h1", { class: "unseen" }, WORDS.title), bar, notes, stage.element, readout);
    main.classList.add("wide");
    main.replaceChildren(looking);
    select.addEventListener("change", () => {
      const chosen = all.find((one) => one.key === select.value);
      if (chosen) open(chosen);
    });
    stage.addEventListener("changed", () => {
      grey.follow();
      readout.textContent = view.told();
      zoom.value = String(Math.round(100 * view.zoom));
      cross.setAttribute("aria-pressed", String(view.crossShown));
      for (const one of planes) one.button.setAttribute("aria-pressed", String(one.plane === view.plane));
    });
    /** What was opened stays: its texture too. @type {Map<string, Stack>} */
    const known = new Map();
    await open(wanted);

    /** @param {import("./stacks.js").SeriesFacts} facts */
    async function open(facts) {
      stage.element.setAttribute("aria-busy", "true");
      notes.replaceChildren(make("p", { class: "hint" }, WORDS.opening));
      const stack = known.get(facts.key) ?? new Stack(facts, await framesOf(uid, facts, (share) => notes.replaceChildren(make("p", { class: "hint" }, WORDS.loading(Math.round(100 * share))))));
      known.set(facts.key, stack);
      view.open(stack);
      if (view.cine) running.replaceChildren(view.cine.element);
      planeGroup.hidden = !view.volume;
      const told = [
        view.volume && facts.orientation === "unknown" && WORDS.unknown, view.volume && facts.orientation === "oblique" && WORDS.oblique,
        !facts.spacing_known && WORDS.spacing, leftOut > 0 && WORDS.leftOut(leftOut)].filter(Boolean);
      notes.replaceChildren(...told.map((text) => make("p", { class: "warn" }, String(text))), view.volume && make("p", { class: "hint" }, WORDS.others) || "");
      stage.changed("series");
      performance.mark("first-picture");
    }
  },
});
