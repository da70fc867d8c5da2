/**
 * The words of a study's links to the pages on its series.
 * @module
 */

export const SERIES_WORDS = { title: "More pictures", phases: "Three phases", volume: "Volume", spots: "All views" };
