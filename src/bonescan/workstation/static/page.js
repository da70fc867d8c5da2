/**
 * What every page has: who is signed in, the bar on top, the theme, messages, dialogs and the keyboard's table.
 * @module
 */

import { button, field, make } from "./elements.js";
import { changePassword, leaveForSignIn, Refused, session, signOut } from "./service.js";
import { WORDS } from "./words.js";

/**
 * @typedef {import("./service.js").Session} Session
 * @typedef {{keys: string[], shown?: string, text: string, run: (event: KeyboardEvent) => void | boolean}} Command
 *   `run` may return false: the key was not for it.
 */

const TYPING = "input:not([type=range],[type=checkbox],[type=radio]), textarea, select";

/** @param {string} name @param {string} value */
function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // A browser that keeps nothing still works.
  }
}

/** @param {string} name */
function remembered(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Change between dark room and light. */
export function changeTheme() {
  const theme = document.documentElement.dataset.theme === "light" ? "dark" : "light";
  document.documentElement.dataset.theme = theme;
  remember("theme", theme);
  document.dispatchEvent(new CustomEvent("themechange"));
}

/**
 * Ask who is signed in; whoever is not is led to the sign-in page.
 * @returns {Promise<Session & {user: import("./service.js").User}>}
 */
export async function signedIn() {
  const said = await session();
  if (!said.user) {
    leaveForSignIn();
    await new Promise(() => {}); // the page is being left
  }
  return /** @type {Session & {user: import("./service.js").User}} */ (said);
}

/**
 * The page's bar and its main part.
 * @param {{session: Session | null, here?: "worklist" | "plan" | "quality" | "teaching" | "people" | "study", middle?: Node[], help?: () => void}} what
 * @returns {{main: HTMLElement, bar: HTMLElement}}
 */
export function frame({ session: said, here, middle = [], help }) {
  const main = make("main", { id: "content", tabindex: -1 });
  const user = said?.user ?? null;
  /** @param {string} to @param {string} text @param {string} name */
  const link = (to, text, name) => make("a", { href: to, "aria-current": here === name ? "page" : null }, text);
  const bar = make(
    "header",
    { class: "bar" },
    make("a", { class: "skip", href: "#content" }, WORDS.skip),
    make("a", { class: "product", href: "/" }, WORDS.product),
    user && make("nav", { "aria-label": WORDS.product }, link("/", WORDS.worklist, "worklist"),
      link("/plan", WORDS.plan, "plan"), link("/quality", WORDS.qualityOverTime, "quality"), link("/teaching", WORDS.teachingPage, "teaching"),
      user.role === "admin" && link("/people", WORDS.people, "people")),
    make("div", { class: "middle" }, ...middle),
    make("span", { class: "not-device" }, WORDS.notDevice),
    help && button("?", help, { class: "quiet", "aria-label": WORDS.helpKeys, title: WORDS.helpKeys }),
    button("◐", changeTheme, { class: "quiet", "aria-label": WORDS.themeLabel, title: `${WORDS.themeLabel} (t)` }),
    user && accountMenu(user),
  );
  const demo = said?.demo ? make("aside", { class: "demo", "aria-label": WORDS.demo }, WORDS.demo) : "";
  document.body.replaceChildren(bar, demo, main, make("div", { id: "messages", role: "status", "aria-live": "polite" }));
  return { main, bar };
}

/** @param {import("./service.js").User} user */
function accountMenu(user) {
  const role = /** @type {Record<string, string>} */ (WORDS.roles)[user.role] ?? user.role;
  const menu = make(
    "details",
    { class: "account" },
    make("summary", { title: WORDS.account }, user.name),
    make(
      "div",
      { class: "menu" },
      make("p", { class: "hint" }, role),
      button(WORDS.password.title, () => {
        menu.open = false;
        openPassword();
      }),
      button(WORDS.signOut, async () => {
        try {
          await signOut();
        } catch (error) {
          if (!(error instanceof Refused) || error.status !== 401) return say(error);
        }
        location.assign("/sign-in");
      }),
    ),
  );
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget instanceof Node && !menu.contains(event.relatedTarget)) menu.open = false;
  });
  document.addEventListener("pointerdown", (event) => {
    if (event.target instanceof Node && !menu.contains(event.target)) menu.open = false;
  });
  return menu;
}

/**
 * A message for a while, read out too.
 * @param {unknown} what A text, or an error.
 */
export function say(what) {
  if (what instanceof Refused && what.status === 401) return leaveForSignIn();
  const wrong = what instanceof Error;
  const note = make("p", { class: wrong ? "message wrong" : "message" }, wrong ? what.message : String(what));
  document.getElementById("messages")?.append(note);
  setTimeout(() => note.remove(), wrong ? 12_000 : 5000);
}

/**
 * A dialog over the page; it goes when it is closed.
 * @param {string} title
 * @param {Node[]} content
 * @param {string} [kind] Class of the dialog.
 * @returns {HTMLDialogElement}
 */
export function openDialog(title, content, kind = "") {
  const close = button("×", () => dialog.close(), { class: "quiet close", "aria-label": WORDS.close });
  const dialog = make(
    "dialog",
    { class: kind, "aria-label": title },
    make("div", { class: "dialog-head" }, make("h2", {}, title), close),
    ...content,
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

function openPassword() {
  const old = field(WORDS.password.old, { name: "old", type: "password", autocomplete: "current-password", required: true });
  const next = field(
    WORDS.password.new,
    { name: "new", type: "password", autocomplete: "new-password", required: true, minlength: 12 },
    WORDS.password.hint,
  );
  const again = field(WORDS.password.repeat, { name: "again", type: "password", autocomplete: "new-password", required: true });
  const wrong = make("p", { class: "wrong", role: "alert" });
  const form = make("form", {}, old.box, next.box, again.box, wrong, make("button", { class: "main" }, WORDS.save));
  const dialog = openDialog(WORDS.password.title, [form], "small");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    wrong.textContent = next.input.value === again.input.value ? "" : WORDS.password.differ;
    if (wrong.textContent) return;
    try {
      await changePassword(old.input.value, next.input.value);
      dialog.close();
      say(WORDS.password.done);
    } catch (error) {
      wrong.textContent = error instanceof Error ? error.message : String(error);
    }
  });
}

/**
 * Listen to the keyboard by a table, from which the help is made too.
 * @param {ReadonlyArray<{title: string, commands: Command[]}>} groups
 * @param {Node[]} [more] Further parts of the help.
 * @returns {() => void} Opens the help.
 */
export function keyboard(groups, more = []) {
  /** @type {{title: string, commands: Command[]}} */
  const common = {
    title: WORDS.help_.everywhere,
    commands: [
      { keys: ["?"], text: WORDS.keys.help, run: () => open() },
      { keys: ["t"], text: WORDS.keys.theme, run: changeTheme },
    ],
  };
  const all = [...groups, common];
  let single = remembered("single-keys") !== "off";

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (document.querySelector("dialog[open]") || (target.matches(TYPING) && event.key !== "Escape")) return;
    if (!single && event.key.length === 1) return;
    if (target.matches("input[type=range]") && /^(Arrow|Home|End|Page)/.test(event.key)) return;
    if ((event.key === "Enter" || event.key === " ") && target.matches("button, a, summary, input")) return;
    for (const { commands } of all) {
      for (const command of commands) {
        if (command.keys.includes(event.key) && command.run(event) !== false) {
          event.preventDefault();
          return;
        }
      }
    }
  });

  function open() {
    const tables = all.map(({ title, commands }) =>
      make("section", {}, make("h3", {}, title), make("dl", { class: "keys" }, ...commands.flatMap((command) => [
        make("dt", {}, ...(command.shown ?? command.keys.join(" ")).split(" ").map((key) => make("kbd", {}, key))),
        make("dd", {}, command.text),
      ]))),
    );
    const box = make("input", { type: "checkbox", id: "single-keys", "aria-describedby": "single-keys-hint" });
    box.checked = single;
    box.addEventListener("change", () => {
      single = box.checked;
      remember("single-keys", single ? "on" : "off");
    });
    const choice = make(
      "p",
      {},
      box,
      make("label", { for: "single-keys" }, ` ${WORDS.help_.single} `),
      make("span", { class: "hint", id: "single-keys-hint" }, WORDS.help_.singleHint),
    );
    openDialog(WORDS.help_.title, [make("div", { class: "help" }, ...tables, ...more.map((node) => node.cloneNode(true))), choice], "wide");
  }
  return open;
}

/**
 * A state of a whole page: title, what to do, buttons.
 * @param {string} title
 * @param {string[]} lines
 * @param {...Node} more
 * @returns {HTMLElement}
 */
export function teaching(title, lines, ...more) {
  return make("section", { class: "teaching" }, make("h2", {}, title), ...lines.map((line) => make("p", {}, line)), ...more);
}
