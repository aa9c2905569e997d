// Why something does not verify: the outcome, the reason's code (the same as the library's
// `LedgerError.code`), and the check that failed, by which a reader is told in plain words.

export class Refusal extends Error {
  constructor(outcome, code, check) {
    super(`${outcome}: ${code} (${check})`);
    this.outcome = outcome;
    this.code = code;
    this.check = check;
  }
}

// The input is not in the format it must be in: nothing can be said.
export const malformed = (check, code = "malformed") => new Refusal("undecided", code, check);

// Well-formed, and it contradicts.
export const mismatch = (check, code = "mismatch") => new Refusal("mismatch", code, check);

// What was given does not suffice to decide.
export const undecided = (check, code) => new Refusal("undecided", code, check);
