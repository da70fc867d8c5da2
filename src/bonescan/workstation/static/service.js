/**
 * What the pages ask of the workstation's HTTP interface, and how a refusal comes back.
 * @module
 */

import { WORDS } from "./words.js";

/**
 * @typedef {{name: string, role: string}} User
 * @typedef {{user: User | null, csrf: string, setup_needed: boolean, version: string, demo?: boolean}} Session
 * @typedef {{version: number, read_at: string, conclusion: string, metastases_likelihood: number | null,
 *   bone_scan_index_percent: number | null, bone_findings: number, urgent: boolean, signed: boolean,
 *   outdated: boolean}} ListedReading
 * @typedef {{study_uid: string, patient_name: string, patient_id: string, birth_date: string, sex: string,
 *   study_date: string, study_time: string, accession_number: string, description: string, objects: number,
 *   state: "arriving" | "queued" | "reading" | "read" | "failed", progress: string, reason: string,
 *   reading: ListedReading | null}} ListedStudy
 * @typedef {{version: number, read_at: string, signed: boolean, outdated: boolean}} Version
 * @typedef {{name: string, rows: number, columns: number, row_spacing_mm: number, column_spacing_mm: number,
 *   largest: number}} ViewFacts
 * @typedef {ListedStudy & {versions: Version[], views: ViewFacts[]}} Study
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
