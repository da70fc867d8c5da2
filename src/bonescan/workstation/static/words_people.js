/**
 * Words of the people page that no other page says: of machines and their access tokens.
 * @module
 */

export const WORDS = {
  title: "Machines",
  hint: "A machine that finds, fetches or stores studies over DICOMweb shows an access token. A token is shown once, when it is made; whoever has it acts in its name.",
  none: "No machine has a token.",
  name: "Machine",
  role: "Role",
  made: "Made",
  used: "Last used",
  state: "State",
  actions: "Actions",
  never: "never",
  active: "Active",
  revoked: "Revoked",
  /** @param {string} person */
  by: (person) => `by ${person}`,
  revoke: "Revoke",
  /** @param {string} name */
  revokeOf: (name) => `Revoke: ${name}`,
  /** @param {string} name */
  sure: (name) => `Revoke the token of ${name}?`,
  sureHint: "The machine is shut out at once, and for good; it needs a new token to come back.",
  done: "Revoked.",
  add: "Add a machine",
  nameHint: "What it is, and where, such as: PACS, second floor",
  run: "Make a token",
  means: {
    physician: "finds, fetches and stores; sees who the patient is",
    technologist: "finds, fetches and stores; sees who the patient is",
    physicist: "finds, fetches and stores; sees who the patient is",
    researcher: "pictures and readings without names; no DICOMweb",
  },
  /** @param {string} name */
  tokenOf: (name) => `Access token of ${name}`,
  token: "Access token",
  tokenHint: "Copy it into the machine now. It is kept nowhere and cannot be shown again.",
  copy: "Copy",
  copied: "Copied.",
  close: "I have copied it",
};
