/**
 * A cine: what runs, how fast, and where it stands.
 * @module
 */

import { button, make } from "./elements.js";

/** @typedef {{play: string, pause: string, speed: string, speedUnit: string, frame: string, playHint: string}} CineWords */

/** A position that runs by itself; `step` tells the page. */
export class Cine {
  /**
   * @param {{words: CineWords, count: number, perSecond: number, fastest: number, step: (at: number) => void,
   *   told: (at: number) => string, id: string}} how
   */
  constructor({ words, count, perSecond, fastest, step, told, id }) {
    this.count = count;
    this.at = 0;
    this.perSecond = perSecond;
    this.step = step;
    this.told = told;
    this.words = words;
    this.running = 0;
    /** Frames that were shown since it began to run, for whoever measures. */
    this.shown = 0;
    this.button = button(words.play, () => this.toggle(), { title: words.playHint, class: "play" });
    this.slider = make("input", { type: "range", id: `${id}-at`, min: 0, max: Math.max(0, count - 1), value: 0, class: "long" });
    this.output = make("output", { for: `${id}-at`, class: "number" });
    this.slider.addEventListener("input", () => {
      this.stop();
      this.go(this.slider.valueAsNumber);
    });
    this.speed = make("input", { type: "range", id: `${id}-speed`, min: 1, max: fastest, value: perSecond, class: "short" });
    this.speedTold = make("output", { for: `${id}-speed`, class: "number" });
    this.speed.addEventListener("input", () => {
      this.perSecond = this.speed.valueAsNumber;
      this.follow();
    });
    this.element = make("div", { class: "group", role: "group", "aria-label": words.frame }, this.button,
      make("label", { for: `${id}-at` }, words.frame), this.slider, this.output,
      make("label", { for: `${id}-speed` }, words.speed), this.speed, this.speedTold);
    this.follow();
  }

  toggle() {
    if (this.running) this.stop();
    else this.start();
  }

  start() {
    if (this.running || this.count < 2) return;
    let last = performance.now();
    this.shown = 0;
    const run = (/** @type {number} */ now) => {
      this.running = requestAnimationFrame(run);
      const due = Math.floor(((now - last) / 1000) * this.perSecond);
      if (due < 1) return;
      // What the machine cannot show is left out; the speed stays.
      last += (due * 1000) / this.perSecond;
      this.shown += 1;
      this.go((this.at + due) % this.count);
    };
    this.running = requestAnimationFrame(run);
    this.follow();
  }

  stop() {
    cancelAnimationFrame(this.running);
    this.running = 0;
    this.follow();
  }

  /** @param {number} at */
  go(at) {
    this.at = ((at % this.count) + this.count) % this.count;
    this.follow();
    this.step(this.at);
  }

  /** @param {number} by */
  by(by) {
    this.stop();
    this.go(this.at + by);
  }

  /** @param {number} times */
  faster(times) {
    this.perSecond = Math.min(Number(this.speed.max), Math.max(1, Math.round(this.perSecond * times)));
    this.follow();
  }

  follow() {
    this.button.textContent = this.running ? this.words.pause : this.words.play;
    this.button.setAttribute("aria-pressed", String(this.running !== 0));
    this.slider.value = String(this.at);
    const told = this.told(this.at);
    this.slider.setAttribute("aria-valuetext", told);
    this.output.textContent = told;
    this.speed.value = String(this.perSecond);
    this.speedTold.textContent = `${this.perSecond} ${this.words.speedUnit}`;
  }
}
