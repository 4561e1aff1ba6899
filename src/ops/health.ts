/** How the service and its peers are, as `/health` and `/readyz` tell it. No secret, no address, no balance. */
import type { Journal } from "../../actors/runtime/journal.ts";
import type { Millis, World } from "../../actors/runtime/world.ts";
import type { Network } from "../lightning/port.ts";
import type { SettlementFeed } from "../lightning/settlements.ts";
import type { NodeStanding } from "../lightning/standing.ts";
import type { RateBook } from "../pricing/rate.ts";
import type { Guard } from "../provider/guard.ts";
import type { ProviderStanding } from "../provider/standing.ts";

export interface PeerHealth {
  readonly ok: boolean;
  /** Age of this knowledge in seconds. */
  readonly checkedSecondsAgo: number | null;
}

export interface HealthReport {
  readonly status: "ok" | "degraded" | "down";
  readonly version: string;
  readonly uptimeSeconds: number;
  /** True in the embedded sandbox: no real money, no real numbers. */
  readonly sandbox: boolean;
  /** `paused`: restored from a backup and not yet compared; nothing is sold, and no money moves. */
  readonly database: { readonly ok: boolean; readonly paused: boolean };
  readonly lightning: PeerHealth & {
    readonly network: string;
    readonly settlementStream: boolean;
    /** False when the node said that it can only receive: then nothing is sold that may need a refund. */
    readonly canRefund: boolean;
  };
  readonly provider: PeerHealth & {
    /** Pairs of service and country that are not sold for now, because too few of their numbers got an SMS. */
    readonly pairsPaused: number;
    /** Likewise all of them. */
    readonly allPaused: boolean;
    /** Pairs that the provider itself does not sell us. */
    readonly pairsBarred: number;
  };
  readonly price: { readonly ok: boolean; readonly ageSeconds: number | null };
}

export interface HealthDesk {
  report(): HealthReport;
  /** Database writable, orders rehydrated, not draining, not restored and still to be compared. */
  ready(): { readonly ready: boolean; readonly reasons: readonly string[] };
}

const WRITABLE_FRESH_MS = 1_000;
/** The names people know, for the prefixes of invoices. */
const NETWORK_NAMES: Readonly<Record<Network, string>> = {
  bc: "mainnet",
  tb: "testnet",
  tbs: "signet",
  bcrt: "regtest",
};

export interface HealthOptions {
  readonly world: World;
  readonly startedAt: Millis;
  readonly version: string;
  readonly sandbox: boolean;
  readonly network: Network;
  readonly journal: Journal;
  readonly node: NodeStanding;
  readonly provider: ProviderStanding;
  readonly guard: Guard;
  readonly rates: Pick<RateBook, "current" | "ageMs">;
  readonly feed: Pick<SettlementFeed, "status">;
  readonly state: { readonly draining: boolean; readonly rehydrated: boolean; readonly paused: boolean };
}

export function createHealth(options: HealthOptions): HealthDesk {
  const { world, startedAt, version, sandbox, network, journal, node, provider, guard, rates, feed, state } = options;
  const secondsSince = (time: Millis | null) =>
    time === null ? null : Math.max(0, Math.round((world.now() - time) / 1_000));
  // Asking costs a write: anybody may ask, so the answer is kept for a moment.
  let written: { readonly at: Millis; readonly ok: boolean } | null = null;
  const writable = (): boolean => {
    const now = world.now();
    if (!written || Math.abs(now - written.at) >= WRITABLE_FRESH_MS) written = { at: now, ok: journal.writable() };
    return written.ok;
  };
  return {
    report() {
      const database = writable();
      const age = rates.ageMs();
      const price = { ok: rates.current() !== null, ageSeconds: age === null ? null : Math.round(age / 1_000) };
      const allPaused = guard.pausesAll();
      const peersOk = node.ok && node.mayPay && provider.ok && price.ok && !allPaused && !state.paused;
      return {
        status: database ? (peersOk ? "ok" : "degraded") : "down",
        version,
        uptimeSeconds: secondsSince(startedAt) ?? 0,
        sandbox,
        database: { ok: database, paused: state.paused },
        lightning: {
          ok: node.ok,
          checkedSecondsAgo: secondsSince(node.checkedAt),
          network: NETWORK_NAMES[network],
          settlementStream: feed.status().connected,
          canRefund: node.mayPay,
        },
        provider: {
          ok: provider.ok,
          checkedSecondsAgo: secondsSince(provider.checkedAt),
          pairsPaused: guard.pausedCount(),
          allPaused,
          pairsBarred: provider.bars,
        },
        price,
      };
    },
    ready() {
      const reasons = [
        state.draining && "draining",
        !state.rehydrated && "rehydrating",
        state.paused && "restored from a backup, money is paused: run doctor --peers --repair",
        !writable() && "database not writable",
      ].filter((reason) => reason !== false);
      return { ready: reasons.length === 0, reasons };
    },
  };
}
