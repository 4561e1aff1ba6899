/**
 * Settlements of a wallet behind NWC as they happen: notifications where the wallet has them, else its list, often. Relays
 * need not keep a notification, so after connecting the list is read from the cursor on.
 */
import { type Millis, sleep } from "../../../actors/runtime/world.ts";
import { hash32 } from "../answers.ts";
import type { PaymentHash } from "../port.ts";
import { TimeCursor, type Told, ToldHashes } from "../told.ts";
import { lookupInvoice, settledSince } from "./invoices.ts";
import type { Wallet } from "./wallet.ts";

/** How often a wallet that tells nothing is asked. */
const POLL_MS = 15_000;
/** Settlements that a poll brought already, remembered at most. */
const MAX_SEEN = 10_000;

/** @throws NodeUnavailable when the relays end it otherwise than by `signal`. @throws RangeError for a cursor that is none. */
export async function* settlements(wallet: Wallet, cursor: string | null, signal: AbortSignal): AsyncGenerator<Told> {
  const from = TimeCursor.parse(cursor);
  const { world, client } = wallet;
  const tells = (await client.info()).notifications.includes("payment_received");
  const hashes = new ToldHashes(signal, "the relays ended the connection");
  const stop = client.link.listen(
    (event) => {
      const said = client.notification(event);
      const hash = said?.type === "payment_received" ? hash32(said.payment.payment_hash) : null;
      if (hash !== null) hashes.add(hash);
    },
    () => hashes.end(),
  );
  try {
    const time = new TimeCursor(world, from);
    const since = async (start: Millis) =>
      (await settledSince(wallet, start)).reverse().sort((a, b) => a.settledAt - b.settledAt);
    // The answer comes by the subscription that the notifications come by: from here on none is missed.
    const missed = await since(from === null ? time.last : time.overlap);
    for (const settlement of missed) yield time.told(settlement);
    const seen = new Set<PaymentHash>();
    while (!signal.aborted) {
      if (tells) {
        const hash = await hashes.next();
        if (hash === null) return;
        const state = await lookupInvoice(wallet, hash);
        if (state.kind === "settled") yield time.told(state.settlement);
        continue;
      }
      await sleep(world, POLL_MS, signal).catch(() => {});
      if (signal.aborted) return;
      for (const settlement of await since(time.overlap)) {
        if (seen.has(settlement.paymentHash)) continue;
        seen.add(settlement.paymentHash);
        if (seen.size > MAX_SEEN) seen.clear();
        yield time.told(settlement);
      }
    }
  } finally {
    stop();
    hashes.close();
  }
}
