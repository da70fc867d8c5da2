/**
 * The second bar: how the two scans are laid beside or on each other.
 * @module
 */

import { button, make } from "./elements.js";
import { FASTEST, LEAST_SD, MOST_SD, SLOWEST } from "./pair_stage.js";
import { COMPARE } from "./words_compare.js";

/**
 * @param {import("./pair_stage.js").PairStage} stage
 * @returns {{element: HTMLElement, follow: () => void, compared: (is: boolean, choosing: Node) => void}} `follow` shows what the stage
 *   has; `compared` says whether there is a comparison to show, and puts what chooses the prior scan in front.
 */
export function pairControls(stage) {
  const words = COMPARE.pair;
  /** @param {string} text @param {string} hint @param {() => void} run */
  const toggle = (text, hint, run) => button(text, run, { "aria-pressed": "false", title: hint });
  const laid = toggle(words.laid, words.laidHint, () => stage.layOver(!stage.laidOver));
  const subtract = toggle(words.subtract, words.subtractHint, () => stage.subtract({ shown: !stage.subtraction.shown }));
  const bone = toggle(words.bone, words.boneHint, () => stage.subtract({ boneOnly: !stage.subtraction.boneOnly }));
  const blink = toggle(words.blink, words.blinkHint, () => stage.setBlink(!stage.blink.on));
  const other = button(words.flip, () => stage.flip(), { title: words.flipHint });
  const threshold = make("input", { type: "range", id: "threshold", min: LEAST_SD, max: MOST_SD, step: 0.5, "aria-label": words.thresholdLabel, title: words.thresholdHint });
  const thresholdTold = make("output", { for: "threshold", class: "number" });
  threshold.addEventListener("input", () => stage.subtract({ threshold: threshold.valueAsNumber, shown: true }));
  const speed = make("input", { type: "range", id: "speed", min: SLOWEST, max: FASTEST, step: 0.1, class: "short", "aria-label": words.speed, title: words.speedHint });
  const speedTold = make("output", { for: "speed", class: "number" });
  speed.addEventListener("input", () => stage.setSpeed(speed.valueAsNumber));
  /** @param {string} kind @param {string} text */
  const tint = (kind, text) => make("span", { class: "tints" }, make("span", { class: `tint ${kind}`, "aria-hidden": "true" }), ` ${text}`);
  const which = make("div", { class: "group" });
  const element = make("div", { class: "controls pair", role: "group", "aria-label": words.title, hidden: true },
    which,
    make("div", { class: "group together" }, laid),
    make("div", { class: "group together" }, subtract, make("span", { class: "slider" }, make("label", { for: "threshold" }, words.threshold), threshold, thresholdTold), bone, tint("less", words.less), tint("more", words.more)),
    make("div", { class: "group together" }, blink, other, make("span", { class: "slider" }, speed, speedTold)));

  function follow() {
    const press = (/** @type {HTMLElement} */ what, /** @type {boolean} */ on) => what.setAttribute("aria-pressed", String(on));
    press(laid, stage.laidOver);
    press(subtract, stage.subtraction.shown);
    press(bone, stage.subtraction.boneOnly);
    press(blink, stage.blink.on);
    laid.disabled = stage.blink.on;
    other.disabled = !stage.blink.on;
    threshold.value = String(stage.subtraction.threshold);
    thresholdTold.textContent = `${stage.subtraction.threshold} ${words.sd}`;
    threshold.setAttribute("aria-valuetext", thresholdTold.textContent);
    speed.value = String(stage.blink.speed);
    speedTold.textContent = words.perSecond(stage.blink.speed.toFixed(1));
    speed.setAttribute("aria-valuetext", speedTold.textContent);
  }
  follow();
  return {
    element,
    follow,
    compared(is, choosing) {
      element.hidden = false;
      which.replaceChildren(choosing);
      for (const part of element.querySelectorAll(".together")) if (part instanceof HTMLElement) part.hidden = !is;
    },
  };
}
