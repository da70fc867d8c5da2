/**
 * The worklist: what has come, how far it is, and what its reading says; it follows the workstation by itself.
 * @module
 */

import { button, make } from "./elements.js";
import { frame, keyboard, say, signedIn, teaching } from "./page.js";
import { addressOf, keepRound } from "./round.js";
import { Refused, studies, study, watch } from "./service.js";
import { age, index, moment, percent, personName } from "./telling.js";
import { WORDS } from "./words.js";
import { EDITING } from "./words_editing.js";

/** @typedef {import("./service.js").ListedStudy} ListedStudy */

const PAUSE_MS = 200;

async function show() {
  const said = await signedIn();
  const masked = said.user.role === "researcher";
  const search = make("input", { type: "search", id: "search", "aria-label": masked ? WORDS.list.searchMasked : WORDS.list.search,
    placeholder: masked ? WORDS.list.searchMasked : WORDS.list.search, autocomplete: "off", spellcheck: "false" });
  const state = make("select", { id: "state", "aria-label": WORDS.list.show });
  for (const [value, text] of WORDS.list.states) state.append(make("option", { value }, text ?? ""));
  const count = make("p", { class: "hint count", role: "status" }, WORDS.list.busy);
  const lost = make("p", { class: "lost", role: "alert" });
  const body = make("tbody");
  const hints = /** @type {Record<string, string>} */ (WORDS.list.columnHints);
  const table = make(
    "table",
    { class: "worklist" },
    make("caption", { class: "unseen" }, WORDS.list.caption),
    make("thead", {}, make("tr", {}, ...WORDS.list.columns.map((text) => make("th", { scope: "col", title: hints[text], class: WORDS.list.numbers.includes(text) ? "right" : null }, text)))),
    body,
  );
  const below = make("div", { class: "below" });
  const scroll = make("div", { class: "scroll" }, table);

  /** @type {AbortController} */
  let asking = new AbortController();
  /** @type {string | null} */
  let next = null;
  /** @type {Map<string, ListedStudy>} */
  const shown = new Map();

  /** @param {boolean} more */
  async function load(more) {
    asking.abort();
    const mine = (asking = new AbortController());
    try {
      const page = await studies({ search: search.value.trim(), state: state.value, after: more && next ? next : "" }, mine.signal);
      if (!more) shown.clear();
      for (const one of page.studies) shown.set(one.study_uid, one);
      next = page.next;
      fill();
    } catch (error) {
      if (mine.signal.aborted) return;
      if (error instanceof Refused && error.status === 401) return say(error);
      scroll.hidden = true;
      count.textContent = "";
      below.replaceChildren(teaching(WORDS.list.failedTitle, [error instanceof Error ? error.message : String(error)],
        button(WORDS.errors.again, () => load(false), { class: "main" })));
    }
  }

  function fill() {
    const focused = document.activeElement?.closest("tr")?.dataset.uid;
    body.replaceChildren(...[...shown.values()].map(line));
    if (focused) linkOf(focused)?.focus({ preventScroll: true });
    keepRound(shown.values());
    count.textContent = WORDS.list.count(shown.size, next === null);
    scroll.hidden = shown.size === 0;
    const chosen = search.value.trim() !== "" || state.value !== "";
    below.replaceChildren();
    if (shown.size === 0 && chosen) {
      below.append(teaching(WORDS.list.noMatchTitle, [WORDS.list.noMatch], button(WORDS.list.lift, () => {
        search.value = state.value = "";
        search.focus();
        load(false);
      })));
    } else if (shown.size === 0) below.append(teaching(WORDS.list.emptyTitle, WORDS.list.empty));
    else if (next !== null) below.append(button(WORDS.list.more, () => load(true)));
  }

  /** @param {string} uid */
  const linkOf = (uid) => /** @type {HTMLAnchorElement | null} */ (body.querySelector(`tr[data-uid="${CSS.escape(uid)}"] a`));

  /** @param {import("./service.js").Change[]} changes */
  async function follow(changes) {
    const uids = new Set(changes.map((change) => change.study_uid));
    const chosen = search.value.trim() !== "" || state.value !== "";
    if (chosen || uids.size > 10 || [...uids].some((uid) => !shown.has(uid)) || changes.some((change) => change.what === "reading.made")) {
      return load(false);
    }
    for (const uid of uids) {
      try {
        const now = await study(uid);
        const was = shown.get(uid);
        shown.set(uid, now);
        // What was read may be urgent: the order is the workstation's to say.
        if (was && was.state !== now.state) return load(false);
        body.querySelector(`tr[data-uid="${CSS.escape(uid)}"]`)?.replaceWith(line(now));
      } catch (error) {
        if (error instanceof Refused && error.status === 404) shown.delete(uid);
      }
    }
  }

  /** @param {number | "first" | "last"} by */
  function move(by) {
    const links = /** @type {HTMLAnchorElement[]} */ ([...body.querySelectorAll("a.open")]);
    const at = links.findIndex((link) => link === document.activeElement || link.closest("tr")?.contains(document.activeElement));
    const to = by === "first" ? 0 : by === "last" ? links.length - 1 : at < 0 ? 0 : Math.max(0, Math.min(links.length - 1, at + by));
    links[to]?.focus();
    links[to]?.closest("tr")?.scrollIntoView({ block: "nearest" });
  }

  const help = keyboard([
    {
      title: WORDS.help_.onList,
      commands: [
        { keys: ["/"], text: WORDS.keys.search, run: () => search.select() },
        { keys: ["ArrowDown", "j"], shown: "↓ j", text: WORDS.keys.move, run: () => move(1) },
        { keys: ["ArrowUp", "k"], shown: "↑ k", text: WORDS.keys.move, run: () => move(-1) },
        { keys: ["Home"], text: WORDS.keys.first, run: () => move("first") },
        { keys: ["End"], text: WORDS.keys.first, run: () => move("last") },
        { keys: ["Enter"], text: WORDS.keys.open, run: () => false },
      ],
    },
  ]);
  const { main } = frame({ session: said, here: "worklist", help });
  main.append(make("section", { class: "list" }, make("h1", { class: "unseen" }, WORDS.worklist),
    make("div", { class: "choosing" }, search, state, count), lost, scroll, below));

  /** @type {number | undefined} */
  let waiting;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => load(false), PAUSE_MS);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "Enter") {
      event.preventDefault();
      move("first");
    }
  });
  state.addEventListener("change", () => load(false));
  body.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    if (!target.closest("a") && !getSelection()?.toString()) target.closest("tr")?.querySelector("a")?.click();
  });
  await load(false);
  watch(follow, (reached) => {
    lost.textContent = reached ? "" : WORDS.lost;
  });
}

/** @param {ListedStudy} one */
function line(one) {
  const { reading } = one;
  const years = age(one.birth_date, one.study_date);
  return make(
    "tr",
    { "data-uid": one.study_uid, class: reading?.urgent && !reading.signed ? "urgent" : "" },
    make("td", { class: "state" }, stateOf(one)),
    make("th", { scope: "row" }, make("a", { class: "open", href: addressOf(one) }, personName(one.patient_name))),
    make("td", { class: "number" }, one.patient_id || WORDS.absent),
    make("td", { class: "number" }, one.birth_date || WORDS.absent, years !== null && make("span", { class: "hint" }, ` ${years} ${WORDS.study.years}`)),
    make("td", {}, one.sex || WORDS.absent),
    make("td", { class: "number" }, [one.study_date, one.study_time.slice(0, 5)].filter(Boolean).join(" ") || WORDS.absent,
      make("span", { class: "hint second" }, one.description)),
    make("td", { class: "says" }, ...[says(one)].flat()),
    make("td", { class: "number right" }, likelihood(one)),
    make("td", { class: "number right" }, reading && reading.bone_scan_index_percent !== null ? index(reading.bone_scan_index_percent) : WORDS.absent),
    make("td", { class: "number right" }, reading ? String(reading.bone_findings) : WORDS.absent),
  );
}

/** @param {ListedStudy} one */
function stateOf(one) {
  const { reading } = one;
  const marks = [make("span", { class: `mark ${one.state}` }, WORDS.list.state[one.state] ?? one.state)];
  if (reading?.signed) marks.unshift(make("span", { class: "mark signed" }, WORDS.list.signed));
  if (reading?.urgent && !reading.signed) marks.unshift(make("span", { class: "mark urgent" }, WORDS.list.urgent));
  if (reading?.outdated) marks.push(make("span", { class: "mark outdated" }, WORDS.list.outdated));
  return make("span", { class: "marks" }, ...marks.filter((mark) => !(one.state === "read" && marks.length > 1 && mark.classList.contains("read"))));
}

/** @param {ListedStudy} one @returns {import("./elements.js").Child | import("./elements.js").Child[]} */
function says(one) {
  if (one.state === "failed") return make("span", { class: "wrong" }, one.reason);
  if (one.state === "slices") return one.reason;
  if (one.state === "reading") return make("span", { class: "progress" }, make("span", { class: "turning", "aria-hidden": "true" }), one.progress || WORDS.study.reading);
  if (one.state === "arriving") return WORDS.list.objects(one.objects);
  if (one.state === "queued") return WORDS.study.queued;
  const signed = one.last_signed;
  if (signed?.concluded) {
    const newer = one.reading && one.reading.version > signed.version;
    return [make("span", {}, signed.concluded), make("span", { class: "hint second" }, EDITING.signing.by(signed.signed_by, moment(signed.signed_at)), newer && ` ${WORDS.list.newer}`)];
  }
  if (one.reading?.signed) return `${WORDS.impression.bySoftware} ${one.reading.conclusion}`; // whose words were not kept, or are not for whoever looks
  return one.reading?.conclusion ?? WORDS.absent;
}

/** @param {ListedStudy} one */
function likelihood(one) {
  const value = one.reading?.metastases_likelihood;
  if (value === null || value === undefined) return WORDS.absent;
  // A signed reading's probability is what the physician let stand; one that is certain, the physician's decision.
  const decided = one.reading?.signed && (value === 0 || value === 1);
  if (decided) return make("span", { class: value ? "high" : "" }, value ? WORDS.list.yes : WORDS.list.no, make("span", { class: "hint second" }, WORDS.impression.byPhysician));
  return make("span", { class: value >= 0.5 ? "high" : "" }, percent(value));
}

show().catch(say);
