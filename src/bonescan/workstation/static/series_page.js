/**
 * What the pages on series have in common: the bar with the person, what the study holds, and how a failure is told.
 * @module
 */

import { make } from "./elements.js";
import { frame, keyboard, say, signedIn, teaching } from "./page.js";
import { allSeries, Refused, study } from "./service.js";
import { age, personName } from "./telling.js";
import { WORDS } from "./words.js";

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
