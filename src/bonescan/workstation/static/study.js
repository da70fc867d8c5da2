/**
 * The reading page: one study, its pictures and what its reading says.
 * @module
 */

import { controls } from "./controls.js";
import { Editing } from "./editing.js";
import { button, make } from "./elements.js";
import { frame, keyboard, openDialog, say, signedIn, teaching } from "./page.js";
import { conclusionPart, FindingsList, impressionPart, MeasuresList, qualityPart } from "./panel.js";
import { Picture } from "./pictures.js";
import { regionIds } from "./regions.js";
import { keepLook, Round } from "./round.js";
import { seriesLinks } from "./series_links.js";
import { counts, readAgain, readingAddress, readingFile, Refused, study, watch } from "./service.js";
import { Sendings } from "./signing.js";
import { Stage } from "./stage.js";
import { stageCommands } from "./stage_keys.js";
import { age, duration, figure, moment, personName } from "./telling.js";
import { WORDS } from "./words.js";
import { COMPARE } from "./words_compare.js";
import { EDITING } from "./words_editing.js";

/** @typedef {import("./panel.js").Reading} Reading */

/**
 * The other pages of a study, each with the address it has for this one; null where it has none.
 * @type {{text: string, page: (study: import("./service.js").Study, reading: Reading | null) => string | null}[]}
 */
export const LINKS = [
  { text: COMPARE.link, page: (of) => (of.priors ? `/study/${encodeURIComponent(of.study_uid)}/compare` : null) },
];

const uid = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const asked = new URLSearchParams(location.search);

async function show() {
  // Everything that does not wait for anything is asked for at once: the first picture is what matters.
  const coming = study(uid);
  coming.catch(() => {});
  const said = await signedIn();
  const masked = said.user.role === "researcher";
  const stage = new Stage(asked.get("painter"));
  keepLook(stage);
  const bar = controls(stage);
  const round = new Round(uid);
  const who = make("div", { class: "who" });
  const banners = make("div", { class: "banners", role: "status" });
  const readout = make("p", { class: "readout", "aria-live": "off" });
  const panel = make("aside", { class: "panel", tabindex: 0, "aria-busy": "true", "aria-label": WORDS.impression.title });
  const measures = new MeasuresList({
    remove: (id) => stage.removeMeasure(id),
    mirror: (id) => stage.mirror(id),
    clear: () => {
      stage.measures = [];
      stage.changed("measures");
    },
  });
  /** @type {FindingsList | null} */
  let findings = null;
  /** @type {Reading | null} */
  let reading = null;
  /** @type {import("./service.js").Study | null} */
  let here = null;
  /** @type {number | null} */
  let version = null;
  /** @type {import("./panel.js").Concluded | null} */
  let concluded = null;

  const editing = said.user.role === "physician" ? new Editing({
    stage, uid, me: said.user.name, byPassword: said.by_password !== false, study: () => here, shown: () => (reading && version !== null ? { reading, version } : null), render,
  }) : null;
  /** @type {Sendings | null} */
  let sent = null;

  const help = keyboard([...(editing ? [{ title: EDITING.keys.title, commands: editing.commands() }] : []), { title: WORDS.help_.onStudy, commands: commands() }],
    [make("section", {}, make("h3", {}, WORDS.help_.mouse), make("dl", { class: "hands" }, ...WORDS.help_.mouseLines.flatMap(([what, does]) => [make("dt", {}, what), make("dd", {}, does)])))]);
  const { main } = frame({ session: said, here: "study", middle: [round.element, who], help });
  main.classList.add("study");
  const looking = make("section", { class: "looking", "aria-label": WORDS.study.picture }, make("h1", { class: "unseen" }, WORDS.study.picture), bar.element, ...(editing ? [editing.bar] : []), stage.element, readout);
  round.show().catch(say);
  panel.append(make("p", { class: "hint" }, WORDS.study.opening));
  main.append(looking, panel);

  stage.addEventListener("changed", (event) => {
    const what = /** @type {CustomEvent} */ (event).detail;
    if (what === "pointed") return tellPoint();
    if (what === "measures") measures.show(stage.measures);
    if (what === "chosen") findings?.show(stage.chosen);
    bar.follow();
    if (what === "tool") tellPoint();
  });

  function tellPoint() {
    const { pointed } = stage;
    if (!pointed) {
      readout.textContent = stage.aiming ? WORDS.tools.keyboardMeasure : "";
      return;
    }
    const { picture, place } = pointed;
    const n = picture.at(place.row, place.column);
    const view = /** @type {Record<string, string>} */ (WORDS.study.views)[picture.name] ?? picture.name;
    const region = reading?.labels.regions.find((one) => one.id === picture.regionAt(place.row, place.column))?.name;
    readout.textContent = n === null ? view
      : [view, `${figure(n)} ${WORDS.study.counts}`, region, `row ${Math.round(place.row)}, column ${Math.round(place.column)}`].filter(Boolean).join(" · ");
  }

  try {
    here = await coming;
    tellWho();
    const facts = here;
    if (!facts.views.length) stage.element.append(make("p", { class: "nothing" }, WORDS.study.empty));
    const wanted = Number(asked.get("version"));
    version = facts.versions.some((one) => one.version === wanted) ? wanted : (facts.reading?.version ?? facts.versions.at(-1)?.version ?? null);
    const pictures = Promise.all(facts.views.map(async (one) => new Picture(one, await counts(uid, one.name))));
    const read = version === null ? Promise.resolve() : loadReading(facts, version);
    read.catch(() => {});
    const made = await pictures;
    stage.over.setAttribute("aria-label", WORDS.study.pictureLabel(made.map((one) => one.name).join(", ")));
    stage.show(made);
    performance.mark("first-picture");
    await read;
    await regions(made);
    void seriesLinks(uid, [bar.element, ...stage.element.querySelectorAll(".nothing")]);
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return say(error);
    main.replaceChildren(teaching(WORDS.errors.title, [error instanceof Error ? error.message : String(error)], make("a", { href: "/" }, WORDS.study.back)));
    return;
  }
  tellState();
  if (asked.has("edit") && editing && here.draft_by === said.user.name) {
    if (asked.get("edit") === "report") editing.tab = "report";
    await editing.begin();
  }
  panel.setAttribute("aria-busy", "false");
  if (!reading) panel.replaceChildren(banners, make("p", { class: "hint" }, here.state === "slices" ? WORDS.study.noReadingOfSlices : version === null ? WORDS.study.noReading : WORDS.study.noReadingFiles), measures.element);
  watch(async (changes) => {
    if (!changes.some((change) => change.study_uid === uid || change.study_uid === "")) return;
    try {
      const now = await study(uid);
      const first = here !== null && version === null && now.reading !== null;
      const more = here !== null && now.views.length !== here.views.length;
      here = now;
      if ((first || more) && !editing?.active) location.reload();
      else tellState();
      void sent?.show();
      if (editing?.active) void editing.draft.refresh();
    } catch (error) {
      say(error);
    }
  });

  /** @param {import("./service.js").Study} facts @param {number} number */
  async function loadReading(facts, number) {
    try {
      reading = /** @type {Reading} */ (await (await readingFile(uid, number, "reading.json")).json());
    } catch (error) {
      if (error instanceof Refused && error.status === 401) throw error;
      return;
    }
    const shown = facts.versions.find((one) => one.version === number);
    sent = shown?.signed && !masked ? new Sendings(uid, number, true) : null;
    if (shown?.signed && !masked) concluded = await physiciansWords(uid, number);
    render();
    tellWho();
    if (!stage.touched && stage.pictures.length) stage.autoWindow();
    stage.redraw();
  }

  /** The panel and the outlines, as they are now: of the reading, or of the draft of who edits. */
  function render() {
    const now = editing?.reading ?? reading;
    if (!now || version === null) return;
    const number = version;
    const writing = editing?.active && editing.tab === "report";
    const keep = panel.contains(document.activeElement) ? document.activeElement?.getAttribute("data-keep") : null;
    const typed = document.activeElement instanceof HTMLInputElement ? document.activeElement.value : null;
    const { scrollTop } = panel;
    const anchor = panel.querySelector(".rows > li.chosen")?.getBoundingClientRect().top;
    stage.findings = now.findings;
    if (!now.findings.some((one) => one.id === stage.chosen)) stage.chosen = null;
    const open = new Set([...panel.querySelectorAll("details[open] > summary")].map((one) => one.textContent?.replace(/ *[(]\d+[)]/, "")));
    const known = findings !== null;
    findings = new FindingsList(now.findings, (id) => stage.choose(id), editing?.active ? (one) => editing.decidingPart(one) : null);
    const signed = here?.versions.find((one) => one.version === number);
    const by = !editing?.active && signed?.signed ? WORDS.impression.signed : "";
    main.classList.toggle("writing", Boolean(writing));
    if (editing?.active && writing) panel.replaceChildren(editing.fillHead(), banners, editing.report.element);
    else if (editing?.active) {
      panel.replaceChildren(editing.fillHead(), banners, editing.changesPart(), impressionPart(now, "", editing.base), findings.element, qualityPart(now), measures.element);
    } else panel.replaceChildren(banners, ...reportPart(number), ...(concluded ? [conclusionPart(concluded)] : []), impressionPart(now, by), findings.element, ...(sent ? [sent.element] : []), qualityPart(now), measures.element);
    if (known) for (const one of panel.querySelectorAll("details")) if (open.has(one.querySelector("summary")?.textContent?.replace(/ *[(]\d+[)]/, "") ?? "")) one.open = true;
    findings.show(stage.chosen, false);
    panel.scrollTop = scrollTop;
    const moved = panel.querySelector(".rows > li.chosen")?.getBoundingClientRect().top;
    if (anchor !== undefined && moved !== undefined) panel.scrollTop += moved - anchor; // what is worked on stays where it is
    const kept = keep ? panel.querySelector(`[data-keep="${CSS.escape(keep)}"]`) : null;
    if (kept instanceof HTMLElement) kept.focus({ preventScroll: true });
    if (kept instanceof HTMLInputElement && typed !== null && typed !== kept.value) {
      kept.value = typed; // somebody is typing while an answer comes
      kept.dispatchEvent(new Event("input"));
    }
    tellState();
    stage.changed("findings");
  }

  /** @param {import("./service.js").Version} one */
  function signedBy(one) {
    const by = one.signed_by ? EDITING.signing.by(masked ? "" : one.signed_by, moment(one.signed_at ?? one.read_at)) : WORDS.impression.signed;
    return one.amends ? `${by}; ${EDITING.signing.amends(one.amends)}` : by;
  }

  /** @param {Picture[]} pictures */
  async function regions(pictures) {
    if (!reading || version === null) return;
    const number = version;
    await Promise.all(pictures.map(async (picture) => {
      try {
        picture.regions = await regionIds(await (await readingFile(uid, number, `regions_${picture.name}.png`)).blob(), picture);
      } catch (error) {
        if (!(error instanceof Refused)) throw error; // without regions the page still serves
      }
    }));
    if (!stage.touched) stage.autoWindow();
    stage.redraw();
  }

  function tellWho() {
    if (!here) return;
    const patient = reading?.scan.patient;
    const years = age(here.birth_date, here.study_date) ?? (patient?.age_years === undefined || patient.age_years === null ? null : Math.round(patient.age_years));
    const injection = reading?.scan.injection;
    const facts = [
      [here.sex, years === null ? "" : `${years} ${WORDS.study.years}`].filter(Boolean).join(" "),
      here.birth_date, here.patient_id,
      [here.study_date, here.study_time.slice(0, 5)].filter(Boolean).join(" "),
      here.description,
      [injection?.radiopharmaceutical, injection?.activity_mbq ? `${figure(injection.activity_mbq)} MBq` : "",
        reading?.scan.delay_h ? WORDS.study.after(duration(reading.scan.delay_h)) : ""].filter(Boolean).join(", "),
    ].filter(Boolean);
    const name = personName(here.patient_name);
    document.title = `${name} · ${WORDS.product}`;
    who.replaceChildren(make("strong", {}, name), ...facts.map((fact) => make("span", {}, fact)));
  }

  function tellState() {
    if (!here) return;
    const told = [];
    const state = here.state;
    const again = () => button(WORDS.study.readAgain, async () => {
      try {
        await readAgain(uid);
        say(WORDS.study.asked);
      } catch (error) {
        say(error);
      }
    });
    if (state === "slices") told.push(make("div", { class: "banner" }, `${here.reason} `, make("a", { class: "button", href: `/study/${encodeURIComponent(uid)}/volume` }, WORDS.study.slices)));
    if (state === "failed") told.push(make("div", { class: "banner wrong" }, make("strong", {}, `${WORDS.study.failed}. `), here.reason, !masked && again()));
    if (state === "reading") told.push(make("div", { class: "banner" }, make("span", { class: "turning", "aria-hidden": "true" }), `${WORDS.study.reading}: ${here.progress}`));
    if (state === "queued") told.push(make("div", { class: "banner" }, WORDS.study.queued));
    if (state === "arriving") told.push(make("div", { class: "banner" }, WORDS.study.arriving));
    if (here.signing?.state === "failed") told.push(make("div", { class: "banner wrong" }, make("strong", {}, `${EDITING.signing.failed}: `), here.signing.reason));
    else if (here.signing) told.push(make("div", { class: "banner" }, make("span", { class: "turning", "aria-hidden": "true" }), EDITING.signing.banner));
    if (editing && !editing.active && here.draft_by) {
      const mine = here.draft_by === said.user.name;
      told.push(make("div", { class: "banner" }, mine ? EDITING.taken.mine : EDITING.taken.banner(here.draft_by), mine && reading && button(EDITING.taken.go, () => editing.begin())));
    }
    if (here.reading && version !== null && here.reading.version > version) {
      told.push(make("div", { class: "banner" }, `${WORDS.study.newer} `, make("a", { href: location.pathname }, WORDS.study.showNewest)));
    } else if (here.reading?.outdated && state === "read") told.push(make("div", { class: "banner warn" }, `${WORDS.study.outdated} `, !masked && again()));
    banners.replaceChildren(...told);
  }

  /** @param {number} number */
  function reportPart(number) {
    const versions = here?.versions ?? [];
    const select = make("select", { "aria-label": WORDS.study.version });
    for (const one of versions) select.append(make("option", { value: one.version, selected: one.version === number }, WORDS.study.versionOf(one.version, moment(one.read_at)) + (one.signed ? `, ${WORDS.impression.signed.toLowerCase()}` : "")));
    select.addEventListener("change", () => location.assign(`${location.pathname}?version=${select.value}`));
    const one = versions.find((each) => each.version === number);
    const newest = versions.every((each) => each.version <= number);
    const facts = here;
    const links = facts ? LINKS.map(({ text, page }) => [text, page(facts, reading)]).filter(([, to]) => to) : [];
    return [make("div", { class: "report-bar" },
      masked ? make("span", { class: "hint" }, WORDS.report.hidden) : button(WORDS.report.open, openReport, { class: editing && newest ? "" : "main", title: "o" }),
      !masked && make("a", { class: "button", href: readingAddress(uid, number, "report.pdf"), download: "report.pdf" }, WORDS.report.pdf),
      editing && newest && button(one?.signed ? EDITING.amend : EDITING.edit, () => editing.begin(), { class: "main", title: one?.signed ? EDITING.amendHint : EDITING.editHint, "data-keep": "edit" }),
      versions.length > 1 && select),
    ...(one?.signed ? [make("p", { class: "signed-by" }, signedBy(one))] : []),
    ...(links.length ? [make("nav", { class: "report-bar", "aria-label": WORDS.study.more }, ...links.map(([text, to]) => make("a", { class: "button", href: to }, text)))] : [])];
  }

  function openReport() {
    if (masked || version === null || !reading) return;
    const page = make("iframe", { class: "report", title: WORDS.report.title, sandbox: "", src: readingAddress(uid, version, "report.html") });
    openDialog(WORDS.report.title, [page], "page");
  }

  /** @returns {import("./page.js").Command[]} */
  function commands() {
    const keys = WORDS.keys;
    return [
      ...stageCommands(stage, () => findings, { ...keys, move: keys.panKeys }),
      { keys: ["d"], text: keys.distance, run: () => stage.setTool("distance") },
      { keys: ["e"], text: keys.ellipse, run: () => stage.setTool("ellipse") },
      { keys: ["b"], text: keys.box, run: () => stage.setTool("box") },
      { keys: ["x"], text: keys.cross, run: () => (stage.aiming ? stage.otherView() : false) },
      { keys: ["Enter"], text: keys.set, run: () => (stage.aiming && stage.crossing ? stage.setPoint() : false) },
      { keys: ["D"], shown: "Shift+D", text: keys.remove, run: () => { const last = stage.measures.at(-1); if (last) stage.removeMeasure(last.id); } },
      { keys: ["o"], text: keys.report, run: openReport },
      { keys: ["N"], shown: "Shift+N", text: WORDS.round.next, run: () => round.go(1) },
      { keys: ["P"], shown: "Shift+P", text: WORDS.round.previous, run: () => round.go(-1) },
      { keys: ["u"], text: keys.back, run: () => location.assign("/") },
      { keys: ["Escape"], text: keys.escape, run: () => {
        if (editing?.sketch.escape()) return;
        if (stage.drawing || stage.aiming) stage.setTool("window");
        else stage.choose(null);
      } },
    ];
  }
}

/**
 * What the physician who signed a reading concluded.
 * @param {string} study
 * @param {number} number
 * @returns {Promise<import("./panel.js").Concluded | null>}
 */
async function physiciansWords(study, number) {
  try {
    const { words } = await (await readingFile(study, number, "words.json")).json();
    return { text: words["interpretation.text"] ?? "", recommended: words["interpretation.recommendation"] ?? "" };
  } catch (error) {
    if (error instanceof Refused && error.status !== 401) return null; // the signed report has them all the same
    throw error;
  }
}

show().catch(say);
