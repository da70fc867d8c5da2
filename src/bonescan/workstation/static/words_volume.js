/**
 * The words of the page on volumes and projections.
 * @module
 */

export const VOLUME_WORDS = {
  title: "Volume",
  opening: "Opening the volume …",
  /** @param {number} percent */
  loading: (percent) => `Opening the volume … ${percent} %`,
  series: "Series",
  none: "This study has no volume and no tomographic projections.",
  back: "Reading page",
  planes: { transverse: "Transverse", coronal: "Coronal", sagittal: "Sagittal", mip: "Maximum intensity" },
  stage: "Three planes through the volume and its maximum intensity projection. Arrow keys move the cross-hair in the chosen plane, Page Up and Page Down change its slice, 1 to 3 choose it, space spins the projection, question mark lists all keys.",
  projections: "Projections from around the patient. Space runs them, comma and full stop step, question mark lists all keys.",
  /** @param {number} n @param {number} of */
  slice: (n, of) => `${n} of ${of}`,
  cross: "Cross-hair",
  crossHint: "Show or hide the cross-hair (c)",
  zoom: "Zoom",
  plane: "Plane",
  shape: "Three planes and projection",
  counts: "per voxel",
  unknown: "The file does not say how these slices lie in the patient: sides are not named, and planes may be turned over.",
  oblique: "These slices lie askew in the patient (by more than 5°): planes follow the slices, and the letters say the nearest side.",
  spacing: "The file does not say how far its slices or pixels are apart: proportions may be wrong.",
  others: "The slices are shown as another system reconstructed them; the workstation reconstructs nothing.",
  sides: ["from the front", "from the left", "from behind", "from the right"],
  directions: { left: "left", right: "right", front: "front", back: "back", up: "up", down: "down" },
  /** @param {number} n */
  leftOut: (n) => `${n} ${n === 1 ? "object" : "objects"} of the study cannot be shown.`,
  spin: {
    play: "Spin", pause: "Stop", speed: "Speed", speedUnit: "/s", frame: "Turn", playHint: "Space",
  },
  cine: {
    play: "Play", pause: "Stop", speed: "Speed", speedUnit: "/s", frame: "Projection", playHint: "Space",
  },
  keys: {
    title: "On this page",
    move: "move the cross-hair in the chosen plane (Shift: ten)",
    slice: "next, previous slice of the chosen plane",
    plane: "transverse, coronal, sagittal",
    spin: "spin or stop; run or stop the projections",
    step: "one step back, on",
    zoomIn: "zoom in",
    zoomOut: "zoom out",
    fit: "all in view",
    cross: "cross-hair on or off",
    hottest: "cross-hair to the hottest voxel",
    back: "back to the reading page",
  },
  mouse: [
    ["Click, drag", "put the cross-hair; on the projection it goes to the brightest voxel behind the pointer"],
    ["Right button, drag", "window: up and down the upper level, left and right the lower"],
    ["Wheel", "slices of the plane under the pointer; on the projection its turn"],
    ["Two fingers", "zoom about the cross-hair"],
  ],
};
