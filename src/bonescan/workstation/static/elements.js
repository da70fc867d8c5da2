/**
 * Elements of a page, made without ever parsing a text as HTML: whatever stands in a DICOM name stays a name.
 * @module
 */

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * Make an element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [facts] Attributes; `true` sets an empty one, `false`, null and undefined none; a function
 *   listens to the event of its name.
 * @param {...Child} children Texts become text, never markup.
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, facts = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, /** @type {EventListener} */ (value));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}

/**
 * A button with a text and what it does.
 * @param {string} text
 * @param {() => void} run
 * @param {Record<string, unknown>} [facts]
 * @returns {HTMLButtonElement}
 */
export function button(text, run, facts = {}) {
  return make("button", { type: "button", click: run, ...facts }, text);
}

/**
 * A labelled field of a form.
 * @param {string} label
 * @param {Record<string, unknown>} facts Of the input.
 * @param {string} [hint]
 * @returns {{box: HTMLElement, input: HTMLInputElement}}
 */
export function field(label, facts, hint) {
  const id = `field-${String(facts.name)}`;
  const input = make("input", { id, "aria-describedby": hint ? `${id}-hint` : null, ...facts });
  const box = make(
    "div",
    { class: "field" },
    make("label", { for: id }, label),
    input,
    hint && make("p", { class: "hint", id: `${id}-hint` }, hint),
  );
  return { box, input };
}

/**
 * A choice of one from a list.
 * @param {string} label
 * @param {string} name
 * @param {ReadonlyArray<readonly [string, string]>} options Value and text.
 * @param {string} chosen
 * @returns {{box: HTMLElement, select: HTMLSelectElement}}
 */
export function choice(label, name, options, chosen) {
  const id = `field-${name}`;
  const select = make("select", { id, name });
  for (const [value, text] of options) select.append(make("option", { value, selected: value === chosen }, text));
  return { box: make("div", { class: "field" }, make("label", { for: id }, label), select), select };
}
