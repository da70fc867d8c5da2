/**
 * What the pages ask of the workstation's HTTP interface, and how a refusal comes back.
 * @module
 */

import { WORDS } from "./words.js";

/**
 * @typedef {{name: string, role: string}} User
 * @typedef {{user: User | null, csrf: string, setup_needed: boolean,
 *   by_password?: boolean, provider?: string, demo?: boolean, version: string}} Session
 * @typedef {{version: number, read_at: string, conclusion: string, metastases_likelihood: number | null,
 *   bone_scan_index_percent: number | null, bone_findings: number, urgent: boolean, signed: boolean,
 *   outdated: boolean}} ListedReading
 * @typedef {{study_uid: string, patient_name: string, patient_id: string, birth_date: string, sex: string,
 *   study_date: string, study_time: string, accession_number: string, description: string, objects: number,
 *   state: "arriving" | "queued" | "reading" | "read" | "slices" | "failed", progress: string, reason: string,
 *   reading: ListedReading | null, signing?: {state: "waiting" | "running" | "failed", reason: string} | null,
 *   draft_by?: string, last_signed?: {version: number, signed_by: string, signed_at: string, concluded: string} | null}} ListedStudy
 * @typedef {{version: number, read_at: string, signed: boolean, outdated: boolean, signed_by?: string, signed_at?: string,
 *   amends?: number | null, revised?: boolean}} Version
 * @typedef {{name: string, rows: number, columns: number, row_spacing_mm: number, column_spacing_mm: number,
 *   largest: number}} ViewFacts
 * @typedef {ListedStudy & {versions: Version[], views: ViewFacts[], priors?: number}} Study `priors`: earlier scans to compare with.
 * @typedef {{version: number, number: number, author: string, changed_at: string, edits: Edit[], can_undo: boolean, can_redo: boolean,
 *   text: Record<string, string>, language: string}} Draft What one physician has changed and written, and not signed.
 * @typedef {{do: "draw", outlines: Record<string, [number, number][]>, kind: string, bone: string, nature: string}
 *   | {do: "reshape", finding: number, view: string, outline: [number, number][]}
 *   | {do: "split", finding: number, view: string, line: [number, number][]}
 *   | {do: "merge", findings: number[]} | {do: "delete", finding: number}
 *   | {do: "change", finding: number, kind?: string, bone?: string, nature?: string}} Edit
 * @typedef {{draft: Draft, reading: import("./panel.js").Reading, said: Record<string, string[]>}} Revised
 * @typedef {{to: string, version: number, state: "waiting" | "running" | "sent" | "failed", reason: string, at: string}} Sending
 * @typedef {{number: number, study_uid: string, what: string}} Change
 * @typedef {{name: string, role: string, active: boolean, made_at?: string, changed_at?: string}} Account
 */

/** Where the interface begins. */
export const ROOT = "/api/v1";
let csrf = "";

/** A refusal of the workstation, in one sentence. */
export class Refused extends Error {
  /**
   * @param {number} status 0 where nothing answered.
   * @param {string} code
   * @param {string} message
   */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * Ask, and give the answer only when it is a good one.
 * @param {string} path Below the interface's root.
 * @param {{method?: string, body?: unknown, signal?: AbortSignal}} [how]
 * @returns {Promise<Response>}
 */
export async function ask(path, { method = "GET", body, signal } = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    const content = body === undefined ? null : JSON.stringify(body);
    answer = await fetch(ROOT + path, { method, headers, body: content, signal: signal ?? null, cache: "no-store" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refused(0, "unreachable", WORDS.errors.unreachable);
  }
  if (answer.ok) return answer;
  let said = { code: String(answer.status), message: WORDS.errors.unexplained };
  try {
    said = { ...said, ...(await answer.json()).error };
  } catch {
    // No JSON: a proxy's page. The status has to do.
  }
  throw new Refused(answer.status, said.code, said.message);
}

/** @param {Session} said */
function keep(said) {
  csrf = said.csrf;
  return said;
}

/** @returns {Promise<Session>} */
export async function session() {
  return keep(await (await ask("/session")).json());
}

/**
 * @param {string} name
 * @param {string} password
 * @returns {Promise<Session>}
 */
export async function signIn(name, password) {
  return keep(await (await ask("/session", { method: "POST", body: { name, password } })).json());
}

/**
 * Make the first administrator.
 * @param {string} code From the terminal.
 * @param {string} name
 * @param {string} password
 * @returns {Promise<void>}
 */
export async function setUp(code, name, password) {
  await ask("/setup", { method: "POST", body: { code, name, password } });
}

/** @returns {Promise<void>} */
export async function signOut() {
  await ask("/session", { method: "DELETE" });
}

/**
 * Change one's own password.
 * @param {string} old
 * @param {string} wanted
 * @returns {Promise<void>}
 */
export async function changePassword(old, wanted) {
  const answer = await ask("/session/password", { method: "POST", body: { old, new: wanted } });
  try {
    keep(await answer.json());
  } catch {
    await session();
  }
}

/**
 * A part of the worklist.
 * @param {{search?: string, state?: string, after?: string, limit?: number}} wanted
 * @param {AbortSignal} [signal]
 * @returns {Promise<{studies: ListedStudy[], next: string | null}>}
 */
export async function studies(wanted, signal) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(wanted)) if (value) asked.set(name, String(value));
  return (await ask(`/studies?${asked}`, { signal })).json();
}

/**
 * @param {string} uid
 * @returns {Promise<Study>}
 */
export async function study(uid) {
  return (await ask(`/studies/${encodeURIComponent(uid)}`)).json();
}

/**
 * The counts of one view.
 * @param {string} uid
 * @param {string} name
 * @returns {Promise<{rows: number, columns: number, data: Uint16Array | Float32Array}>}
 */
export async function counts(uid, name) {
  const answer = await ask(`/studies/${encodeURIComponent(uid)}/views/${encodeURIComponent(name)}`);
  const rows = Number(answer.headers.get("X-Rows"));
  const columns = Number(answer.headers.get("X-Columns"));
  const bytes = await answer.arrayBuffer();
  const whole = answer.headers.get("X-Dtype") === "uint16";
  if (bytes.byteLength !== rows * columns * (whole ? 2 : 4)) throw new Refused(0, "cut", WORDS.errors.cut);
  return { rows, columns, data: whole ? new Uint16Array(bytes) : new Float32Array(bytes) };
}

/**
 * Where a file of a reading is.
 * @param {string} uid
 * @param {number} version
 * @param {string} file
 * @returns {string}
 */
export function readingAddress(uid, version, file) {
  return `${ROOT}/studies/${encodeURIComponent(uid)}/readings/${version}/${file}`;
}

/**
 * A file of a reading.
 * @param {string} uid
 * @param {number} version
 * @param {string} file
 * @returns {Promise<Response>}
 */
export async function readingFile(uid, version, file) {
  return ask(readingAddress(uid, version, file).slice(ROOT.length));
}

/**
 * Have a study read again.
 * @param {string} uid
 * @returns {Promise<void>}
 */
export async function readAgain(uid) {
  await ask(`/studies/${encodeURIComponent(uid)}/read`, { method: "POST" });
}

/**
 * What somebody has changed in a study and not signed.
 * @param {string} uid
 * @returns {Promise<Draft | null>}
 */
export async function draft(uid) {
  return (await (await ask(draftPath(uid))).json()).draft;
}

/**
 * Begin a draft, or go on with one's own.
 * @param {string} uid
 * @param {number} version Of the reading it starts from.
 * @param {boolean} takeOver Another's draft too.
 * @returns {Promise<Draft>}
 */
export async function beginDraft(uid, version, takeOver) {
  return (await ask(draftPath(uid), { method: "POST", body: { version, take_over: takeOver } })).json();
}

/**
 * @param {string} uid
 * @returns {Promise<void>}
 */
export async function discardDraft(uid) {
  await ask(draftPath(uid), { method: "DELETE" });
}

/**
 * The draft with the reading it makes.
 * @param {string} uid
 * @returns {Promise<Revised>}
 */
export async function revised(uid) {
  return (await ask(draftPath(uid, "/reading"))).json();
}

/**
 * Edit, undo or do again.
 * @param {string} uid
 * @param {number} number The draft's, as it is known here.
 * @param {Edit | "undo" | "redo"} edit
 * @returns {Promise<Revised>}
 */
export async function revise(uid, number, edit) {
  const [where, body] = typeof edit === "string" ? [edit, { number }] : ["edits", { number, edit }];
  return (await ask(draftPath(uid, `/${where}`), { method: "POST", body })).json();
}

/**
 * Keep the physician's text.
 * @param {string} uid
 * @param {number} number
 * @param {Record<string, string>} text By section.entry.
 * @param {string} language
 * @returns {Promise<Draft>}
 */
export async function saveText(uid, number, text, language) {
  return (await ask(draftPath(uid, "/text"), { method: "PUT", body: { number, text, language } })).json();
}

/**
 * Sign the draft; the report is made afterwards.
 * @param {string} uid
 * @param {number} number
 * @param {string} password
 * @param {string} reason Why a signed reading is amended.
 * @returns {Promise<void>}
 */
export async function signDraft(uid, number, password, reason) {
  await ask(draftPath(uid, "/sign"), { method: "POST", body: { number, password, reason } });
}

/** Go to where who signs in elsewhere proves who they are, and come back here. */
export function proveAgain() {
  location.assign(`${ROOT}/session/provider?again=true&next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** @param {string} uid @param {string} [more] */
function draftPath(uid, more = "") {
  return `/studies/${encodeURIComponent(uid)}/draft${more}`;
}

/** @returns {Promise<string[]>} Where results can be sent. */
export async function destinations() {
  const said = await (await ask("/destinations")).json();
  return said.destinations.map((/** @type {{ae_title: string}} */ one) => one.ae_title);
}

/**
 * @param {string} uid
 * @returns {Promise<Sending[]>}
 */
export async function sendings(uid) {
  return (await (await ask(`/studies/${encodeURIComponent(uid)}/sendings`)).json()).sendings;
}

/**
 * Send the results of one version.
 * @param {string} uid
 * @param {number} version
 * @param {string[]} to
 * @returns {Promise<void>}
 */
export async function send(uid, version, to) {
  await ask(`/studies/${encodeURIComponent(uid)}/sendings`, { method: "POST", body: { version, to } });
}

/** @returns {Promise<Account[]>} */
export async function people() {
  const said = await (await ask("/users")).json();
  return Array.isArray(said) ? said : said.users;
}

/**
 * @param {{name: string, role: string, password: string}} wanted
 * @returns {Promise<void>}
 */
export async function addPerson(wanted) {
  await ask("/users", { method: "POST", body: wanted });
}

/**
 * @param {string} name
 * @param {{role?: string, active?: boolean, password?: string}} wanted
 * @returns {Promise<void>}
 */
export async function changePerson(name, wanted) {
  await ask(`/users/${encodeURIComponent(name)}`, { method: "PATCH", body: wanted });
}

/**
 * Tell of every change from now on, until the page goes. What fails is asked again, ever more slowly.
 * @param {(changes: Change[]) => void} told
 * @param {(reached: boolean) => void} [reached] Whether the workstation answers.
 * @returns {() => void} Ends it.
 */
export function watch(told, reached = () => {}) {
  const ending = new AbortController();
  (async () => {
    let last = 0;
    let pause_ms = 1000;
    while (!ending.signal.aborted) {
      try {
        const said = await (await ask(`/changes?after=${last}&wait_s=25`, { signal: ending.signal })).json();
        reached(true);
        pause_ms = 1000;
        // A first answer without changes tells where to begin.
        last = said.last;
        if (said.changes.length) told(said.changes);
      } catch (error) {
        if (ending.signal.aborted) return;
        if (error instanceof Refused && error.status === 401) return leaveForSignIn();
        reached(false);
        await new Promise((resolve) => setTimeout(resolve, pause_ms));
        pause_ms = Math.min(2 * pause_ms, 30_000);
      }
    }
  })();
  return () => ending.abort();
}

/** Go to the sign-in page and come back here afterwards. */
export function leaveForSignIn() {
  location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
}

/**
 * All series of pictures of a study.
 * @param {string} uid
 * @returns {Promise<{series: import("./stacks.js").SeriesFacts[], left_out: number}>}
 */
export async function allSeries(uid) {
  return (await ask(`/studies/${encodeURIComponent(uid)}/series`)).json();
}

/**
 * All frames of a series; they come in parts.
 * @param {string} uid
 * @param {import("./stacks.js").SeriesFacts} facts
 * @param {(share: number) => void} [told] How much is there.
 * @returns {Promise<Uint16Array | Float32Array>}
 */
export async function framesOf(uid, facts, told = () => {}) {
  const area = facts.rows * facts.columns;
  const data = facts.dtype === "uint16" ? new Uint16Array(facts.frames * area) : new Float32Array(facts.frames * area);
  for (let first = 0; first < facts.frames; ) {
    const answer = await ask(`/studies/${encodeURIComponent(uid)}/series/${facts.key}/frames?first=${first}`);
    const bytes = await answer.arrayBuffer();
    const count = Number(answer.headers.get("X-Frames"));
    if (!(count > 0) || bytes.byteLength !== count * area * data.BYTES_PER_ELEMENT) throw new Refused(0, "cut", WORDS.errors.cut);
    data.set(facts.dtype === "uint16" ? new Uint16Array(bytes) : new Float32Array(bytes), first * area);
    first += count;
    told(first / facts.frames);
  }
  return data;
}
