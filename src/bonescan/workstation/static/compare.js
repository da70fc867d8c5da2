/**
 * The page of two scans: prior beside current in one count scale, linked, subtracted, in turn, and what changed.
 * @module
 */

import { ChangesList, comparablePart, remarksPart, summaryPart } from "./changes.js";
import { controls } from "./controls.js";
import { button, make } from "./elements.js";
import { Link } from "./linked.js";
import { frame, keyboard, openDialog, say, signedIn, teaching } from "./page.js";
import { PairStage } from "./pair_stage.js";
import { Picture } from "./pictures.js";
import { pairControls } from "./pair_controls.js";
import { compareAgain, comparisonAddress, comparisonFile, comparisonMap, priorsOf } from "./priors.js";
import { counts, readingFile, Refused, study, watch } from "./service.js";
import { regionIds } from "./regions.js";
import { stageCommands } from "./stage_keys.js";
import { figure, personName } from "./telling.js";
import { coursePart } from "./timeline.js";
import { WORDS } from "./words.js";
import { COMPARE } from "./words_compare.js";

/**
 * @typedef {import("./changes.js").Comparison} Comparison
 * @typedef {import("./changes.js").Lesion} Lesion
 * @typedef {import("./pair_stage.js").Pair} Pair
 * @typedef {import("./priors.js").Prior} Prior
 * @typedef {import("./service.js").Study} Study
 */

const [, , wantedCurrent = "", , wantedPrior = ""] = location.pathname.split("/").map(decodeURIComponent);
const asked = new URLSearchParams(location.search);
const AROUND = 36; // points of a circle

async function show() {
  const coming = Promise.all([study(wantedCurrent), priorsOf(wantedCurrent)]);
  coming.catch(() => {});
  const said = await signedIn();
  const masked = said.user.role === "researcher";
  const stage = new PairStage(asked.get("painter"));
  const bar = controls(stage, { tools: ["window", "pan"], layers: [["findings", COMPARE.layers.changes, "f"], ["normal", COMPARE.layers.same, "g"], ["regions", COMPARE.layers.regions, "r"]] });
  const pairBar = pairControls(stage);
  const who = make("div", { class: "who" });
  const banners = make("div", { class: "banners", role: "status" });
  const above = make("div", { class: "above" });
  const scale = make("p", { class: "scale" });
  const readout = make("p", { class: "readout", "aria-live": "off" });
  const panel = make("aside", { class: "panel", tabindex: 0, "aria-busy": "true", "aria-label": COMPARE.summary.title });
  /** @type {ChangesList | null} */
  let list = null;
  /** @type {Comparison | null} */
  let comparison = null;
  /** @type {Prior[]} */
  let priors = [];
  /** @type {Prior | undefined} */
  let prior;
  /** @type {import("./timeline.js").Told[]} */
  let timeline = [];
  let made = "";

  const help = keyboard([{ title: COMPARE.help, commands: commands() }]);
  const { main } = frame({ session: said, here: "study", middle: [who], help });
  main.classList.add("study");
  main.append(make("section", { class: "looking", "aria-label": COMPARE.picture }, make("h1", { class: "unseen" }, COMPARE.title), make("div", { class: "bars" }, pairBar.element, bar.element), above, stage.element, scale, readout), panel);
  panel.append(make("p", { class: "hint" }, COMPARE.opening));

  stage.addEventListener("changed", (event) => {
    const what = /** @type {CustomEvent} */ (event).detail;
    if (what === "pointed" || what === "turn") tellPoint();
    if (what === "pointed" || what === "turn") return;
    if (what === "chosen") list?.show(stage.chosen);
    bar.follow();
    pairBar.follow();
  });

  try {
    const [current, found] = await coming;
    ({ priors, timeline } = found);
    prior = wantedPrior ? priors.find((one) => one.study_uid === wantedPrior) : priors[0];
    tellWho(current);
    if (!prior) {
      const back = make("a", { href: `/study/${encodeURIComponent(wantedCurrent)}` }, COMPARE.back);
      main.classList.remove("study");
      main.replaceChildren(teaching(wantedPrior ? COMPARE.noSuchPrior : COMPARE.noPrior, [COMPARE.noPriorHint], back));
      return;
    }
    await open(current, prior);
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return say(error);
    main.classList.remove("study");
    main.replaceChildren(teaching(WORDS.errors.title, [error instanceof Error ? error.message : String(error)], make("a", { href: "/" }, WORDS.study.back)));
    return;
  }
  panel.setAttribute("aria-busy", "false");
  watch(async (changes) => {
    if (!changes.some((change) => change.study_uid === wantedCurrent || change.study_uid === prior?.study_uid || change.study_uid === "")) return;
    try {
      ({ priors, timeline } = await priorsOf(wantedCurrent));
      prior = priors.find((one) => one.study_uid === prior?.study_uid) ?? prior;
      const there = prior?.comparison?.made_at ?? "";
      if (!comparison && there && there !== made) location.reload();
      tellState();
    } catch (error) {
      say(error);
    }
  });

  /** @param {Study} current @param {Prior} before */
  async function open(current, before) {
    const earlier = await study(before.study_uid);
    made = before.comparison?.made_at ?? "";
    const loading = made ? loadComparison(before.study_uid) : Promise.resolve(null);
    /** @param {Study} from */
    const pictures = (from) => Promise.all(from.views.map(async (one) => new Picture(one, await counts(from.study_uid, one.name))));
    const [now, then] = await Promise.all([pictures(current), pictures(earlier)]);
    comparison = await loading;
    const told = comparison;
    const pairs = await Promise.all(now.flatMap((picture) => {
      const partner = then.find((one) => one.name === picture.name);
      return partner ? [paired(picture, partner, before.study_uid, told?.latest.alignment.views[picture.name]?.scale ?? null)] : [];
    }));
    const single = [...now, ...then].filter((picture) => !pairs.some((pair) => pair.current === picture || pair.prior.name === picture.name));
    /** @param {string} title @param {string} day @param {string} name */
    const titled = (title, day, name) => [`${/** @type {Record<string, string>} */ (WORDS.study.views)[name] ?? name}, ${title}`, day || COMPARE.undated].join("\n");
    for (const one of pairs) {
      one.current.title = titled(COMPARE.current, current.study_date, one.current.name);
      one.prior.title = titled(COMPARE.prior, earlier.study_date, one.prior.name);
      if (one.laid) one.laid.title = one.prior.title;
    }
    for (const picture of single) picture.title = titled(now.includes(picture) ? COMPARE.current : COMPARE.prior, now.includes(picture) ? current.study_date : earlier.study_date, picture.name);
    stage.over.setAttribute("aria-label", COMPARE.pictureLabel(now.map((one) => one.name).join(", ")));
    if (told) stage.findings = drawnLesions(told, pairs);
    stage.showPairs(pairs, single);
    performance.mark("first-picture");
    tellScale();
    tellPanel();
    await Promise.all([[now, wantedCurrent, current.reading?.version], [then, before.study_uid, before.version]].map(([all, uid, version]) =>
      typeof version === "number" ? regions(/** @type {Picture[]} */ (all), String(uid), version) : undefined));
    for (const one of pairs) if (one.laid) one.laid.regions = one.current.regions;
    if (!stage.touched) stage.autoWindow();
    stage.redraw();
  }

  /**
   * One view of both scans; the prior one in the current one's scale once they are compared.
   * @param {Picture} current @param {Picture} before @param {string} uid @param {number | null} factor
   * @returns {Promise<Pair>}
   */
  async function paired(current, before, uid, factor) {
    let prior = before;
    if (factor !== null && factor !== 1) {
      const facts = { name: before.name, rows: before.rows, columns: before.columns, row_spacing_mm: before.rowMm, column_spacing_mm: before.columnMm, largest: before.largest * factor };
      prior = new Picture(facts, { rows: before.rows, columns: before.columns, data: Float32Array.from(before.data, (n) => n * factor) });
    }
    prior.key = `prior ${prior.name}`;
    if (factor === null) return { current, prior, link: new Link(prior, current, null), laid: null, hidden: null, difference: null };
    /** @param {string} kind */
    const map = (kind) => comparisonMap(wantedCurrent, uid, kind, current.name);
    const [carried, difference, row, column] = await Promise.all([map("prior"), map("difference"), map("row"), map("column")]);
    const facts = { name: current.name, rows: current.rows, columns: current.columns, row_spacing_mm: current.rowMm, column_spacing_mm: current.columnMm, largest: prior.largest };
    const hidden = Uint8Array.from(carried.data, (n) => Number(Number.isNaN(n)));
    const laid = new Picture(facts, { ...carried, data: carried.data.map((n) => (Number.isNaN(n) ? 0 : n)) });
    laid.key = `laid ${current.name}`;
    const grid = { rows: row.rows, columns: row.columns, step: row.step, row: row.data, column: column.data };
    return { current, prior, link: new Link(prior, current, grid), laid, hidden, difference: difference.data };
  }

  /** @param {string} uid @returns {Promise<Comparison | null>} */
  async function loadComparison(uid) {
    try {
      return await (await comparisonFile(wantedCurrent, uid, "comparison.json")).json();
    } catch (error) {
      if (error instanceof Refused && error.status === 401) throw error;
      return null;
    }
  }

  /** @param {Picture[]} pictures @param {string} uid @param {number} version */
  async function regions(pictures, uid, version) {
    await Promise.all(pictures.map(async (picture) => {
      try {
        picture.regions = await regionIds(await (await readingFile(uid, version, `regions_${picture.name}.png`)).blob(), picture);
        const scaled = stage.pairs.find((pair) => pair.prior.name === picture.name && uid !== wantedCurrent)?.prior;
        if (scaled) scaled.regions = picture.regions;
      } catch (error) {
        if (!(error instanceof Refused)) throw error; // without regions the page still serves
      }
    }));
  }

  /** @param {Study} current */
  function tellWho(current) {
    const name = personName(current.patient_name);
    document.title = `${COMPARE.title} · ${name} · ${WORDS.product}`;
    who.replaceChildren(make("strong", {}, name), ...[current.sex, current.birth_date, current.patient_id, current.study_date].filter(Boolean).map((fact) => make("span", {}, fact)),
      make("a", { href: `/study/${encodeURIComponent(wantedCurrent)}` }, COMPARE.back));
  }

  /** @param {string} uid */
  function choosePrior(uid) {
    location.assign(`/study/${encodeURIComponent(wantedCurrent)}/compare/${encodeURIComponent(uid)}${location.search}`);
  }

  /** Which scan is the prior one. */
  function choosing() {
    const select = make("select", { "aria-label": COMPARE.which, title: COMPARE.whichHint });
    for (const one of priors) select.append(make("option", { value: one.study_uid, selected: one.study_uid === prior?.study_uid }, COMPARE.priorOf([one.study_date || COMPARE.undated, one.description].filter(Boolean).join(" "), one.signed)));
    select.addEventListener("change", () => choosePrior(select.value));
    return make("label", {}, `${COMPARE.which} `, select);
  }

  function tellScale() {
    const views = Object.entries(comparison?.latest.alignment.views ?? {}).flatMap(([name, one]) => (one.scale === null ? [] : [COMPARE.scale.factor(/** @type {Record<string, string>} */ (WORDS.study.views)[name] ?? name, figure(one.scale))]));
    scale.textContent = views.length ? COMPARE.scale.one(views.join(", ")) : COMPARE.scale.none;
  }

  function tellPanel() {
    pairBar.compared(comparison !== null, choosing());
    const course = coursePart(timeline, { current: wantedCurrent, prior: prior?.study_uid ?? "", compared: comparison?.scans.length ?? 0,
      states: new Map((comparison?.scans ?? []).flatMap((scan) => (scan.study_uid ? [[scan.study_uid, scan.progression.state]] : []))) });
    if (comparison) {
      list = new ChangesList(comparison, (id) => stage.choose(id));
      above.replaceChildren(comparablePart(comparison));
      panel.replaceChildren(banners, reportPart(), summaryPart(comparison), list.element, course, remarksPart(comparison));
    } else panel.replaceChildren(banners, course);
    tellState();
  }

  function tellState() {
    if (!prior) return;
    const words = COMPARE.comparing;
    const state = prior.comparison;
    const told = [];
    const run = (/** @type {string} */ text) => !masked && button(text, async () => {
      try {
        await compareAgain(wantedCurrent, prior?.study_uid ?? "");
        say(words.asked);
      } catch (error) {
        say(error);
      }
    });
    if (prior.differs.length) told.push(make("div", { class: "banner warn" }, `${COMPARE.comparable.names} ${prior.differs.join(", ")} ${COMPARE.comparable.namesHint}`));
    if (!state) told.push(make("div", { class: "banner" }, `${words.none} `, run(words.run)));
    if (state?.state === "waiting") told.push(make("div", { class: "banner" }, words.waiting));
    if (state?.state === "running") told.push(make("div", { class: "banner" }, make("span", { class: "turning", "aria-hidden": "true" }), [words.running, state.progress].filter(Boolean).join(": ")));
    if (state?.state === "failed") told.push(make("div", { class: "banner wrong" }, make("strong", {}, `${words.failed}. `), `${state.reason} `, run(words.again)));
    if (comparison && state && state.made_at !== made) told.push(make("div", { class: "banner" }, `${words.newer} `, make("a", { href: location.href }, words.show)));
    else if (state?.outdated && state.state === "done") told.push(make("div", { class: "banner warn" }, `${words.outdated} `, run(words.again)));
    if (!comparison && state?.made_at) told.push(make("div", { class: "banner warn" }, words.files));
    banners.replaceChildren(...told);
  }

  function reportPart() {
    const uid = prior?.study_uid ?? "";
    return make("div", { class: "report-bar" },
      masked ? make("span", { class: "hint" }, COMPARE.report.hidden) : button(COMPARE.report.open, openReport, { class: "main", title: "o" }),
      !masked && make("a", { class: "button", href: comparisonAddress(wantedCurrent, uid, "comparison.pdf"), download: "comparison.pdf" }, COMPARE.report.pdf));
  }

  function openReport() {
    if (masked || !comparison || !prior) return;
    const page = make("iframe", { class: "report", title: COMPARE.report.title, sandbox: "", src: comparisonAddress(wantedCurrent, prior.study_uid, "comparison.html") });
    openDialog(COMPARE.report.title, [page], "page");
  }

  function tellPoint() {
    const { pointed } = stage;
    const pair = stage.pairOf(pointed?.picture);
    if (!pointed || !pair) {
      readout.textContent = "";
      return;
    }
    const words = COMPARE.readout;
    const place = stage.currentPlace(pointed.picture, pointed.place);
    const before = pair.link.toPrior(place);
    const [now, then] = [pair.current.at(place.row, place.column), pair.prior.at(before.row, before.column)];
    const [i, j] = [Math.round(place.row), Math.round(place.column)];
    const inside = i >= 0 && j >= 0 && i < pair.current.rows && j < pair.current.columns;
    const sd = inside && pair.difference ? (pair.difference[i * pair.current.columns + j] ?? null) : null;
    const factor = comparison?.latest.alignment.views[pair.current.name]?.scale ?? null;
    readout.textContent = [
      /** @type {Record<string, string>} */ (WORDS.study.views)[pair.current.name] ?? pair.current.name,
      now === null ? "" : `${words.current} ${figure(now)} ${WORDS.study.counts}`,
      then === null ? "" : `${words.prior} ${factor === null ? figure(then) : `${figure(then / factor)} (${words.scaled(figure(then))})`}`,
      sd === null || sd === 0 ? "" : `${words.difference} ${sd > 0 ? "+" : "−"}${Math.abs(sd).toFixed(1)} ${COMPARE.pair.sd}`,
      `row ${i}, column ${j}`,
    ].filter(Boolean).join(" · ");
  }

  /** @returns {import("./page.js").Command[]} */
  function commands() {
    const own = COMPARE.keys;
    /** @param {1 | -1} by */
    const other = (by) => () => {
      const next = priors[priors.findIndex((one) => one.study_uid === prior?.study_uid) + by];
      if (next) choosePrior(next.study_uid);
    };
    /** @param {() => void} run */
    const compared = (run) => () => (comparison ? run() : false);
    return [
      ...stageCommands(stage, () => list, { ...own, findings: own.changes, normal: own.same }),
      { keys: ["c"], text: own.subtract, run: compared(() => stage.subtract({ shown: !stage.subtraction.shown })) },
      { keys: ["<"], text: own.lower, run: compared(() => stage.subtract({ threshold: stage.subtraction.threshold - 0.5 })) },
      { keys: [">"], text: own.higher, run: compared(() => stage.subtract({ threshold: stage.subtraction.threshold + 0.5 })) },
      { keys: ["b"], text: own.bone, run: compared(() => stage.subtract({ boneOnly: !stage.subtraction.boneOnly })) },
      { keys: ["k"], text: own.blink, run: compared(() => stage.setBlink(!stage.blink.on)) },
      { keys: [" "], shown: "Space", text: own.flip, run: () => (stage.blink.on ? stage.flip() : false) },
      { keys: [","], text: own.slower, run: () => stage.setSpeed(stage.blink.speed / 1.25) },
      { keys: ["."], text: own.faster, run: () => stage.setSpeed(stage.blink.speed * 1.25) },
      { keys: ["a"], text: own.laid, run: compared(() => stage.layOver(!stage.laidOver)) },
      { keys: ["y"], text: own.older, run: other(1) },
      { keys: ["Y"], text: own.newer, run: other(-1) },
      { keys: ["o"], text: own.report, run: openReport },
      { keys: ["u"], text: own.back, run: () => location.assign(`/study/${encodeURIComponent(wantedCurrent)}`) },
      { keys: ["Escape"], text: own.escape, run: () => { if (stage.blink.on) stage.setBlink(false); else stage.choose(null); } },
    ];
  }
}

/**
 * What is drawn of every lesion: outlines where a reading has one, else a circle about the place. One for each outline.
 * @param {Comparison} comparison
 * @param {Pair[]} pairs
 * @returns {import("./overlay.js").Drawn[]}
 */
function drawnLesions({ latest }, pairs) {
  return [...latest.lesions, ...latest.unmarked].flatMap((lesion) => {
    /** @type {Record<string, {dashed: boolean, polygons: [number, number][][]}>} */
    const found = {};
    for (const pair of pairs) {
      const { name } = pair.current;
      const place = lesion.places[name];
      const circle = place ? [around(pair.current, place)] : [];
      const then = lesion.outlines.prior[name] ?? [];
      /** @param {[number, number][][]} polygons @param {(place: import("./camera.js").Place) => import("./camera.js").Place} by @returns {[number, number][][]} */
      const carried = (polygons, by) => polygons.map((points) => points.map(([row, column]) => {
        const to = by({ row, column });
        return [to.row, to.column];
      }));
      const now = lesion.outlines.current[name] ?? [];
      const dashed = then.length === 0;
      found[pair.current.key] = { dashed: now.length === 0, polygons: now.length ? now : circle };
      found[pair.prior.key] = { dashed, polygons: dashed ? carried(circle, (at) => pair.link.toPrior(at)) : then };
      if (pair.laid) found[pair.laid.key] = { dashed, polygons: dashed ? circle : carried(then, (at) => pair.link.toCurrent(at)) };
    }
    const most = Math.max(0, ...Object.values(found).map(({ polygons }) => polygons.length));
    return Array.from({ length: most }, (_, k) => ({
      id: lesion.id, letter: lesion.letter, kind: "bone", polarity: "hot", style: lesion.style, likely_normal: lesion.style === "same",
      views: Object.fromEntries(Object.entries(found).flatMap(([key, { dashed, polygons }]) => {
        const outline = polygons[k];
        return outline ? [[key, { outline, dashed, peak: middle(outline), area_mm2: outline.length }]] : [];
      })),
    }));
  });
}

/**
 * @param {Picture} picture
 * @param {{row: number, column: number, radius_mm: number}} place
 * @returns {[number, number][]}
 */
function around(picture, { row, column, radius_mm: radius }) {
  return Array.from({ length: AROUND }, (_, k) => {
    const turn = (2 * Math.PI * k) / AROUND;
    return [row + (radius / picture.rowMm) * Math.sin(turn), column + (radius / picture.columnMm) * Math.cos(turn)];
  });
}

/** @param {[number, number][]} outline */
function middle(outline) {
  const sum = outline.reduce(([a, b], [row, column]) => [a + row, b + column], [0, 0]);
  return { row: sum[0] / outline.length, column: sum[1] / outline.length };
}

show().catch(say);
