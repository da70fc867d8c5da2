/**
 * What the pages on series have in common: the bar with the person, what the study holds, and how a failure is told.
 * @module
 */

import { make } from "./elements.js";
import { frame, keyboard, say, signedIn, teaching } from "./page.js";
import { allSeries, Refused, study } from "./service.js";
import { age, figure, personName } from "./telling.js";
import { WORDS } from "./words.js";
import { SERIES_WORDS } from "./words_series.js";

/** @typedef {import("./service.js").Study} Study */
/** @typedef {import("./stacks.js").SeriesFacts} SeriesFacts */

export const uid = decodeURIComponent(location.pathname.split("/")[2] ?? "");
export const asked = new URLSearchParams(location.search);

/** Back to the study's reading page. */
export const goBack = () => location.assign(`/study/${encodeURIComponent(uid)}`);

/**
 * @param {{title: string, back: string, keys: string, commands: import("./page.js").Command[], mouse: string[][],
 *   build: (page: {main: HTMLElement, study: Study, series: SeriesFacts[], leftOut: number, masked: boolean}) => Promise<void>}} page
 */
export async function seriesPage({ title, back, keys, commands, mouse, build }) {
  const coming = Promise.all([study(uid), allSeries(uid)]);
  coming.catch(() => {});
  const said = await signedIn();
  const who = make("div", { class: "who" });
  const hands = make("section", {}, make("h3", {}, WORDS.help_.mouse), make("dl", { class: "hands" }, ...mouse.flatMap(([what, does]) => [make("dt", {}, what ?? ""), make("dd", {}, does ?? "")])));
  const help = keyboard([{ title: keys, commands }], [hands]);
  const { main } = frame({ session: said, here: "study", middle: [who], help });
  main.classList.add("study");
  try {
    const [facts, { series, left_out: leftOut }] = await coming;
    const name = personName(facts.patient_name);
    document.title = `${title} · ${name} · ${WORDS.product}`;
    const years = age(facts.birth_date, facts.study_date);
    who.replaceChildren(make("strong", {}, name), make("a", { href: `/study/${encodeURIComponent(uid)}` }, back), ...[
      [facts.sex, years === null ? "" : `${years} ${WORDS.study.years}`].filter(Boolean).join(" "), facts.patient_id,
      [facts.study_date, facts.study_time.slice(0, 5)].filter(Boolean).join(" "), facts.description,
    ].filter(Boolean).map((fact) => make("span", {}, fact)));
    await build({ main, study: facts, series, leftOut, masked: said.user.role === "researcher" });
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return say(error);
    main.replaceChildren(teaching(WORDS.errors.title, [error instanceof Error ? error.message : String(error)], make("a", { href: `/study/${encodeURIComponent(uid)}` }, back)));
  }
}

/**
 * A line that tells what the hand is over: which picture, counts of the pixel in all frames that are shown, and their rate.
 * @param {import("./stack_stage.js").StackStage} stage
 * @returns {HTMLElement}
 */
export function readout(stage) {
  const line = make("p", { class: "readout", "aria-live": "off" });
  stage.addEventListener("pointed", (event) => {
    const pointed = /** @type {import("./stack_stage.js").Pointed | null} */ (/** @type {CustomEvent} */ (event).detail);
    line.textContent = "";
    if (!pointed) return;
    const { stack, at, to } = pointed.shown.cut;
    const [row, column] = [Math.round(pointed.row), Math.round(pointed.column)];
    if (row < 0 || column < 0 || row >= stack.rows || column >= stack.columns) return;
    let [counts, seconds] = [0, 0];
    for (let k = at; k <= to; k += 1) {
      counts += stack.at(k, row, column);
      seconds += stack.facts.durations_s[k] ?? NaN;
    }
    const rate = (100 * counts) / (seconds * stack.rowMm * stack.columnMm);
    line.textContent = [pointed.shown.label, `${figure(counts)} ${WORDS.study.counts}`, Number.isFinite(rate) ? `${figure(rate)} ${SERIES_WORDS.perArea}` : "", `row ${row}, column ${column}`].filter(Boolean).join(" · ");
  });
  return line;
}
