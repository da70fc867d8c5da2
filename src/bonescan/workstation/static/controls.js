/**
 * The bar over the pictures: grey scale, tools, overlays.
 * @module
 */

import { button, make } from "./elements.js";
import { figure } from "./telling.js";
import { WORDS } from "./words.js";

/** @typedef {import("./stage.js").Stage} Stage */

const STEPS = 1000;

/** @typedef {"findings" | "normal" | "regions"} Layer */
/** @typedef {{tools: ReadonlyArray<"window" | "pan" | "distance" | "ellipse" | "box">, layers: ReadonlyArray<readonly [Layer, string, string]>}} Offered Layers with text and key. */

/** What the reading page offers. @type {Offered} */
const READING = {
  tools: ["window", "pan", "distance", "ellipse", "box"],
  layers: [["findings", WORDS.overlays.findings, "f"], ["normal", WORDS.overlays.normal, "g"], ["regions", WORDS.overlays.regions, "r"]],
};

/**
 * @param {Stage} stage
 * @param {Offered} [offered]
 * @returns {{element: HTMLElement, follow: () => void}} `follow` shows what the stage has.
 */
export function controls(stage, offered = READING) {
  // Squared: low counts, where the eye works, have most of the way.
  const counts = (/** @type {number} */ step) => stage.largest * (step / STEPS) ** 2;
  const step = (/** @type {number} */ n) => Math.round(STEPS * Math.sqrt(Math.max(0, n) / stage.largest));
  const words = WORDS.grey;
  const [lower, lowerTold] = slider("lower", words.lower);
  const [upper, upperTold] = slider("upper", words.upper);
  lower.addEventListener("input", () => stage.setWindow(counts(lower.valueAsNumber), stage.window.upper));
  upper.addEventListener("input", () => stage.setWindow(Math.min(stage.window.lower, 0.95 * counts(upper.valueAsNumber)), counts(upper.valueAsNumber)));
  const ramp = make("span", { class: "ramp", "aria-hidden": "true" });

  /** @param {string} text @param {string} hint @param {() => void} run */
  const toggle = (text, hint, run) => button(text, run, { "aria-pressed": "false", title: hint });
  const auto = button(words.auto, () => stage.autoWindow(), { title: words.autoHint });
  const log = toggle(words.log, words.logHint, () => change("log"));
  const inverse = toggle(words.invert, words.invertHint, () => change("inverse"));
  const smooth = toggle(words.smooth, words.smoothHint, () => change("smooth"));
  /** @param {"log" | "inverse" | "smooth"} name */
  const change = (name) => {
    stage.window[name] = !stage.window[name];
    stage.changed("window");
  };

  const tools = offered.tools.map((tool) => {
    const hint = /** @type {Record<string, string>} */ (WORDS.tools)[`${tool}Hint`] ?? "";
    return { tool, button: toggle(WORDS.tools[tool], hint, () => stage.setTool(tool)) };
  });
  const lens = toggle(WORDS.tools.lens, WORDS.tools.lensHint, () => {
    stage.lens = !stage.lens;
    stage.changed("lens");
  });
  const fit = button(WORDS.tools.fit, () => stage.fit(), { title: WORDS.tools.fitHint });
  const layouts = /** @type {const} */ (["both", "anterior", "posterior"]).map((layout) => ({
    layout,
    button: toggle(layout === "both" ? WORDS.tools.both : WORDS.study.views[layout], layout === "both" ? "3" : layout === "anterior" ? "1" : "2", () => stage.setLayout(layout)),
  }));

  const over = WORDS.overlays;
  const shown = offered.layers.map(([name, text, key]) => ({
    name,
    button: toggle(text, key, () => {
      stage.overlays[name] = !stage.overlays[name];
      stage.changed("overlays");
    }),
  }));
  const opacity = make("input", { type: "range", min: 10, max: 100, value: 90, "aria-label": over.opacityOf, title: over.opacityOf, class: "short" });
  opacity.addEventListener("input", () => {
    stage.overlays.opacity = opacity.valueAsNumber / 100;
    stage.changed("overlays");
  });

  /** @param {string} title @param {...Node} content */
  const group = (title, ...content) => make("div", { class: "group", role: "group", "aria-label": title }, ...content);
  const element = make(
    "div",
    { class: "controls", role: "region", "aria-label": WORDS.tools.title },
    group(words.title, labelled(lower, words.lower, lowerTold), labelled(upper, words.upper, upperTold), ramp, auto, log, inverse, smooth),
    group(WORDS.tools.title, ...tools.map((one) => one.button), lens, fit),
    group(WORDS.tools.layout, ...layouts.map((one) => one.button)),
    group(over.title, ...shown.map((one) => one.button), opacity),
  );

  function follow() {
    const { window } = stage;
    for (const [input, told, n] of /** @type {const} */ ([[lower, lowerTold, window.lower], [upper, upperTold, window.upper]])) {
      if (document.activeElement !== input || step(n) !== input.valueAsNumber) input.value = String(step(n));
      const share = `${figure((100 * n) / stage.largest, 2)} %`;
      told.textContent = figure(n);
      input.setAttribute("aria-valuetext", words.value(figure(n), share));
      input.title = words.value(figure(n), share);
    }
    const press = (/** @type {HTMLElement} */ what, /** @type {boolean} */ on) => what.setAttribute("aria-pressed", String(on));
    press(log, window.log);
    press(inverse, window.inverse);
    press(smooth, window.smooth);
    press(lens, stage.lens);
    ramp.classList.toggle("plain", !window.inverse);
    for (const one of tools) press(one.button, one.tool === stage.tool);
    for (const one of layouts) {
      press(one.button, one.layout === stage.layout);
      one.button.hidden = stage.pictures.length < 2;
    }
    for (const one of shown) press(one.button, stage.overlays[one.name]);
  }
  follow();
  return { element, follow };
}

/** @param {string} name @param {string} text @returns {[HTMLInputElement, HTMLOutputElement]} */
function slider(name, text) {
  const input = make("input", { type: "range", id: `level-${name}`, min: 0, max: STEPS, value: 0, "aria-label": text });
  return [input, make("output", { for: `level-${name}`, class: "number" })];
}

/** @param {HTMLInputElement} input @param {string} text @param {HTMLElement} told */
function labelled(input, text, told) {
  return make("span", { class: "slider" }, make("label", { for: input.id }, text), input, told);
}
