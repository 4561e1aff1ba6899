/**
 * What node and provider say happened since a time: everything of it, or nothing. It is read before our own books are, so that these are
 * never the older ones. A node that cannot list its past tells of settled invoices only, without what they were made for.
 */
import type { Millis, World } from "../../../actors/runtime/world.ts";
import type { LightningNode, Outgoing, PaymentHash, Receipt, Settlement } from "../../lightning/port.ts";
import type { ActivationId, ActiveActivation, NumberProvider, PastActivation } from "../../provider/port.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** One question to the provider's history spans this much, so that its answer stays within what it pages through. */
const HISTORY_WINDOW_MS = 6 * HOUR;

/** The peers as a doctor needs them; the node is bound to our database. */
export interface DoctorPeers {
  readonly world: World;
  readonly node: LightningNode;
  readonly provider: NumberProvider;
}

export interface Evidence {
  readonly since: Millis;
  /** When the reading began: what happened later may be in it, or not. */
  readonly until: Millis;
  /** By hash; of several payments of one hash the one that matters most. Null when the node cannot list them. */
  readonly paid: ReadonlyMap<PaymentHash, Outgoing> | null;
  readonly received: ReadonlyMap<PaymentHash, Receipt>;
  readonly active: ReadonlyMap<ActivationId, ActiveActivation>;
  /** Bought since then, and over. */
  readonly past: ReadonlyMap<ActivationId, PastActivation>;
}

/** @throws NodeUnavailable, ProviderUnavailable: a list that is not complete is worth nothing here */
export async function gather({ world, node, provider }: DoctorPeers, since: Millis): Promise<Evidence> {
  const until = world.now();
  const { history } = node;
  const paid = history ? strongest(await history.paid(since)) : null;
  const received = history ? await history.received(since) : (await node.settledSince(since)).map(unnamed);
  const active = await provider.active();
  // After the active list: what ends in between is in one of them.
  const past = await historySince(provider, since, world.now() + MINUTE);
  return {
    since,
    until,
    paid,
    received: by(received, ({ paymentHash }) => paymentHash),
    active: by(active, ({ activationId }) => activationId),
    past: by(past, ({ activationId }) => activationId),
  };
}

/** Activations bought between the two times. @throws ProviderUnavailable */
export async function historySince(
  provider: Pick<NumberProvider, "history">,
  since: Millis,
  until: Millis,
): Promise<PastActivation[]> {
  const rows: PastActivation[] = [];
  for (let from = since; from < until; from += HISTORY_WINDOW_MS) {
    rows.push(...(await provider.history(from, Math.min(from + HISTORY_WINDOW_MS, until))));
  }
  return rows;
}

const unnamed = (settlement: Settlement): Receipt => ({ ...settlement, description: null, key: null });

const WEIGHT = { failed: 0, unknown: 1, in_flight: 2, succeeded: 3 } as const;

function strongest(payments: readonly Outgoing[]): ReadonlyMap<PaymentHash, Outgoing> {
  const found = new Map<PaymentHash, Outgoing>();
  for (const payment of payments) {
    const known = found.get(payment.paymentHash);
    if (!known || WEIGHT[payment.state.kind] > WEIGHT[known.state.kind]) found.set(payment.paymentHash, payment);
  }
  return found;
}

const by = <T>(rows: readonly T[], key: (row: T) => string): ReadonlyMap<string, T> =>
  new Map(rows.map((row) => [key(row), row]));
