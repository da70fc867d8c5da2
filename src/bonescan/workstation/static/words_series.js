/**
 * The words that the pages on series share, and of the links to them.
 * @module
 */

export const SERIES_WORDS = {
  title: "More pictures",
  phases: "Three phases",
  volume: "Volume",
  spots: "All views",
  perArea: "per second and cm²",
};
