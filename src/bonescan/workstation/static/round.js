/**
 * The round: studies read one after another, in the order in which the worklist showed them, as the reader likes to see them.
 *
 * Both are kept by this tab alone and end with it. Levels are not kept: each study's come from that person's normal bone.
 * @module
 */

import { button, make } from "./elements.js";
import { studies } from "./service.js";
import { WORDS } from "./words.js";

/** @typedef {import("./stage.js").Stage} Stage */
/** @typedef {{uid: string, address: string}} Stop */

const [ORDER, LOOK] = ["round", "look"];

/** @param {string} name @param {unknown} value */
function keep(name, value) {
  try {
    sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing still works.
  }
}

/** @param {string} name */
function kept(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name) ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {import("./service.js").ListedStudy} one
 * @returns {string} The page on which its pictures are looked at.
 */
export function addressOf(one) {
  return `/study/${encodeURIComponent(one.study_uid)}${one.state === "slices" ? "/volume" : ""}`;
}

/** @param {Iterable<import("./service.js").ListedStudy>} shown What the worklist shows, in its order. */
export function keepRound(shown) {
  keep(ORDER, [...shown].map((one) => ({ uid: one.study_uid, address: addressOf(one) })));
}

/** Steps from a study to its neighbours in the worklist. */
export class Round {
  /** @param {string} uid The study that is shown. */
  constructor(uid) {
    this.uid = uid;
    const words = WORDS.round;
    this.back = button("‹", () => this.go(-1), { class: "quiet", disabled: true, "aria-label": words.previous, title: `${words.previous} (Shift+P)` });
    this.told = make("span", { class: "number" });
    this.on = button("›", () => this.go(1), { class: "quiet", disabled: true, "aria-label": words.next, title: `${words.next} (Shift+N)` });
    this.element = make("span", { class: "round", role: "group", "aria-label": words.title, hidden: true }, this.back, this.told, this.on);
    /** @type {Stop[]} */
    this.stops = [];
  }

  /** Find the neighbours; who came by an address alone gets the worklist's own order. */
  async show() {
    this.stops = kept(ORDER) ?? [];
    if (this.at < 0) {
      const { studies: all } = await studies({});
      this.stops = all.map((one) => ({ uid: one.study_uid, address: addressOf(one) }));
    }
    this.element.hidden = this.at < 0;
    this.told.textContent = WORDS.round.place(this.at + 1, this.stops.length);
    this.back.disabled = !this.stops[this.at - 1];
    this.on.disabled = !this.stops[this.at + 1];
  }

  get at() {
    return this.stops.findIndex((one) => one.uid === this.uid);
  }

  /** @param {1 | -1} by */
  go(by) {
    const to = this.at < 0 ? undefined : this.stops[this.at + by];
    if (to) location.assign(to.address);
  }
}

/**
 * Show a stage as the last study of this tab was shown, and remember every change of that.
 * @param {Stage} stage
 */
export function keepLook(stage) {
  const { log, inverse, smooth, overlays, layout } = kept(LOOK) ?? {};
  for (const [name, value] of Object.entries({ log, inverse, smooth })) if (typeof value === "boolean") Object.assign(stage.window, { [name]: value });
  Object.assign(stage.overlays, overlays);
  if (layout) stage.layout = layout;
  stage.addEventListener("changed", (event) => {
    if (!["window", "overlays", "layout"].includes(/** @type {CustomEvent} */ (event).detail)) return;
    const { window, overlays: over, layout: shown } = stage;
    keep(LOOK, { log: window.log, inverse: window.inverse, smooth: window.smooth, overlays: over, layout: shown });
  });
}
