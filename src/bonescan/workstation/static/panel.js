/**
 * Beside the picture: impression, quality, findings and measurements of a reading.
 * @module
 */

import { figures } from "./differences.js";
import { button, make } from "./elements.js";
import { distanceMm, inside, ratio } from "./measuring.js";
import { styleOf } from "./overlay.js";
import { figure, index, percent } from "./telling.js";
import { WORDS } from "./words.js";
import { EDITING } from "./words_editing.js";

/**
 * @typedef {import("./overlay.js").Finding} Finding
 * @typedef {import("./measuring.js").Measure} Measure
 * @typedef {{code: string, verdict: string, text: string}} Check
 * @typedef {{scan: {patient: {age_years: number | null}, delay_h: number | null, injection: {radiopharmaceutical: string | null,
 *   activity_mbq: number | null} | null}, impression: {sentences: string[], metastatic: number | null,
 *   metastatic_absent_reason: string, advice: string[], abstains: string[]} | null,
 *   familiarity: {familiar: boolean, reasons: string[]} | null,
 *   labels: {trusted: boolean, regions: {id: number, name: string}[]}, findings: Finding[],
 *   burden: {bone_scan_index_percent: number | null, uncertainty: number | null, bone_scan_index_absent_reason: string,
 *   hot_spot_count: number | null} | null,
 *   quality: {checks: Check[]} | null, remarks: {text: string, severity: string}[],
 *   revision?: {of_version: number, by: string} | null}} Reading What the pages use of reading.json.
 */

const LARGEST_DEPTH_SPREAD_MM = 50; // as the report has it

/**
 * @param {string} title
 * @param {string} kind
 * @param {...import("./elements.js").Child} content
 */
export function part(title, kind, ...content) {
  return make("section", { class: `part ${kind}`, "aria-label": title }, make("h2", {}, title), ...content);
}

/** @param {readonly string[]} lines @param {string} [kind] */
function listed(lines, kind = "") {
  return make("ul", { class: kind }, ...lines.map((line) => make("li", {}, line)));
}

/** @typedef {{text: string, recommended: string}} Concluded */

/**
 * What a physician has signed, before all that the software says.
 * @param {Concluded} concluded
 * @returns {HTMLElement}
 */
export function conclusionPart({ text, recommended }) {
  const words = WORDS.impression;
  return part(
    words.concluded,
    "concluded",
    ...text.split("\n").filter(Boolean).map((line) => make("p", { class: "said" }, line)),
    recommended ? make("p", {}, make("strong", {}, `${words.recommended}: `), recommended) : null,
    make("p", { class: "hint" }, `${words.beside}:`),
  );
}

/**
 * What the whole scan amounts to.
 * @param {Reading} reading
 * @param {string} signed By whom and when; empty where nobody has.
 * @param {Reading | null} [before] What a draft began from: what differs from it is marked.
 * @returns {HTMLElement}
 */
export function impressionPart(reading, signed, before = null) {
  const { impression, burden } = reading;
  const words = WORDS.impression;
  const value = impression?.metastatic ?? null;
  const bsi = burden?.bone_scan_index_percent ?? null;
  const spread = burden?.uncertainty ?? null;
  const old = before && figures(before);
  const now = figures(reading);
  /** @param {keyof typeof now} what @param {string} told @param {string} [kind] */
  const changed = (what, told, kind = "") => (old && old[what] !== now[what]
    ? [make("del", {}, old[what]), ` ${EDITING.changes.arrow} `, make("ins", { class: kind }, told)] : [make("strong", { class: kind }, told)]);
  /** @param {string} title @param {import("./elements.js").Child[]} told @param {...import("./elements.js").Child} note */
  const number = (title, told, ...note) => make("div", { class: "key" }, make("dt", {}, title), make("dd", {}, ...told, make("span", { class: "hint" }, " ", ...note)));
  const sentences = impression?.sentences ?? [];
  const said = before?.impression?.sentences ?? null;
  const gone = said?.filter((text) => !sentences.includes(text)) ?? [];
  return part(
    words.title,
    "impression",
    make("ul", { class: "sentences" }, ...sentences.map((text) => make("li", {}, text, said && !said.includes(text) && make("span", { class: "pill" }, EDITING.changes.newSentence)))),
    gone.length ? make("details", {}, make("summary", {}, `${EDITING.changes.gone} (${gone.length})`), listed(gone)) : null,
    make("dl", { class: "figures" },
      number(words.metastases, changed("metastases", now.metastases, value !== null && value >= 0.5 ? "high" : ""), value === null ? impression?.metastatic_absent_reason : ""),
      number(words.index, changed("index", bsi === null ? words.withheld : index(bsi) + (spread === null ? "" : ` ± ${figure(spread, 2)}`)),
        ...(bsi === null ? [burden?.bone_scan_index_absent_reason] : [...(old && old.hotSpots !== now.hotSpots ? changed("hotSpots", now.hotSpots) : [now.hotSpots]), ` ${now.hotSpots === "1" ? words.hotSpot : words.hotSpots}`]))),
    impression?.advice.length ? make("details", { open: true }, make("summary", {}, words.advice), listed(impression.advice)) : null,
    impression?.abstains.length ? make("details", {}, make("summary", {}, `${words.abstains} (${impression.abstains.length})`), listed(impression.abstains)) : null,
    make("p", { class: "hint" }, `${signed || words.unsigned}. ${words.basisText}`,
      reading.findings.some((one) => one.judged_by === "physician") && ` ${words.basisPhysician}`),
  );
}

/**
 * What to distrust.
 * @param {Reading} reading
 * @returns {HTMLElement}
 */
export function qualityPart(reading) {
  const words = WORDS.quality;
  const checks = reading.quality?.checks ?? [];
  const of = (/** @type {string} */ verdict) => checks.filter((check) => check.verdict === verdict);
  const warnings = [
    ...(reading.labels.trusted ? [] : [words.untrusted]),
    ...(reading.familiarity && !reading.familiarity.familiar ? [[words.unfamiliar, ...reading.familiarity.reasons].join(" ")] : []),
  ];
  const unknown = of("unknown");
  const remarks = reading.remarks.map((remark) => remark.text);
  return part(
    words.title,
    "quality",
    make("ul", { class: "warnings" },
      ...warnings.map((text) => make("li", { class: "withhold" }, text)),
      ...of("withhold").map((check) => make("li", { class: "withhold" }, make("strong", {}, `${words.withhold}: `), check.text)),
      ...of("warn").map((check) => make("li", { class: "warn" }, make("strong", {}, `${words.warn}: `), check.text))),
    make("p", { class: "hint" }, words.fine(of("pass").length, checks.length)),
    unknown.length ? make("details", {}, make("summary", {}, `${unknown.length} ${words.unknownCount}`), listed(unknown.map((check) => check.text))) : null,
    remarks.length ? make("details", {}, make("summary", {}, `${words.remarks} (${remarks.length})`), listed(remarks)) : null,
  );
}

/**
 * The likeliest nature.
 * @param {Finding} finding
 * @returns {string}
 */
function nature(finding) {
  const decided = finding.judged_by === "physician"; // nobody's decision is a probability
  if (finding.kind !== "bone") {
    const share = finding.natures[finding.kind];
    return share === undefined || decided ? finding.kind : `${finding.kind} ${percent(share)}`;
  }
  const [first] = Object.entries(finding.natures).sort((a, b) => b[1] - a[1]);
  if (!first) return WORDS.findings.natureAbsent;
  return decided ? first[0] : `${first[0]} ${percent(first[1])}`;
}

/** The list of findings, linked to the picture both ways. */
export class FindingsList {
  /**
   * @param {Finding[]} findings
   * @param {(id: number | null) => void} choose
   * @param {((finding: Finding) => Node) | null} [deciding] Where a physician decides about the chosen one.
   */
  constructor(findings, choose, deciding = null) {
    this.choose = choose;
    this.deciding = deciding;
    /** @type {Map<number, {row: HTMLElement, button: HTMLButtonElement, finding: Finding}>} */
    this.rows = new Map();
    const words = WORDS.findings;
    const bone = findings.filter((one) => one.kind === "bone");
    const groups = [
      { title: words.suspicious, of: bone.filter((one) => !one.likely_normal), open: true },
      { title: words.normal, of: bone.filter((one) => one.likely_normal), open: false },
      { title: words.others, of: findings.filter((one) => one.kind !== "bone"), open: false },
    ];
    this.order = groups.flatMap((group) => group.of.map((one) => one.id));
    this.element = part(
      words.title,
      "findings",
      make("p", { class: "hint keys-hint" }, words.keys),
      ...groups.filter((group, k) => k === 0 || group.of.length).map((group) =>
        make("details", { open: group.open }, make("summary", {}, `${group.title} (${group.of.length})`),
          group.of.length ? make("ul", { class: "rows" }, ...group.of.map((one) => this.row(one))) : make("p", {}, words.none))),
    );
  }

  /** @param {Finding} finding */
  row(finding) {
    const toggle = make(
      "button",
      { type: "button", "aria-expanded": "false", "data-keep": `finding-${finding.id}`, click: () => this.choose(toggle.getAttribute("aria-expanded") === "true" ? null : finding.id) },
      make("span", { class: `letter ${styleOf(finding)}` }, finding.letter),
      make("span", { class: "place" }, finding.place, finding.polarity === "cold" && make("span", { class: "hint" }, ` (${WORDS.findings.cold})`)),
      make("span", { class: "ratio" }, finding.uptake_ratio === null ? WORDS.absent : `${finding.uptake_ratio.toFixed(1)} ×`),
      make("span", { class: "nature" }, nature(finding), physicianMark(finding)),
    );
    const row = make("li", { "data-finding": finding.id }, toggle);
    this.rows.set(finding.id, { row, button: toggle, finding });
    return row;
  }

  /**
   * Show which one is chosen.
   * @param {number | null} id
   * @param {boolean} [led] Whether it is brought into sight.
   */
  show(id, led = true) {
    for (const [key, { row, button: toggle, finding }] of this.rows) {
      const chosen = key === id;
      if ((toggle.getAttribute("aria-expanded") === "true") === chosen) continue;
      toggle.setAttribute("aria-expanded", String(chosen));
      row.classList.toggle("chosen", chosen);
      row.querySelector(".detail")?.remove();
      if (!chosen) continue;
      row.append(make("div", { class: "detail" }, this.deciding?.(finding), ...detail(finding)));
      const group = row.closest("details");
      if (group) group.open = true;
      if (!led) continue;
      row.scrollIntoView({ block: "nearest" });
      toggle.scrollIntoView({ block: "nearest" }); // the name first, where all does not fit
    }
  }

  /**
   * The one after or before in the list.
   * @param {number | null} id
   * @param {1 | -1} by
   * @returns {number | null}
   */
  beside(id, by) {
    const at = id === null ? (by > 0 ? -1 : this.order.length) : this.order.indexOf(id);
    return this.order[(at + by + this.order.length) % this.order.length] ?? null;
  }
}

/**
 * What says that a physician has decided what this is, or only drawn it: then the reader still judges.
 * @param {Finding} finding
 * @returns {HTMLElement | null}
 */
function physicianMark(finding) {
  if (finding.judged_by === "physician") return make("span", { class: "pill", title: EDITING.physicianHint }, WORDS.impression.byPhysician);
  if (finding.drawn_by === "physician") return make("span", { class: "pill", title: EDITING.drawnHint }, EDITING.drawn);
  return null;
}

/**
 * How deep it lies, counted from the skin of the back; one that is told to half a trunk's thickness tells nothing.
 * @param {Finding} finding
 */
function depthOf({ depth_mm: depth, depth_uncertainty: spread, depth_absent_reason: reason }) {
  const words = WORDS.findings;
  if (depth === null) return reason ? words.depthAbsent(reason) : WORDS.absent;
  if (spread !== null && spread > LARGEST_DEPTH_SPREAD_MM) return words.depthAbsent(words.depthVague(LARGEST_DEPTH_SPREAD_MM / 10));
  return words.depthTold(`${Math.round(depth / 10)}${spread === null ? "" : ` ± ${Math.round(spread / 10)}`}`);
}

/** @param {Finding} finding */
function detail(finding) {
  const words = WORDS.findings;
  const views = /** @type {Record<string, string>} */ (WORDS.study.views);
  /** @type {[string, string][]} */
  const facts = [];
  if (finding.uptake_ratio !== null) facts.push([words.uptake, `${finding.uptake_ratio.toFixed(1)} ${words.times}, ${words.reference} ${finding.uptake_reference}`]);
  if (finding.significance !== null) facts.push([words.significance, `${figure(finding.significance, 2)} ${words.sd}`]);
  facts.push([words.seenIn, Object.entries(finding.views).map(([name, seen]) => `${(views[name] ?? name).toLowerCase()} (${figure(seen.area_mm2 / 100, 2)} cm²)`).join(", ")]);
  facts.push([words.depth, depthOf(finding)]);
  if (finding.mass_share_percent !== null) facts.push([words.mass, `${figure(finding.mass_share_percent, 2)} %, ${finding.in_burden ? words.inBurden : words.notInBurden}`]);
  const natures = Object.entries(finding.natures).sort((a, b) => b[1] - a[1]).filter(([, share]) => share >= 0.005);
  /** @param {number} sign */
  const evidence = (sign) => finding.evidence.filter((one) => Math.sign(one.weight) === sign).sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  /** @param {string} title @param {import("./overlay.js").Evidence[]} all */
  const told = (title, all) => all.length ? make("div", {}, make("h3", {}, title), make("ul", { class: "evidence" }, ...all.map((one) =>
    make("li", {}, make("span", { class: "weight", title: words.weight }, `${one.weight > 0 ? "+" : "−"}${Math.abs(one.weight).toFixed(1)}`),
      make("span", {}, one.text))))) : null;
  return [
    natures.length && finding.judged_by !== "physician" ? make("div", {}, make("h3", {}, words.natures), make("dl", { class: "natures" }, ...natures.flatMap(([name, share]) => {
      const bar = make("span", { class: "share" });
      bar.style.inlineSize = `${100 * share}%`;
      return [make("dt", {}, name), make("dd", {}, make("span", { class: "track" }, bar), make("span", { class: "number" }, percent(share)))];
    }))) : null,
    make("dl", { class: "facts" }, ...facts.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)])),
    told(words.for, evidence(1)),
    told(words.against, evidence(-1)),
    finding.reason && make("p", {}, make("strong", {}, `${words.reason}: `), finding.reason),
  ];
}

/** The list of measurements. */
export class MeasuresList {
  /** @param {{remove: (id: number) => void, mirror: (id: number) => void, clear: () => void}} can */
  constructor(can) {
    this.can = can;
    this.body = make("div");
    this.element = part(WORDS.measures.title, "measures", this.body);
    this.show([]);
  }

  /** @param {Measure[]} measures */
  show(measures) {
    const words = WORDS.measures;
    if (!measures.length) return this.body.replaceChildren(make("p", { class: "hint" }, words.none));
    const rows = measures.map((one) => {
      const view = /** @type {Record<string, string>} */ (WORDS.study.views)[one.picture.name] ?? one.picture.name;
      const lines = [];
      if (one.kind === "distance") lines.push(`${figure(distanceMm(one))} mm`);
      else {
        const first = inside(one.picture, one.kind, one.from, one.to);
        lines.push(told(first));
        if (one.mate) {
          const second = inside(one.picture, one.kind, one.mate.from, one.mate.to);
          const r = ratio(first, second);
          lines.push(`′ ${told(second)}`, `${words.ratio}: ${r ? `${r.ratio.toFixed(2)} ± ${r.spread.toFixed(2)}` : words.ratioAbsent}`);
        }
      }
      return make("li", {}, make("strong", {}, `${one.id} ${words[one.kind]}, ${view.toLowerCase()}`), ...lines.map((line) => make("p", {}, line)),
        make("div", { class: "actions" },
          one.kind !== "distance" && button(one.mate ? words.unmirror : words.mirror, () => this.can.mirror(one.id), { title: words.mirrorHint }),
          button(words.remove, () => this.can.remove(one.id), { "aria-label": `${words.remove} ${one.id}` })));
    });
    this.body.replaceChildren(make("ul", { class: "rows" }, ...rows), button(words.clear, this.can.clear), make("p", { class: "hint" }, words.limits));
  }
}

/** @param {import("./measuring.js").Inside} of */
function told(of) {
  return WORDS.measures.told({ counts: Math.round(of.counts).toLocaleString("en"), mean: figure(of.mean), largest: figure(of.largest), area: figure(of.areaMm2 / 100), pixels: of.pixels });
}
