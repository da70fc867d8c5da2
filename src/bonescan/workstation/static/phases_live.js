/**
 * What is counted in a region and its counterpart while they are drawn: ratios of each phase beside the reading's, and curves.
 * @module
 */

import { curvesDrawing } from "./curves.js";
import { button, make } from "./elements.js";
import { told } from "./phases_panel.js";
import { bothSides, sideRatio } from "./rois.js";
import { figure } from "./telling.js";
import { PHASES_WORDS as WORDS } from "./words_phases.js";

/** @typedef {import("./phases.js").View} View */
/** @typedef {import("./phases_panel.js").PhaseName} PhaseName */

/**
 * @param {View} view
 * @returns {{element: HTMLElement, follow: () => void}} `follow` counts anew where the region is another.
 */
export function livePart(view) {
  const words = WORDS.live;
  const body = make("div", {});
  const element = make("section", { class: "part live" }, make("h2", {}, words.title), body);
  /** @type {{region: string, sides: Map<PhaseName, ReturnType<typeof bothSides>>}} */
  let counted = { region: "", sides: new Map() };
  function follow() {
    const { region, reading, phases, flow } = view;
    if (!region) {
      body.replaceChildren(make("p", { class: "hint" }, words.none), ...(flow ? chart(null) : []));
      return;
    }
    const key = JSON.stringify(region);
    if (counted.region !== key) counted = { region: key, sides: new Map(phases.map((phase) => [phase.name, bothSides(phase.stacks, region)])) };
    const left = region.x > view.middle;
    const rows = phases.map((phase) => {
      const found = counted.sides.get(phase.name);
      const ratio = found ? sideRatio(found) : null;
      const read = reading?.findings.find((one) => one.phase === phase.name);
      return make("tr", {}, make("th", { scope: "row" }, words.short[phase.name]),
        make("td", { class: "number" }, ratio ? `${ratio.value.toFixed(2)} ± ${ratio.spread.toFixed(2)}` : "–",
          found ? make("span", { class: "counted" }, `${figure(found.own)} : ${figure(found.mate)}`) : null),
        make("td", { class: "number" }, read ? told(read.ratio) : "–"));
    });
    const head = make("tr", {}, ...[words.phase, words.ratio, words.read].map((text) => make("th", { scope: "col" }, text)));
    const area = region.kind === "ellipse" ? Math.PI * region.wide * region.high : 4 * region.wide * region.high;
    body.replaceChildren(
      make("table", { class: "ratios" }, make("caption", {}, words.caption), make("thead", {}, head), make("tbody", {}, ...rows)),
      make("p", {}, `${words.area(area)} `, button(WORDS.remove, () => view.remove(), { title: "Delete" })),
      ...(flow ? chart(counted.sides.get("flow")?.points ?? null, left) : []));
  }
  /** @param {import("./rois.js").CurvePoint[] | null} points @param {boolean} [left] */
  function chart(points, left = true) {
    const stack = view.flow?.stacks[0];
    if (!stack) return [];
    const [from, to] = view.summed ? [view.span.from, view.span.to] : [view.frame, view.frame];
    const { times_s: times, durations_s: lengths } = stack.facts;
    const all = from === 0 && to === stack.frames - 1;
    const now = all ? null : { from: times[from] ?? from, to: (times[to] ?? to) + (lengths[to] ?? 1) };
    /** @type {import("./curves.js").Curve[]} */
    const curves = [];
    const sides = /** @type {const} */ (["own", "mate"]);
    for (const name of sides) {
      if (points) curves.push({ name, kind: "live", points: points.map((p) => ({ x: p.startS + p.durationS / 2, y: p[name] / p.durationS, spread: Math.sqrt(p[name]) / p.durationS })) });
      const read = view.reading?.curves.find((curve) => (curve.side === "left") === (name === "own" ? left : !left));
      if (read) curves.push({ name, kind: "read", points: read.middles_s.map((x, k) => ({ x, y: read.rate_cps[k] ?? 0, spread: 0 })) });
    }
    if (!curves.length) return [];
    const named = sides.map((name) => {
      const side = (name === "own") === left ? words.left : words.right;
      return make("li", { class: name }, `${name === "own" ? "━" : "╍"} ${points ? words[name] : ""} ${side}`.replace("  ", " "));
    });
    const legend = make("ul", { class: "legend" }, ...named, view.reading?.curves.length ? make("li", { class: "hint" }, `${points ? "thin: " : ""}${words.curvesOf}`) : null);
    return [curvesDrawing({ curves, now, title: words.curves, xName: words.seconds, yName: words.rate }), legend];
  }
  return { element, follow };
}
