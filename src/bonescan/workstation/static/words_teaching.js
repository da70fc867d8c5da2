/**
 * The words of the teaching page.
 * @module
 */

export const TEACHING = {
  title: "Teaching: a simulated scan",
  simulated: "SIMULATED",
  scan: "Simulated scan",
  scenario: "Scenario",
  shows: "What to look for",
  person: "Another person",
  personHint: "The same scenario in another body.",
  /** @param {number} seed */
  seed: (seed) => `Person ${seed}`,
  camera: "Camera",
  truth: "Truth",
  truthHint: "Lesions tinted over the picture, and the list (y)",
  read: "What would the reader say?",
  readHint: "The same reader as for patients; it does not see the truth.",
  reading: "The reader looks",
  working: "Simulating",
  opening: "Opening the scenarios…",
  starting: "Starting the simulator",
  reset: "As the scenario has it",
  auto: "as the scenario has it",
  drawn: "drawn",
  asComes: "as they come",
  ready: "Full scan",
  quick: "First look, coarse; the full scan follows",
  knobs: {
    activity_mbq: { text: "Injected activity", unit: "MBq", step: 10, hint: "More activity, more counts: and more dose." },
    time_h: { text: "From injection to scan", unit: "h", step: 0.25, hint: "Early: blood and soft tissue. Late: few counts." },
    speed_cm_per_min: { text: "Scan speed", unit: "cm/min", step: 1, hint: "Faster: fewer counts." },
    counts: { text: "Counts of a view", unit: "", step: 0, hint: "Instead of what activity, time and speed give." },
    distance_mm: { text: "Camera to skin", unit: "mm", step: 5, hint: "Farther: blurred; the counts stay (behind, the table keeps 45 mm)." },
    contrast_times: { text: "Lesions' uptake", unit: "×", step: 0.1, hint: "0 hides them, 1 is as drawn." },
    age_years: { text: "Age", unit: "years", step: 1, hint: "Age changes uptake and kidneys." },
    bmi: { text: "Body mass index", unit: "kg/m²", step: 0.5, hint: "A larger body weakens and scatters more." },
  },
  facts: "The person",
  lesions: "Lesions",
  noLesions: "None: this is a person without lesions.",
  disturbances: "What else is there",
  /** @param {string} times */
  contrast: (times) => `takes up ${times} times as much as the normal bone there`,
  colder: "takes up less than the normal bone there",
  /** @param {boolean} seen */
  seen: (seen) => (seen ? "an ideal observer sees it" : "lost in the noise even for an ideal observer"),
  /** @param {string} value */
  index: (value) => `True Bone Scan Index ${value} %.`,
  counts: "counts",
  observer: "The ideal observer knows each lesion's picture and place, and needs it five times above chance.",
  failed: "It did not work",
  keys: { truth: "truth on or off", read: "what the reader says", person: "another person", group: "Teaching" },
};
