/**
 * Teaching: a scenario's sliders make a simulated scan appear; truth on and off; what the reader would say of it.
 *
 * One order is under way at a time. While a slider moves a coarse first look is asked for, and the full scan once it rests.
 * @module
 */

import { controls } from "./controls.js";
import { button, choice, make } from "./elements.js";
import { TINTS } from "./overlay.js";
import { frame, keyboard, say, signedIn } from "./page.js";
import { FindingsList, impressionPart, qualityPart } from "./panel.js";
import { Picture } from "./pictures.js";
import { ask, Refused } from "./service.js";
import { Stage } from "./stage.js";
import { duration, figure } from "./telling.js";
import { WORDS } from "./words.js";
import { TEACHING } from "./words_teaching.js";

/**
 * @typedef {keyof typeof TEACHING.knobs} Knob
 * @typedef {{name: string, title: string, shows: string, activity_mbq: number | null, time_h: number, age_years: number | null}} Scenario
 * @typedef {{scenarios: Scenario[], cameras: {name: string, title: string}[], limits: Record<Knob, [number, number]>}} Offered
 * @typedef {{number: number, label: string, metastasis: boolean, contrast: number, snr: Record<string, number>}} Lesion
 * @typedef {{person: {sex: string, age_years: number, mass_kg: number, bmi: number | null}, activity_mbq: number, time_h: number,
 *   radiopharmaceutical: string, counts: Record<string, number>, bone_scan_index_percent: number, lesions: Lesion[],
 *   disturbances: Lesion[]}} Truth
 * @typedef {{id: string, state: "working" | "done" | "failed", doing: "scan" | "read", step: string, reason: string, quick: boolean,
 *   views: import("./service.js").ViewFacts[], truth: Truth | null, reading: import("./panel.js").Reading | null}} Scan
 */

const FIRST = "single_metastasis";
const REST_MS = 350;
const SEEN_FROM = 5;
const STEPS = 200; // of the slider of counts, whose way is logarithmic
const given = new URLSearchParams(location.search);
const NAMES = /** @type {Knob[]} */ (Object.keys(TEACHING.knobs));

async function show() {
  const coming = ask("/teaching/scenarios").then((answer) => /** @type {Promise<Offered>} */ (answer.json()));
  coming.catch(() => {});
  const said = await signedIn();
  const stage = new Stage(given.get("painter"));
  stage.overlays.normal = false;
  const bar = controls(stage);
  const readout = make("p", { class: "readout", "aria-live": "off" });
  const help = keyboard([{ title: TEACHING.keys.group, commands: [
    { keys: ["y"], text: TEACHING.keys.truth, run: () => truth.click() },
    { keys: ["a"], text: TEACHING.keys.read, run: () => read.click() },
    { keys: ["j"], text: TEACHING.keys.person, run: () => another.click() },
    { keys: ["+", "="], shown: "+", text: WORDS.keys.zoomIn, run: () => stage.zoom(1.25) },
    { keys: ["-"], text: WORDS.keys.zoomOut, run: () => stage.zoom(0.8) },
    { keys: ["Home"], text: WORDS.keys.fit, run: () => stage.fit() },
    { keys: ["]"], text: WORDS.keys.upperUp, run: () => stage.setWindow(stage.window.lower, stage.window.upper * 1.1) },
    { keys: ["["], text: WORDS.keys.upperDown, run: () => stage.setWindow(stage.window.lower, stage.window.upper / 1.1) },
    { keys: ["0"], text: WORDS.keys.auto, run: () => stage.autoWindow() },
    { keys: ["f"], text: WORDS.keys.findings, run: () => { stage.overlays.findings = !stage.overlays.findings; stage.changed("overlays"); } },
    { keys: ["1"], text: WORDS.keys.anterior, run: () => stage.setLayout("anterior") },
    { keys: ["2"], text: WORDS.keys.posterior, run: () => stage.setLayout("posterior") },
    { keys: ["3"], text: WORDS.keys.both, run: () => stage.setLayout("both") },
  ] }]);
  const { main } = frame({ session: said, here: "teaching", help });
  document.title = `${TEACHING.title} · ${WORDS.product}`;
  main.classList.add("study");
  const waiting = make("p", { class: "step hint", role: "status" }, TEACHING.opening);
  main.append(waiting);
  const offered = await coming.finally(() => waiting.remove());
  const limits = offered.limits;

  // What is set; null is as the scenario has it.
  /** @type {Record<Knob, number | null>} */
  const set = { activity_mbq: null, time_h: null, speed_cm_per_min: 12, counts: null, distance_mm: 20, contrast_times: 1, age_years: null, bmi: null };
  // One order at a time: what is wanted next waits for the one that is under way.
  let busy = false;
  /** @type {null | "quick" | "full"} */
  let next = null;
  let resting = 0;
  let seed = Number(given.get("seed")) || 1;
  let truthShown = false;
  /** @type {Scan | null} */
  let here = null;
  /** @type {Map<string, Uint8Array>} */
  const lesions = new Map();

  const wanted = given.get("scenario") ?? FIRST;
  const scenario = choice(TEACHING.scenario, "scenario", offered.scenarios.map((one) => /** @type {const} */ ([one.name, one.title])), wanted);
  const camera = choice(TEACHING.camera, "camera", offered.cameras.map((one) => /** @type {const} */ ([one.name, one.title])), "symbia_lehr");
  const shows = make("p", {});
  const shown = make("details", {}, make("summary", {}, TEACHING.shows), shows);
  const who = make("output", { class: "hint" });
  const another = button(TEACHING.person, () => { seed += 1; ordered(true); }, { title: TEACHING.personHint });
  const truth = button(TEACHING.truth, () => { truthShown = !truthShown; tellTruth(); }, { "aria-pressed": "false", title: TEACHING.truthHint });
  const read = button(TEACHING.read, haveRead, { title: TEACHING.readHint, class: "main" });
  const step = make("p", { class: "step hint", role: "status" });
  const told = make("div", {});
  const answer = make("div", {});
  const knobs = NAMES.map((name) => knob(name));
  const reset = button(TEACHING.reset, () => { asScenario(); ordered(true); });
  const panel = make("aside", { class: "panel", tabindex: 0, "aria-label": TEACHING.title },
    make("h1", {}, TEACHING.title), scenario.box, shown, make("div", { class: "button-row" }, another, who),
    make("div", { class: "button-row" }, read, truth), step, answer, told,
    make("section", { class: "part" }, ...knobs.map((one) => one.box), camera.box, reset));
  const marks = make("p", { class: "simulated" }, ...[0, 1].map(() => make("span", {}, make("span", {}, TEACHING.simulated))));
  stage.element.append(marks);
  main.append(make("section", { class: "looking", "aria-label": TEACHING.scan }, bar.element, stage.element, readout), panel);
  stage.addEventListener("changed", (event) => {
    if (/** @type {CustomEvent} */ (event).detail === "pointed") {
      const at = stage.pointed;
      const n = at?.picture.at(at.place.row, at.place.column) ?? null;
      readout.textContent = at && n !== null ? `${/** @type {Record<string, string>} */ (WORDS.study.views)[at.picture.name] ?? at.picture.name} · ${figure(n)} ${WORDS.study.counts} · ${TEACHING.simulated.toLowerCase()}` : "";
    } else bar.follow();
    marks.classList.toggle("alone", stage.shown.length < 2);
  });
  scenario.select.addEventListener("change", () => { asScenario(); ordered(true); });
  camera.select.addEventListener("change", () => ordered(true));
  asScenario();
  ordered(true);

  /** @param {Knob} name */
  function knob(name) {
    const words = TEACHING.knobs[name];
    const [low, high] = limits[name];
    const whole = name === "counts";
    const input = make("input", { type: "range", id: `knob-${name}`, min: whole ? 0 : low, max: whole ? STEPS : high, step: whole ? 1 : words.step, "aria-describedby": `knob-${name}-hint` });
    const output = make("output", { for: input.id });
    const box = make("div", { class: "knob" }, make("label", { for: input.id }, words.text, output), input, make("p", { class: "hint", id: `knob-${name}-hint` }, words.hint));
    /** The slider of counts begins with "as they come". */
    const value = () => (whole ? (input.valueAsNumber === 0 ? null : low * (high / low) ** (input.valueAsNumber / STEPS)) : input.valueAsNumber);
    input.addEventListener("input", () => { set[name] = value(); tell(); ordered(false); });
    input.addEventListener("change", () => ordered(true));
    function tell() {
      const n = set[name];
      const known = n ?? fallback(name);
      if (document.activeElement !== input) input.value = String(whole ? (n === null ? 0 : Math.round((STEPS * Math.log(n / low)) / Math.log(high / low))) : (known ?? (low + high) / 2));
      const number = known === null ? "" : `${figure(known)} ${words.unit}`.trim();
      output.textContent = n === null && whole ? TEACHING.asComes : n === null && known === null ? TEACHING.drawn : number;
      input.setAttribute("aria-valuetext", output.textContent);
    }
    return { box, tell };
  }

  /** What holds where nothing is set: of the scan that is shown, or of the scenario. @param {Knob} name */
  function fallback(name) {
    const one = offered.scenarios.find((each) => each.name === scenario.select.value);
    const of = here?.truth;
    if (name === "activity_mbq") return of?.activity_mbq ?? one?.activity_mbq ?? null;
    if (name === "time_h") return one?.time_h ?? null;
    if (name === "age_years") return of?.person.age_years ?? one?.age_years ?? null;
    if (name === "bmi") return of?.person.bmi ?? null;
    return null;
  }

  function asScenario() {
    Object.assign(set, { activity_mbq: null, time_h: null, speed_cm_per_min: 12, counts: null, distance_mm: 20, contrast_times: 1, age_years: null, bmi: null });
    const one = offered.scenarios.find((each) => each.name === scenario.select.value);
    shows.textContent = one?.shows ?? "";
    shown.open = false;
    for (const each of knobs) each.tell();
  }

  /** @param {boolean} rested Whether no slider moves. */
  function ordered(rested) {
    clearTimeout(resting);
    next = "quick";
    resting = setTimeout(() => { next = "full"; go(); }, rested ? 0 : REST_MS);
    if (!rested) go();
  }

  async function go() {
    if (busy || next === null) return;
    busy = true;
    const quick = next === "quick" || here === null;
    next = next === "full" && quick ? "full" : null;
    try {
      step.textContent = here === null ? TEACHING.starting : TEACHING.working;
      const body = { scenario: scenario.select.value, seed, camera: camera.select.value, quick,
        ...Object.fromEntries(NAMES.filter((name) => set[name] !== null).map((name) => [name, set[name]])) };
      const scan = await followed(await (await ask("/teaching/scans", { method: "POST", body })).json());
      if (scan.state === "failed") {
        step.textContent = `${TEACHING.failed}: ${scan.reason}`;
        if (here === null) here = { ...scan, truth: null };
      } else await present(scan);
    } catch (error) {
      if (!(error instanceof Refused) || ![429, 503, 404].includes(error.status)) say(error);
      else {
        step.textContent = error.message;
        next ??= "full";
        await new Promise((resolve) => setTimeout(resolve, 2000));
      }
    }
    busy = false;
    go();
  }

  /** @param {Scan} scan @returns {Promise<Scan>} */
  async function followed(scan) {
    let now = scan;
    while (now.state === "working") {
      step.textContent = `${now.doing === "read" ? TEACHING.reading : TEACHING.working}: ${now.step || "…"}`;
      now = await (await ask(`/teaching/scans/${now.id}?wait_s=10`)).json();
    }
    return now;
  }

  /** @param {Scan} scan */
  async function present(scan) {
    /** @param {string} what @param {string} name */
    const bytes = async (what, name) => (await ask(`/teaching/scans/${scan.id}/${what}/${name}`)).arrayBuffer();
    const pictures = await Promise.all(scan.views.map(async (view) => {
      const [counts, ids] = await Promise.all([bytes("views", view.name), bytes("lesions", view.name)]);
      lesions.set(view.name, new Uint8Array(ids).map((id) => (id ? ((id - 1) % (TINTS.length - 1)) + 1 : 0)));
      return new Picture(view, { rows: view.rows, columns: view.columns, data: new Uint16Array(counts) });
    }));
    here = scan;
    stage.findings = [];
    stage.chosen = null;
    answer.replaceChildren();
    stage.overlay.tints.clear();
    const kept = stage.touched ? { ...stage.window } : null;
    stage.show(pictures);
    stage.over.setAttribute("aria-label", `${TEACHING.scan}. ${WORDS.study.pictureLabel(pictures.map((one) => one.name).join(", "))}`);
    if (kept) stage.setWindow(kept.lower, kept.upper);
    step.textContent = scan.quick ? TEACHING.quick : TEACHING.ready;
    who.textContent = TEACHING.seed(seed);
    for (const each of knobs) each.tell();
    tellTruth();
  }

  function tellTruth() {
    truth.setAttribute("aria-pressed", String(truthShown));
    for (const picture of stage.pictures) picture.regions = truthShown ? (lesions.get(picture.name) ?? null) : null;
    stage.overlay.tints.clear();
    stage.overlays.regions = truthShown;
    stage.changed("overlays");
    const of = here?.truth;
    if (!of) return told.replaceChildren();
    const { person } = of;
    const facts = make("p", { class: "hint" }, [person.sex, `${person.age_years} ${WORDS.study.years}`, `${figure(person.mass_kg)} kg`,
      `${figure(of.activity_mbq)} MBq ${of.radiopharmaceutical}`, WORDS.study.after(duration(of.time_h)),
      ...Object.entries(of.counts).map(([name, n]) => `${name} ${n.toLocaleString("en")} ${TEACHING.counts}`)].join(", "));
    const parts = truthShown
      ? [make("h2", {}, TEACHING.lesions), of.lesions.length ? make("ul", { class: "lesions" }, ...of.lesions.map((one) => lesion(one, true))) : make("p", {}, TEACHING.noLesions),
        of.disturbances.length > 0 && make("h2", {}, TEACHING.disturbances), of.disturbances.length > 0 && make("ul", { class: "lesions" }, ...of.disturbances.map((one) => lesion(one, false))),
        make("p", {}, TEACHING.index(figure(of.bone_scan_index_percent, 2))), make("p", { class: "hint" }, TEACHING.observer)]
      : [];
    told.replaceChildren(make("section", { class: "part" }, facts, ...parts.filter((one) => one instanceof Node)));
    return undefined;
  }

  /** @param {Lesion} one @param {boolean} tint */
  function lesion(one, tint) {
    const patch = make("span", { class: "patch", "aria-hidden": "true" });
    const colour = TINTS[((one.number - 1) % (TINTS.length - 1)) + 1];
    if (tint && colour) patch.style.backgroundColor = `rgb(${colour.join(" ")})`;
    const seen = Object.values(one.snr).some((snr) => snr >= SEEN_FROM);
    const much = one.contrast > 1.05 ? TEACHING.contrast(figure(one.contrast, 2)) : one.contrast < 0.95 ? TEACHING.colder : "";
    return make("li", {}, tint ? patch : "", make("span", {}, one.label, tint && make("span", { class: "hint" }, ` ${[much, Object.keys(one.snr).length ? TEACHING.seen(seen) : ""].filter(Boolean).join("; ")}`)));
  }

  async function haveRead() {
    if (busy || !here?.truth) return;
    busy = true;
    const mine = here;
    try {
      const scan = await followed(await (await ask(`/teaching/scans/${mine.id}/reading`, { method: "POST" })).json());
      step.textContent = scan.state === "failed" ? `${TEACHING.failed}: ${scan.reason}` : TEACHING.ready;
      if (scan.reading) {
        stage.findings = scan.reading.findings;
        stage.overlays.findings = true;
        const list = new FindingsList(scan.reading.findings, (id) => stage.choose(id));
        answer.replaceChildren(impressionPart(scan.reading, ""), list.element, qualityPart(scan.reading));
        stage.changed("findings");
      }
    } catch (error) {
      if (error instanceof Refused && error.status === 404) step.textContent = error.message;
      else say(error);
    }
    busy = false;
    go();
  }
}

show().catch(say);
