/**
 * The appointment: a form on one side, the plan at once on the other, and both sheets to print. Nothing of it is kept.
 * @module
 */

import { button, choice, field, make } from "./elements.js";
import { frame, keyboard, openDialog, say, signedIn, teaching } from "./page.js";
import { ask, ROOT } from "./service.js";
import { PLAN } from "./words_plan.js";

/**
 * @typedef {{heading: string, rows?: [string, string][], text?: string[], reading?: {heading: string, rows: [string, string][]}}} Section
 * @typedef {{warnings: {heading: string, text: string[]}, cards: {label: string, value: string, note: string}[],
 *   left: Section[], right: Section[], checks: Section, sources: Section, banner: string}} Sheet
 */

const PAUSE_MS = 250;
/**
 * Fields that say something only together; `also` are those that say something only beside them.
 * @type {ReadonlyArray<{named: Record<string, string>, needs: string[], also: string[], without: (missing: string) => string}>}
 */
const TOGETHER = [
  { named: { vial_mbq: PLAN.vialMbq, vial_ml: PLAN.vialMl, vial_at: PLAN.vialAt }, needs: ["vial_mbq", "vial_ml", "vial_at"], also: ["residual_percent"], without: PLAN.withoutVial },
  { named: { previous_mbq: PLAN.earlierMbq, previous_at: PLAN.earlierAt }, needs: ["previous_mbq", "previous_at"], also: ["previous_tracer"], without: PLAN.withoutEarlier },
];
const given = new URLSearchParams(location.search);

/** The next quarter of an hour, as a field of date and time has it. */
function nextQuarter() {
  const at = new Date(Math.ceil(Date.now() / 900_000) * 900_000);
  /** @param {number} n */
  const two = (n) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

/** @param {string} label @param {string} name @param {Record<string, unknown>} [more] @param {string} [hint] */
function number(label, name, more = {}, hint) {
  return field(label, { name, type: "number", step: "any", min: 0, inputmode: "decimal", value: given.get(name), ...more }, hint).box;
}

/** @param {string} label @param {string} name @param {string} [value] @param {string} [hint] */
function time(label, name, value = "", hint) {
  return field(label, { name, type: "datetime-local", value: given.get(name) ?? value, required: name === "inject_at" }, hint).box;
}

/** @param {string} label @param {string} name @param {readonly (readonly string[])[]} options */
function chosen(label, name, options) {
  const pairs = options.map((one) => /** @type {const} */ ([one[0] ?? "", one[1] ?? ""]));
  return choice(label, name, pairs, given.get(name) ?? pairs[0]?.[0] ?? "").box;
}

/** @param {string} label @param {string} name */
function tick(label, name) {
  return make("label", {}, make("input", { type: "checkbox", name, value: "true", checked: given.get(name) === "true" }), label);
}

/** @param {string} title @param {...Node} content */
function group(title, ...content) {
  return make("fieldset", {}, make("legend", {}, title), ...content);
}

/** @param {...Node} content */
function pair(...content) {
  return make("div", { class: "pair" }, ...content);
}

async function show() {
  const said = await signedIn();
  const { main } = frame({ session: said, here: "plan", help: keyboard([]) });
  const form = make(
    "form",
    { class: "form", "aria-label": PLAN.title },
    make("h2", {}, PLAN.person),
    pair(number(PLAN.weight, "weight_kg", { required: true, max: 400, autofocus: true }), number(PLAN.age, "age_years", { max: 120 }, PLAN.ageHint)),
    pair(number(PLAN.height, "height_cm", { max: 260 }), chosen(PLAN.sex, "sex", PLAN.sexes)),
    make("div", { class: "ticks" }, tick(PLAN.pregnant, "pregnant"), tick(PLAN.breastfeeding, "breastfeeding"), tick(PLAN.dialysis, "dialysis")),
    group(PLAN.tracing,
      pair(chosen(PLAN.tracer, "tracer", PLAN.tracers), chosen(PLAN.guideline, "guideline", PLAN.guidelines)),
      time(PLAN.inject, "inject_at", nextQuarter()),
      time(PLAN.image, "image_at", "", PLAN.imageHint),
      number(PLAN.activity, "activity_mbq", {}, PLAN.activityHint)),
    group(PLAN.vial,
      pair(number(PLAN.vialMbq, "vial_mbq"), number(PLAN.vialMl, "vial_ml")),
      pair(time(PLAN.vialAt, "vial_at"), number(PLAN.residual, "residual_percent", { max: 99 }))),
    make("details", {}, make("summary", {}, PLAN.earlier),
      pair(number(PLAN.earlierMbq, "previous_mbq"), chosen(PLAN.earlierTracer, "previous_tracer", PLAN.earlierTracers.map((one) => [one, one]))),
      time(PLAN.earlierAt, "previous_at")),
  );
  const answer = make("section", { class: "answer", role: "status", "aria-live": "polite" }, teaching("", [PLAN.empty]));
  const language = choice(PLAN.language, "language", PLAN.languages.map((one) => /** @type {const} */ ([one[0] ?? "", one[1] ?? ""])), "en");
  main.append(make("section", { class: "room" }, make("h1", {}, PLAN.title), make("p", { class: "hint" }, PLAN.lead),
    make("div", { class: "two" }, form, answer)));

  let waiting = 0;
  let asking = new AbortController();
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(plan, PAUSE_MS);
  });
  language.select.addEventListener("change", plan);
  if (given.get("weight_kg")) plan();

  /**
   * What stands in the form, as the interface asks for it, without what is told by half; and what is missing there.
   * @returns {{wanted: URLSearchParams, missing: string[]}}
   */
  function asked() {
    const wanted = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value !== "") wanted.set(name, String(value));
    /** @type {string[]} */
    const missing = [];
    for (const { named, needs, also, without } of TOGETHER) {
      const absent = needs.filter((name) => !wanted.has(name));
      if (!absent.length) continue;
      const more = also.filter((name) => Number(wanted.get(name)) > 0);
      if (absent.length < needs.length || more.length) missing.push(without(absent.map((name) => named[name] ?? name).join(", ")));
      for (const name of [...needs, ...also]) wanted.delete(name);
    }
    return { wanted, missing };
  }

  async function plan() {
    const { wanted, missing } = asked();
    if (!wanted.has("weight_kg") || !wanted.has("inject_at")) return;
    asking.abort();
    const mine = (asking = new AbortController());
    answer.setAttribute("aria-busy", "true");
    try {
      const found = await (await ask(`/plan?${wanted}`, { signal: mine.signal })).json();
      answer.replaceChildren(...missing.map((text) => make("p", { class: "missing" }, text)), ...sheet(found.sheet, wanted));
    } catch (error) {
      if (mine.signal.aborted) return;
      answer.replaceChildren(make("p", { class: "wrong" }, error instanceof Error ? error.message : String(error)));
    }
    answer.setAttribute("aria-busy", "false");
  }

  /** @param {Sheet} told @param {URLSearchParams} wanted */
  function sheet(told, wanted) {
    const patient = new URLSearchParams([...wanted, ["language", language.select.value]]);
    /** @param {string} file @param {URLSearchParams} how */
    const address = (file, how) => `${ROOT}/plan/${file}?${how}`;
    /** @param {string} file @param {URLSearchParams} how @param {string} text @param {string} [kind] */
    const link = (file, how, text, kind = "") => make("a", { class: `button ${kind}`, href: address(file, how), target: "_blank", rel: "noopener" }, text);
    return [
      told.warnings.text.length ? make("div", { class: "attend" }, make("h2", {}, told.warnings.heading), make("ul", {}, ...told.warnings.text.map((text) => make("li", {}, text)))) : "",
      make("dl", { class: "cards" }, ...told.cards.map((card) => make("div", {}, make("dt", {}, card.label), make("dd", {}, make("strong", {}, card.value), make("span", {}, card.note))))),
      make("div", { class: "sheets" },
        link("plan_department.pdf", wanted, PLAN.department, "main"),
        link("plan_patient.pdf", patient, PLAN.leaflet, "main"),
        language.box,
        button(PLAN.look, () => openDialog(PLAN.leafletTitle,
          [make("iframe", { class: "report", title: PLAN.leafletTitle, sandbox: "", src: address("plan_patient.html", patient) })], "page"))),
      make("div", { class: "columns" }, ...[...told.right, ...told.left].map(part), part(told.checks),
        make("details", {}, make("summary", {}, PLAN.sources), make("ul", {}, ...(told.sources.text ?? []).map((text) => make("li", { class: "hint" }, text))))),
      make("p", { class: "hint" }, told.banner),
    ];
  }
}

/** @param {Section} section */
function part(section) {
  const rows = [...(section.rows ?? []), ...(section.reading ? section.reading.rows.map(([at, value], k) => /** @type {[string, string]} */ ([k ? "" : section.reading?.heading ?? "", `${at}  ${value}`])) : [])];
  return make("section", {}, make("h2", {}, section.heading),
    rows.length ? make("dl", { class: "rowed" }, ...rows.flatMap(([label, value]) => [make("dt", {}, label), make("dd", {}, value)])) : null,
    section.text ? make("ul", {}, ...section.text.map((text) => make("li", {}, text))) : null);
}

show().catch(say);
