/**
 * The keys of a stage of views: the same on the reading page and where scans are compared.
 * @module
 */

import { greyCommands } from "./grey_controls.js";
import { WORDS } from "./words.js";

/** @typedef {{beside: (id: number | null, by: 1 | -1) => number | null}} Listed The findings or lesions beside the picture. */

const MOVE = 40;
const CROSS = 10;
/** @type {Record<string, [number, number]>} */
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * @param {import("./stage.js").Stage} stage
 * @param {() => Listed | null} list
 * @param {{next: string, previous: string, move: string, findings: string, normal: string}} said What the page calls what the keys do.
 * @returns {import("./page.js").Command[]}
 */
export function stageCommands(stage, list, said) {
  const keys = WORDS.keys;
  /** @param {"findings" | "normal" | "regions"} name */
  const lay = (name) => () => {
    stage.overlays[name] = !stage.overlays[name];
    stage.changed("overlays");
  };
  /** @param {1 | -1} by */
  const step = (by) => () => {
    const all = list();
    if (all) stage.choose(all.beside(stage.chosen, by));
  };
  const arrow = (/** @type {KeyboardEvent} */ event) => {
    if (event.target instanceof Element && event.target.matches(".panel")) return false; // it scrolls
    const [x, y] = WAYS[event.key] ?? [0, 0];
    const far = event.shiftKey ? CROSS : 1;
    if (stage.aiming) stage.moveCross(y * far, x * far);
    else stage.move(-MOVE * x, -MOVE * y);
    return true;
  };
  return [
    { keys: ["n"], text: said.next, run: step(1) },
    { keys: ["p"], text: said.previous, run: step(-1) },
    { keys: ["+", "="], shown: "+", text: keys.zoomIn, run: () => stage.zoom(1.25) },
    { keys: ["-"], text: keys.zoomOut, run: () => stage.zoom(0.8) },
    { keys: Object.keys(WAYS), shown: "← → ↑ ↓", text: said.move, run: arrow },
    { keys: ["Home"], text: keys.fit, run: () => stage.fit() },
    ...greyCommands(stage),
    { keys: ["f"], text: said.findings, run: lay("findings") },
    { keys: ["g"], text: said.normal, run: lay("normal") },
    { keys: ["r"], text: keys.regions, run: lay("regions") },
    { keys: ["m"], text: keys.lens, run: () => { stage.lens = !stage.lens; stage.changed("lens"); } },
    { keys: ["1"], text: keys.anterior, run: () => stage.setLayout("anterior") },
    { keys: ["2"], text: keys.posterior, run: () => stage.setLayout("posterior") },
    { keys: ["3"], text: keys.both, run: () => stage.setLayout("both") },
    { keys: ["w"], text: keys.window, run: () => stage.setTool("window") },
    { keys: ["v"], text: keys.pan, run: () => stage.setTool("pan") },
  ];
}
