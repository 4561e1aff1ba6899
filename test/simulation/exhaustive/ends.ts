/** What must be so when everything has come to rest, beside what the checker of the whole looks at. */
import type { Database } from "bun:sqlite";
import { Violation } from "../checker.ts";
import type { Stage } from "./stage.ts";

/** How the paid orders ended, oldest first. */
export const endsOf = ({ orders }: Stage): string =>
  [...orders.all()]
    .filter(({ payment }) => payment !== null)
    .map(({ state }) => (state.kind === "done" ? state.as : state.kind))
    .join(" ");

/** Nothing is under way any more, and only a person or a customer could move an order on. */
export const isAtRest = ({ db, host, orders }: Stage): boolean =>
  host.running !== null && orders.atRest && count(db, "effects") === 0;

/** Whether the texts that may be erased are. */
export const isErased = ({ db }: Stage): boolean => count(db, "messages") === 0;

const count = (db: Database, table: "effects" | "messages" | "quarantine"): number =>
  db.query<{ n: number }, []>(`SELECT count(*) AS n FROM ${table}`).get()?.n ?? 0;

/** @throws Violation */
export function checkEnd({ checker, db, provider, strangers, orders }: Stage): void {
  checker.rested();
  if (count(db, "quarantine") > 0) throw new Violation(5, "an order is set aside");
  for (const id of strangers) {
    if (orders.byActivation(id)) throw new Violation(11, "a stranger's number was taken for ours");
    const status = provider.view().activations.find(({ activationId }) => activationId === id)?.status;
    if (status === "cancelled" || status === "finished")
      throw new Violation(11, `a stranger's number was ${status} by us`);
  }
}
