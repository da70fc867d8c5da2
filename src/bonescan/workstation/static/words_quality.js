/**
 * The words of the quality page.
 * @module
 */

export const QUALITY = {
  title: "Quality over time",
  camera: "Camera",
  all: "All cameras together",
  unknownCamera: "Camera not told",
  span: "Time",
  spans: [["3", "3 months"], ["12", "12 months"], ["24", "2 years"], ["60", "5 years"]],
  /** @param {number} n @param {string} first @param {string} last */
  count: (n, first, last) => `${n} ${n === 1 ? "study" : "studies"}, ${first} to ${last}`,
  /** @param {number} n */
  undated: (n) => `${n} without a date are left out.`,
  emptyTitle: "No readings yet",
  empty: ["What the cameras counted appears here as soon as studies have been read."],
  lead: "Of the newest reading of each study. No names are here.",
  /** @type {Record<string, string>} */
  why: {
    sensitivity: "Counts of each MBq left in the patient, geometric mean of both views, as if the pass had gone at 10 cm/min; decay is taken off, what was voided is not. A camera that drifts shows here first.",
    counts_anterior: "Of the whole view, as the camera stored them.",
    counts_posterior: "Of the whole view, as the camera stored them.",
    delay_h: "2 to 5 hours are usual.",
    activity_mbq: "As the files say.",
    speed_cm_per_min: "10 to 15 cm/min are usual.",
  },
  median: "Median",
  spread: "Robust SD",
  studies: "Studies",
  looked: "Beyond 2 SD",
  acted: "Beyond 3 SD",
  untold: "Not told by the files",
  noLimits: "Too few studies, or all alike: no limits.",
  noneTold: "The files of these studies do not tell it.",
  months: "Month by month",
  month: "Month",
  drifts: "drifts",
  /** @param {string} months */
  driftsIn: (months) => `Farther from the median than chance explains: ${months}.`,
  outliers: "Studies to look at",
  study: "Study",
  day: "Day",
  value: "Value",
  away: "SD from median",
  open: "Open",
  legend: { usual: "within 2 robust SD", look: "2 to 3", act: "beyond 3", month: "median of a month", drift: "month that drifts" },
  limits: "Limits are the median and 2 or 3 robust standard deviations about it (1.4826 times the median absolute deviation, Rousseeuw and Croux 1993), so that outliers do not widen them. A month is marked where its median, alone or together with the month before, lies 3 standard errors of a median away.",
  checks: "Checks that warned",
  check: "Check",
  warned: "Warned",
  share: "Of studies",
  noChecks: "No check warned.",
  /** @param {{name: string, n: number, median: string, unit: string, out: number}} of */
  chart: (of) => `${of.name}: ${of.n} studies, median ${of.median} ${of.unit}, ${of.out} beyond 3 robust standard deviations. The table below has the months.`,
  /** @type {Record<string, string>} */
  codes: {
    "quality.counts.anterior": "Counts, anterior view",
    "quality.counts.posterior": "Counts, posterior view",
    "quality.coverage": "Whole body in view",
    "quality.views": "Both views",
    "quality.interval": "2 to 5 h after injection",
    "quality.scan_velocity.anterior": "Scan speed, anterior view",
    "quality.scan_velocity.posterior": "Scan speed, posterior view",
    "quality.energy_window.anterior": "Energy window, anterior view",
    "quality.energy_window.posterior": "Energy window, posterior view",
    "quality.pixel_size": "Pixel size",
    "quality.stretch": "Views equally long",
    "quality.motion.between_views": "Motion between the views",
    "quality.motion.anterior": "Motion, anterior view",
    "quality.motion.posterior": "Motion, posterior view",
    "quality.clipping.anterior": "Clipped counts, anterior view",
    "quality.clipping.posterior": "Clipped counts, posterior view",
    "quality.injection": "Clean injection",
    "quality.soft_tissue": "Soft tissue",
    "quality.bladder": "Bladder",
  },
};
