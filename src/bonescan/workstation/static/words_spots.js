/**
 * The words of the page on all views of a study.
 * @module
 */

export const SPOTS_WORDS = {
  title: "All views",
  bar: "Picture controls",
  back: "Reading page",
  none: "This study has no planar views that can be shown.",
  opening: "Opening the views …",
  stage: "All planar views of the study on one sheet. Arrow keys choose a view, Enter shows it alone, Escape all, question mark lists all keys.",
  one: "One scale",
  oneHint: "All views in counts per second and cm², or each in its own (g)",
  unknownTimes: "Not every file says how long it was acquired: each view has a scale of its own.",
  unnamed: "View without a name",
  scale: "Scale",
  alone: "Alone",
  aloneHint: "The chosen view alone, or all (Enter)",
  views: "Views",
  left: "L",
  right: "R",
  /** @param {string} text */
  after: (text) => `${text} after injection`,
  /** @param {number} n */
  leftOut: (n) => `${n} ${n === 1 ? "object" : "objects"} of the study cannot be shown.`,
  keys: {
    title: "On this page",
    move: "choose a view",
    alone: "the chosen view alone",
    all: "all views",
    one: "one scale for all views or each its own",
    zoomIn: "zoom in",
    zoomOut: "zoom out",
    fit: "all in view",
    back: "back to the reading page",
  },
  mouse: [
    ["Click", "choose a view; a double click shows it alone, or all again"],
    ["Drag", "window: up and down the upper level, left and right the lower"],
    ["Shift or middle button, drag", "move the pictures"],
    ["Wheel, two fingers", "zoom"],
  ],
};
