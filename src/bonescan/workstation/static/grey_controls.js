/**
 * The grey scale's part of a bar: lower and upper level, automatic, logarithmic, inverse, interpolation.
 * @module
 */

import { button, make } from "./elements.js";
import { figure } from "./telling.js";
import { WORDS } from "./words.js";

/** @typedef {import("./stack_stage.js").StackStage} StackStage */

const STEPS = 1000;

/**
 * @param {StackStage} stage
 * @returns {{element: HTMLElement, follow: () => void}} `follow` shows what the stage has.
 */
export function greyControls(stage) {
  // Squared: low counts, where the eye works, have most of the way.
  const counts = (/** @type {number} */ step) => stage.largest * (step / STEPS) ** 2;
  const step = (/** @type {number} */ n) => Math.round(STEPS * Math.sqrt(Math.max(0, n) / stage.largest));
  const words = WORDS.grey;
  /** @param {string} name @param {string} text */
  const slider = (name, text) => {
    const input = make("input", { type: "range", id: `level-${name}`, min: 0, max: STEPS, value: 0, "aria-label": text });
    return { input, told: make("output", { for: `level-${name}`, class: "number" }), label: make("label", { for: `level-${name}` }, text) };
  };
  const [lower, upper] = [slider("lower", words.lower), slider("upper", words.upper)];
  lower.input.addEventListener("input", () => stage.setWindow(counts(lower.input.valueAsNumber), stage.window.upper));
  upper.input.addEventListener("input", () => {
    const n = counts(upper.input.valueAsNumber);
    stage.setWindow(Math.min(stage.window.lower, 0.95 * n), n);
  });
  const ramp = make("span", { class: "ramp", "aria-hidden": "true" });
  const toggles = /** @type {const} */ ([["log", words.log, words.logHint], ["inverse", words.invert, words.invertHint], ["smooth", words.smooth, words.smoothHint]])
    .map(([name, text, hint]) => ({ name, button: button(text, () => flip(name), { "aria-pressed": "false", title: hint }) }));
  /** @param {"log" | "inverse" | "smooth"} name */
  function flip(name) {
    stage.window[name] = !stage.window[name];
    stage.changed("window");
  }
  const element = make("div", { class: "group", role: "group", "aria-label": words.title },
    ...[lower, upper].map((one) => make("span", { class: "slider" }, one.label, one.input, one.told)), ramp,
    button(words.auto, () => stage.autoWindow(), { title: "0" }), ...toggles.map((one) => one.button));

  function follow() {
    const { window } = stage;
    for (const [one, n] of /** @type {const} */ ([[lower, window.lower], [upper, window.upper]])) {
      if (document.activeElement !== one.input || step(n) !== one.input.valueAsNumber) one.input.value = String(step(n));
      one.told.textContent = figure(n, 2);
      one.input.setAttribute("aria-valuetext", figure(n));
    }
    ramp.classList.toggle("plain", !window.inverse);
    for (const one of toggles) one.button.setAttribute("aria-pressed", String(window[one.name]));
  }
  follow();
  return { element, follow };
}

/**
 * The keys of the grey scale, the same on every page.
 * @param {StackStage | import("./stage.js").Stage} stage
 * @returns {import("./page.js").Command[]}
 */
export function greyCommands(stage) {
  const keys = WORDS.keys;
  const level = (/** @type {number} */ lower, /** @type {number} */ upper) => () => {
    const { window } = stage;
    stage.setWindow(window.lower + lower * 0.03 * window.upper, window.upper * 1.1 ** upper);
  };
  /** @param {"log" | "inverse" | "smooth"} name */
  const flip = (name) => () => {
    stage.window[name] = !stage.window[name];
    stage.changed("window");
  };
  return [
    { keys: ["]"], text: keys.upperUp, run: level(0, 1) },
    { keys: ["["], text: keys.upperDown, run: level(0, -1) },
    { keys: ["}"], text: keys.lowerUp, run: level(1, 0) },
    { keys: ["{"], text: keys.lowerDown, run: level(-1, 0) },
    { keys: ["0"], text: keys.auto, run: () => stage.autoWindow() },
    { keys: ["l"], text: keys.log, run: flip("log") },
    { keys: ["i"], text: keys.invert, run: flip("inverse") },
    { keys: ["s"], text: keys.smooth, run: flip("smooth") },
  ];
}
