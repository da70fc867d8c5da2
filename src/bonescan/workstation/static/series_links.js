/**
 * Links from a study's reading page to the pages on its series, where it has such.
 * @module
 */

import { make } from "./elements.js";
import { allSeries, Refused } from "./service.js";
import { SERIES_WORDS as WORDS } from "./words_series.js";

/**
 * Ask what the study holds and add links to it to each of some places.
 * @param {string} uid
 * @param {Element[]} places
 * @returns {Promise<void>}
 */
export async function seriesLinks(uid, places) {
  let found;
  try {
    found = (await allSeries(uid)).series;
  } catch (error) {
    if (error instanceof Refused) return; // without links the page still serves
    throw error;
  }
  const kinds = new Set(found.map((one) => one.kind));
  /** @type {Array<[string, string]>} */
  const links = [];
  if (found.some((one) => one.phase === "flow" || one.phase === "pool")) links.push(["phases", WORDS.phases]);
  if (kinds.has("volume") || kinds.has("tomographic")) links.push(["volume", WORDS.volume]);
  if (kinds.has("spot")) links.push(["spots", WORDS.spots]);
  if (!links.length) return;
  for (const place of places) {
    place.append(make("nav", { class: "group", "aria-label": WORDS.title },
      ...links.map(([page, text]) => make("a", { class: "button", href: `/study/${encodeURIComponent(uid)}/${page}` }, text))));
  }
}
