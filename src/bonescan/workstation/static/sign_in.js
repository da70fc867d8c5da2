/**
 * The sign-in page, and at the very first start the page that makes the first administrator.
 * @module
 */

import { field, make } from "./elements.js";
import { frame } from "./page.js";
import { session, setUp, signIn } from "./service.js";
import { WORDS } from "./words.js";

/** Where to go on: a path of this workstation, never another address. */
function onward() {
  const wanted = new URLSearchParams(location.search).get("next") ?? "/";
  const address = new URL(wanted, location.origin);
  const own = address.origin === location.origin && !address.pathname.startsWith("//"); // which would name another host
  return own && address.pathname !== "/sign-in" ? address.pathname : "/";
}

async function show() {
  const { main } = frame({ session: null });
  const wrong = make("p", { class: "wrong", role: "alert" });
  let said;
  try {
    said = await session();
  } catch (error) {
    wrong.textContent = error instanceof Error ? error.message : String(error);
    main.append(make("section", { class: "card" }, make("h1", {}, WORDS.errors.title), wrong));
    return;
  }
  if (said.demo) main.before(make("aside", { class: "demo", "aria-label": WORDS.demo }, WORDS.demo));
  if (said.user) return location.replace(onward());
  const first = said.setup_needed;
  const refused = new URLSearchParams(location.search).get("refused");
  if (refused) wrong.textContent = WORDS.signIn.refused[refused] ?? WORDS.signIn.refusedOtherwise;
  const provider = said.provider && make("a", { class: "button", href: `/api/v1/session/provider?next=${encodeURIComponent(onward())}` }, said.provider);
  const code = field(WORDS.signIn.code, { name: "code", required: true, autocomplete: "off", spellcheck: "false" }, WORDS.signIn.codeHint);
  const name = field(WORDS.signIn.name, { name: "name", required: true, autocomplete: "username", maxlength: 64, spellcheck: "false" });
  const password = field(
    WORDS.signIn.password,
    { name: "password", type: "password", required: true, autocomplete: first ? "new-password" : "current-password", minlength: first ? 12 : null },
    first ? WORDS.password.hint : undefined,
  );
  const run = make("button", { class: "main" }, first ? WORDS.signIn.setUpRun : WORDS.signIn.run);
  const form = make("form", {}, first && code.box, name.box, password.box, wrong, run);
  main.append(
    make(
      "section",
      { class: "card" },
      make("h1", {}, first ? WORDS.signIn.setUpTitle : WORDS.signIn.title),
      first && make("p", {}, WORDS.signIn.setUpWhy),
      form,
      !first && provider && make("p", {}, provider),
      !first && make("p", { class: "hint" }, WORDS.signIn.ask),
    ),
  );
  (first ? code : name).input.focus();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    run.disabled = true;
    run.textContent = WORDS.signIn.busy;
    wrong.textContent = "";
    try {
      if (first) await setUp(code.input.value.trim(), name.input.value, password.input.value);
      const now = first ? await session() : await signIn(name.input.value, password.input.value);
      if (!now.user) await signIn(name.input.value, password.input.value);
      location.replace(onward());
    } catch (error) {
      wrong.textContent = error instanceof Error ? error.message : String(error);
      run.disabled = false;
      run.textContent = first ? WORDS.signIn.setUpRun : WORDS.signIn.run;
      password.input.select();
    }
  });
}

show();
