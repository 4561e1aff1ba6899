/** What the doctor found: counted in full, kept up to a limit, so that a ruined database does not fill the memory. */

/** The parts of the examination, in the order in which they are shown. */
export const CHECKS = {
  file: "SQLite's own integrity check",
  binding: "every order belongs to the node of this database",
  journal: "events replay to the stored states",
  columns: "columns repeat what the states say",
  deadlines: "every order that must move by itself has a deadline",
  effects: "every awaited answer has its effect, and no other money effect is open",
  messages: "recorded messages are stored, each once",
  claims: "payment hashes, refund hashes and keys have one living owner",
  ledger: "postings balance and agree with the states",
  stakes: "sums by kind agree with the orders",
  tombstones: "buried orders can be found by late money",
  quarantine: "no order was set aside",
} as const;
export type Check = keyof typeof CHECKS;

export interface Finding {
  readonly check: Check;
  readonly orderId: string | null;
  /** Names fields, kinds and amounts; never a secret or personal value. */
  readonly problem: string;
}

/** Findings, and likewise orders that wait, beyond this are counted only. */
export const MAX_KEPT = 1_000;

export class Findings {
  readonly kept: Finding[] = [];
  readonly #counts = new Map<Check, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  add(check: Check, orderId: string | null, problem: string): void {
    this.#total++;
    this.#counts.set(check, this.count(check) + 1);
    if (this.kept.length < MAX_KEPT) this.kept.push({ check, orderId, problem });
  }

  count(check: Check): number {
    return this.#counts.get(check) ?? 0;
  }
}
