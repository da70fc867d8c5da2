/**
 * The patient's leaflet: before the scan by the appointment's page, after it of a signed reading, in a physician's name.
 * @module
 */

import { choice, field, make } from "./elements.js";
import { frame, keyboard, say, signedIn } from "./page.js";
import { ask, readingFile, Refused, ROOT, study } from "./service.js";
import { personName } from "./telling.js";
import { LEAFLET } from "./words_plan.js";

/**
 * @typedef {{version: number, findings: {letter: string, place: string}[], conclusions: string[],
 *   languages: Record<string, string>}} Tellable
 * @typedef {{id: string, version: number, language: string, signed_on: string, files: string[]}} Made
 */

const uid = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const kinds = /** @type {Record<string, string>} */ (LEAFLET.kinds);

async function show() {
  const coming = study(uid);
  coming.catch(() => {});
  const said = await signedIn();
  const who = make("div", { class: "who" });
  const { main } = frame({ session: said, middle: [who], help: keyboard([]) });
  const room = make("section", { class: "room" }, make("h1", {}, LEAFLET.title), make("p", {}, make("a", { href: `/study/${encodeURIComponent(uid)}` }, LEAFLET.back)));
  main.append(room);
  const here = await coming;
  who.append(make("strong", {}, personName(here.patient_name)), make("span", {}, here.patient_id), make("span", {}, here.study_date));
  room.append(make("h2", {}, LEAFLET.before), make("p", {}, `${LEAFLET.beforeText} `, make("a", { href: await planAddress(here) }, LEAFLET.beforeLink)), make("h2", {}, LEAFLET.after));
  if (said.user.role !== "physician") {
    room.append(make("p", { class: "hint" }, LEAFLET.onlyPhysician));
    return;
  }
  if (!here.last_signed) {
    room.append(make("div", { class: "attend" }, make("h3", {}, LEAFLET.notSigned), make("p", {}, LEAFLET.signFirst)));
    return;
  }
  /** @type {Tellable} */
  let told;
  try {
    told = await (await ask(`/studies/${encodeURIComponent(uid)}/leaflet`)).json();
  } catch (error) {
    if (!(error instanceof Refused) || error.status === 401) return say(error);
    room.append(make("div", { class: "attend" }, make("h3", {}, LEAFLET.notSigned), make("p", {}, error.message)));
    return;
  }
  room.append(make("p", { class: "hint" }, `${LEAFLET.version(told.version)} ${LEAFLET.lead}`), after(told));
}

/**
 * The appointment's page for somebody of this age, weight and sex; no name goes there.
 * @param {import("./service.js").Study} here
 */
async function planAddress(here) {
  const wanted = new URLSearchParams();
  try {
    if (here.reading) {
      const { patient, injection } = (await (await readingFile(uid, here.reading.version, "reading.json")).json()).scan;
      if (patient.weight_kg) wanted.set("weight_kg", String(patient.weight_kg));
      if (patient.age_years) wanted.set("age_years", String(Math.floor(patient.age_years)));
      if (patient.stature_m) wanted.set("height_cm", String(Math.round(100 * patient.stature_m)));
      if (/^Tc-99m (MDP|HDP|DPD)$/.test(injection?.radiopharmaceutical ?? "")) wanted.set("tracer", injection.radiopharmaceutical);
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error; // a three-phase reading tells none of it
  }
  const sex = { F: "female", M: "male" }[here.sex];
  if (sex) wanted.set("sex", sex);
  return `/plan?${wanted}`;
}

/** @param {Tellable} told */
function after(told) {
  const ticks = told.conclusions.map((kind) => make("input", { type: "checkbox", name: "conclusion", value: kind }));
  const language = choice(LEAFLET.language, "language", Object.entries(told.languages), "en");
  const places = told.findings.map((one) => ({ one, ...choice(`${one.letter}  ${one.place}`, `place-${one.letter}`, [["", LEAFLET.none]], "") }));
  const says = text(LEAFLET.says, "says", LEAFLET.saysHint);
  const next = text(LEAFLET.next, "next_steps");
  const wrong = make("p", { class: "wrong", role: "alert" });
  const preview = make("section", { class: "answer stays", "aria-live": "polite", "aria-label": LEAFLET.preview }, make("p", { class: "hint" }, LEAFLET.empty));
  const form = make(
    "form",
    { class: "form", "aria-label": LEAFLET.after },
    make("fieldset", { class: "first" }, make("legend", {}, LEAFLET.conclusions),
      make("div", { class: "ticks" }, ...ticks.map((tick) => make("label", {}, tick, kinds[tick.value] ?? tick.value)))),
    make("fieldset", {}, make("legend", {}, LEAFLET.places), places.length ? make("div", { class: "places", role: "group", tabindex: 0, "aria-label": LEAFLET.places }, ...places.map(({ box }) => box)) : make("p", { class: "hint" }, LEAFLET.noPlaces)),
    make("fieldset", {}, says.box, next.box, language.box),
    wrong,
    make("button", { class: "main" }, LEAFLET.make),
  );
  /** Places may be what was concluded, and nothing else. */
  function follow() {
    const concluded = ticks.filter((tick) => tick.checked).map((tick) => tick.value);
    for (const tick of ticks) {
      tick.disabled = !tick.checked && (tick.value === "nothing_unusual" ? concluded.length > 0 : concluded.includes("nothing_unusual"));
    }
    for (const { select } of places) {
      const before = select.value;
      select.replaceChildren(make("option", { value: "" }, LEAFLET.none), ...concluded.filter((kind) => kind !== "nothing_unusual").map((kind) => make("option", { value: kind, selected: kind === before }, kinds[kind] ?? kind)));
    }
  }
  follow();
  form.addEventListener("change", follow);
  form.addEventListener("input", () => {
    const stale = preview.querySelector(".stale");
    if (stale) stale.textContent = LEAFLET.stale;
    for (const link of preview.querySelectorAll("a.button")) link.remove(); // what is seen is what is given out
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    wrong.textContent = "";
    const body = {
      version: told.version,
      conclusions: ticks.filter((tick) => tick.checked).map((tick) => tick.value),
      places: Object.fromEntries(places.filter(({ select }) => select.value).map(({ one, select }) => [one.letter, select.value])),
      says: says.area.value.trim(), next_steps: next.area.value.trim(), language: language.select.value,
    };
    if (!body.conclusions.length && !body.says) {
      wrong.textContent = LEAFLET.choose;
      return;
    }
    try {
      /** @type {Made} */
      const made = await (await ask(`/studies/${encodeURIComponent(uid)}/leaflets`, { method: "POST", body })).json();
      const place = `${ROOT}/studies/${encodeURIComponent(uid)}/leaflets/${encodeURIComponent(made.id)}/`;
      /** @param {string} file @param {string} words @param {string} kind */
      const link = (file, words, kind) => make("a", { class: `button ${kind}`, href: place + file, target: "_blank", rel: "noopener" }, words);
      preview.replaceChildren(
        make("div", { class: "sheets" }, link("leaflet.pdf", LEAFLET.pdf, "main"), link("leaflet.txt", LEAFLET.text, ""), make("p", { class: "hint stale" }, LEAFLET.made)),
        make("iframe", { class: "leaflet", title: LEAFLET.preview, sandbox: "", src: `${place}leaflet.html` }));
      preview.scrollIntoView({ block: "nearest" });
    } catch (error) {
      wrong.textContent = error instanceof Error ? error.message : String(error);
    }
  });
  return make("div", { class: "two" }, form, preview);
}

/** @param {string} label @param {string} name @param {string} [hint] */
function text(label, name, hint) {
  const { box, input } = field(label, { name }, hint);
  const area = make("textarea", { id: input.id, name, maxlength: 2000, rows: 4, "aria-describedby": input.getAttribute("aria-describedby") });
  input.replaceWith(area);
  return { box, area };
}

show().catch(say);
