/**
 * Quality over time: what the cameras counted, how late, of how much; limits, drifts and studies to look at.
 * @module
 */

import { controlChart, drawn } from "./chart.js";
import { choice, make } from "./elements.js";
import { frame, keyboard, say, signedIn, teaching } from "./page.js";
import { ask } from "./service.js";
import { figure } from "./telling.js";
import { QUALITY } from "./words_quality.js";

/**
 * @typedef {{study_uid: string, day: string, camera: string, value: number, deviations: number}} Outlier
 * @typedef {{code: string, name: string, unit: string, studies: number, untold: number, limits: import("./chart.js").Limits | null,
 *   months: import("./chart.js").Month[], points: [string, number][], looked_at: number, outliers: Outlier[]}} Measure
 * @typedef {{first: string, last: string, cameras: Record<string, number>, studies: number, undated: number,
 *   months: Record<string, number>, measures: Measure[], checks: {code: string, warned: number, months: Record<string, number>}[]}} Quality
 */

const MOST_MONTHS = 12;
const given = new URLSearchParams(location.search);

async function show() {
  const said = await signedIn();
  const { main } = frame({ session: said, here: "quality", help: keyboard([]) });
  const span = choice(QUALITY.span, "months", QUALITY.spans.map((one) => /** @type {const} */ ([one[0] ?? "", one[1] ?? ""])), given.get("months") ?? "12");
  const camera = choice(QUALITY.camera, "camera", [["", QUALITY.all]], "");
  const count = make("p", { class: "hint", role: "status" });
  const body = make("div", {});
  const choosing = make("div", { class: "sheets" }, camera.box, span.box, count);
  main.append(make("section", { class: "room" }, make("h1", {}, QUALITY.title), make("p", { class: "hint" }, QUALITY.lead), choosing, body));
  /** The camera with most studies is looked at first, once. @type {string | null} */
  let looked = given.get("camera");
  camera.select.addEventListener("change", () => { looked = camera.select.value; return load(); });
  span.select.addEventListener("change", load);
  await load();

  async function load() {
    try {
      let found = await fetched(looked ?? "");
      const names = Object.keys(found.cameras);
      if (looked === null && names.length > 1 && names[0]) {
        looked = names[0];
        found = await fetched(looked);
      }
      fill(found);
    } catch (error) {
      say(error);
    }
  }

  /** @param {string} name @returns {Promise<Quality>} */
  async function fetched(name) {
    return (await ask(`/quality?${new URLSearchParams({ camera: name, months: span.select.value })}`)).json();
  }

  /** @param {Quality} found */
  function fill(found) {
    camera.select.replaceChildren(make("option", { value: "" }, QUALITY.all), ...Object.entries(found.cameras).map(([name, n]) =>
      make("option", { value: name, selected: name === looked }, `${name || QUALITY.unknownCamera} (${n})`)));
    choosing.hidden = !found.last;
    if (!found.last) {
      body.replaceChildren(teaching(QUALITY.emptyTitle, QUALITY.empty));
      return;
    }
    count.textContent = [QUALITY.count(found.studies, found.first, found.last), found.undated ? QUALITY.undated(found.undated) : ""].filter(Boolean).join(". ");
    body.replaceChildren(legend(), ...found.measures.map((one) => measure(one, found)), checks(found), make("p", { class: "hint" }, QUALITY.limits));
  }
}

function legend() {
  /** @param {string} text @param {...SVGElement} shapes */
  const entry = (text, ...shapes) => make("li", {}, drawn("svg", { viewBox: "0 0 24 16", class: "chart", "aria-hidden": "true" }, ...shapes), text);
  const words = QUALITY.legend;
  return make("ul", { class: "legend" },
    entry(words.usual, drawn("rect", { class: "usual", x: 0, y: 0, width: 24, height: 16 }), drawn("circle", { class: "point", cx: 12, cy: 8, r: 3 })),
    entry(words.look, drawn("rect", { class: "look", x: 0, y: 0, width: 24, height: 16 }), drawn("path", { class: "beyond", d: "M8 4h8v8h-8z" })),
    entry(words.act, drawn("rect", { class: "act", x: 0, y: 0, width: 24, height: 16 }), drawn("path", { class: "far", d: "M12 2l6 11h-12z" })),
    entry(words.month, drawn("path", { class: "medians", d: "M0 8H24" }), drawn("circle", { class: "median", cx: 12, cy: 8, r: 4 })),
    entry(words.drift, drawn("circle", { class: "median drifts", cx: 12, cy: 8, r: 5 })));
}

/** @param {Measure} one @param {Quality} found */
function measure(one, found) {
  const { limits } = one;
  const drifting = one.months.filter((month) => month.drifts).map((month) => month.month);
  /** @param {string} title @param {string} told @param {boolean} [flag] */
  const number = (title, told, flag = false) => make("span", {}, `${title} `, make("strong", { class: flag ? "flagged" : "" }, told));
  const section = make("section", { class: "measure", "aria-label": one.name }, make("header", {}, make("h2", {}, one.name), make("span", { class: "hint" }, one.unit)));
  section.append(make("p", { class: "hint" }, QUALITY.why[one.code] ?? ""));
  if (!one.studies) {
    section.append(make("p", {}, QUALITY.noneTold));
    return section;
  }
  const told = QUALITY.chart({ name: one.name, n: one.studies, median: limits ? figure(limits.median) : "", unit: one.unit, out: one.outliers.length });
  section.append(
    make("div", { class: "legend" },
      limits && number(QUALITY.median, figure(limits.median)), limits && number(QUALITY.spread, figure(limits.robust_sd, 2)),
      number(QUALITY.studies, String(one.studies)), one.untold > 0 && number(QUALITY.untold, String(one.untold)),
      limits && number(QUALITY.looked, String(one.looked_at)), limits && number(QUALITY.acted, String(one.outliers.length), one.outliers.length > 0),
      !limits && make("span", {}, QUALITY.noLimits)),
    controlChart({ points: one.points, months: one.months, limits, first: found.first, last: found.last, told }),
  );
  if (drifting.length) section.append(make("p", { class: "flagged" }, QUALITY.driftsIn(drifting.join(", "))));
  section.append(monthsTable(one), one.outliers.length ? outliersTable(one) : "");
  return section;
}

/** @param {string[]} heads @param {HTMLElement[]} rows @param {string} caption */
function table(heads, rows, caption) {
  return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, make("table", { class: "narrow" }, make("caption", { class: "unseen" }, caption),
    make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)))), make("tbody", {}, ...rows)));
}

/** @param {Measure} one */
function monthsTable(one) {
  const rows = one.months.map((month) => make("tr", {}, make("th", { scope: "row" }, month.month), make("td", { class: "number" }, String(month.studies)),
    make("td", { class: "number" }, figure(month.median)), make("td", { class: "flagged" }, month.drifts ? QUALITY.drifts : "")));
  return make("details", {}, make("summary", {}, QUALITY.months), table([QUALITY.month, QUALITY.studies, QUALITY.median, QUALITY.drift], rows, `${one.name}: ${QUALITY.months}`));
}

/** @param {Measure} one */
function outliersTable(one) {
  const rows = one.outliers.map((out) => make("tr", {}, make("th", { scope: "row" }, out.day), make("td", {}, out.camera || QUALITY.unknownCamera),
    make("td", { class: "number" }, figure(out.value)), make("td", { class: "number" }, `${out.deviations > 0 ? "+" : ""}${out.deviations}`),
    make("td", {}, make("a", { href: `/study/${encodeURIComponent(out.study_uid)}`, "aria-label": `${QUALITY.open}: ${out.day}, ${one.name}` }, QUALITY.open))));
  return make("details", { open: one.outliers.length <= 6 }, make("summary", {}, `${QUALITY.outliers} (${one.outliers.length})`),
    table([QUALITY.day, QUALITY.camera, QUALITY.value, QUALITY.away, QUALITY.study], rows, `${one.name}: ${QUALITY.outliers}`));
}

/** @param {Quality} found */
function checks(found) {
  const months = Object.keys(found.months).sort().slice(-MOST_MONTHS);
  const rows = found.checks.map((one) => make("tr", {}, make("th", { scope: "row" }, QUALITY.codes[one.code] ?? one.code),
    make("td", { class: "number right" }, String(one.warned)), make("td", { class: "number right" }, `${figure((100 * one.warned) / Math.max(1, found.studies), 2)} %`),
    ...months.map((month) => make("td", { class: "number right" }, String(one.months[month] ?? 0)))));
  return make("section", { class: "measure" }, make("h2", {}, QUALITY.checks),
    rows.length ? table([QUALITY.check, QUALITY.warned, QUALITY.share, ...months], rows, QUALITY.checks) : make("p", {}, QUALITY.noChecks));
}

show().catch(say);
