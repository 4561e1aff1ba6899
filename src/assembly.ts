/**
 * The application, wired: ports -> engine -> desk, without files and sockets. The process around it (`service.ts`), and a simulation of
 * it, start the same thing.
 */
import type { Journal } from "../actors/runtime/journal.ts";
import { type Observer, Supervisor } from "../actors/runtime/supervisor.ts";
import type { World } from "../actors/runtime/world.ts";
import { createAccount } from "./account.ts";
import { type Binding, checkNode, WrongBinding } from "./binding.ts";
import { Catalog } from "./catalog/offers.ts";
import type { Config } from "./config.ts";
import { addressEffects } from "./effects/address.ts";
import { nodeEffects } from "./effects/node.ts";
import { noticeEffects } from "./effects/notice.ts";
import { providerEffects } from "./effects/provider.ts";
import type { RootKeys } from "./l402/keys.ts";
import { NOTHING_REVOKED, type Revocations } from "./l402/revocations.ts";
import { boundNode } from "./lightning/bound.ts";
import type { LateOutbox } from "./lightning/outbox.ts";
import type { LightningNode, NodeInfo } from "./lightning/port.ts";
import { SettlementFeed } from "./lightning/settlements.ts";
import { sqliteOutbox } from "./lightning/sqlite-outbox.ts";
import { NodeStanding } from "./lightning/standing.ts";
import { askAddress } from "./lnurl/pay.ts";
import { NostrNotifier } from "./notices/nostr.ts";
import type { Notifier } from "./notices/port.ts";
import { createHealth } from "./ops/health.ts";
import type { Log } from "./ops/logs.ts";
import type { Metrics } from "./ops/metrics.ts";
import { observeEngine, registerGauges, sayRights } from "./ops/observe.ts";
import { Admission } from "./orders/admission.ts";
import { Front } from "./orders/front.ts";
import { Hints } from "./orders/hints.ts";
import { holdOf } from "./orders/hold.ts";
import { RefundLadder } from "./orders/ladder.ts";
import { Opening } from "./orders/open.ts";
import { Ownership } from "./orders/ownership.ts";
import { Patience } from "./orders/patience.ts";
import type { Names } from "./orders/request.ts";
import { Reservations } from "./orders/reservations.ts";
import { DEFAULT_RETENTION, Retention } from "./orders/retention.ts";
import { SETTLEMENT_CURSOR, saveCursor, settle } from "./orders/settle.ts";
import { UnpaidSweep } from "./orders/unpaid.ts";
import { RateBook, type SharedRateCache } from "./pricing/rate.ts";
import { sqliteRateCache } from "./pricing/rate-cache.ts";
import type { PriceSource } from "./pricing/sources.ts";
import { Inbox } from "./provider/inbox.ts";
import type { AccountTrouble, NumberProvider } from "./provider/port.ts";
import { Purchases } from "./provider/purchases.ts";
import { Stock } from "./provider/stock.ts";
import { VERSION } from "./version.ts";

/** The peers of the service, already chosen: real ones, or the sandbox's. */
export interface ServicePeers {
  readonly node: LightningNode;
  readonly provider: NumberProvider;
  readonly priceSources: readonly PriceSource[];
  readonly sharedRates: SharedRateCache | null;
  readonly notifier: { readonly secretKey: Uint8Array; readonly relays: readonly string[] } | null;
  readonly sandbox: boolean;
  /** Hears of trouble that any provider call met; set by the service. */
  readonly troubles: { listener: (trouble: AccountTrouble) => void };
  /** Where the node keeps what it is about to send; set by the service. */
  readonly outbox: LateOutbox;
}

/** The settings that the application itself needs; the rest concerns the process and HTTP. */
export type AssemblyConfig = Pick<
  Config,
  | "maxResidents"
  | "maxUnpaid"
  | "maxUnpaidPerClient"
  | "multiplier"
  | "multiplierText"
  | "policy"
  | "eraseMessagesMs"
  | "priceMaxAgeMs"
  | "maxCancelledPerClient"
  | "banRules"
>;

export interface AssemblyOptions {
  readonly world: World;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly config: AssemblyConfig;
  readonly names: Names;
  readonly peers: ServicePeers;
  readonly journal: Journal;
  readonly bound: Binding;
  readonly keys: RootKeys;
  /** Default: none. */
  readonly revocations?: Revocations;
  /** Beside the log and the metrics: told of every committed step, and of every one that broke. */
  readonly observer?: Observer;
}

export type Assembly = ReturnType<typeof assemble>;

/** Nothing runs before `start`. */
export function assemble(options: AssemblyOptions) {
  const { world, log, metrics, config, names, peers, journal, bound, keys } = options;
  const { provider } = peers;
  const { store } = journal;
  const startedAt = world.now();
  const hold = holdOf(store);
  const state = { draining: false, rehydrated: false, paused: hold.paused };

  const failed = (what: string) => (error: unknown) => log.warn({ err: error }, what);
  const account = createAccount({ world, log, journal, provider, rules: config.banRules });
  const { guard, standing: providerStanding } = account;
  peers.troubles.listener = (trouble) => providerStanding.met(trouble);
  peers.outbox.behind = sqliteOutbox(journal);
  const isOurs = (info: NodeInfo): boolean => {
    try {
      checkNode(info, bound);
      return true;
    } catch (error) {
      if (!(error instanceof WrongBinding)) throw error;
      log.error(error);
      return false;
    }
  };
  const node = boundNode(peers.node, bound.nodePubkey, isOurs);
  const nodeStanding = new NodeStanding(world, node, isOurs, sayRights(log));
  const rates = new RateBook(world, {
    sources: peers.priceSources,
    cache: sqliteRateCache(journal.db),
    ...(peers.sharedRates && { shared: peers.sharedRates }),
    maxAgeMs: config.priceMaxAgeMs,
    observe: (event) => log.debug({ event: event.kind }, "bitcoin rate"),
  });

  const stock = new Stock(world, provider);
  const purchases = new Purchases({
    world,
    journal,
    provider,
    onTrouble: (trouble) => providerStanding.met(trouble),
    onBarred: (service, country, until) => providerStanding.bar(service, country, until),
    mayBuy: (good) => guard.mayBuy(good),
  });
  const notifier = createNotifier(options);
  const reservations = new Reservations(store.stakes());
  const patience = new Patience({ world, store, guard, maxCancelledPerClient: config.maxCancelledPerClient });
  const observer = observeEngine({ log, metrics });
  const gaveWay = metrics.counter(
    "orders_gave_way_total",
    "Unpaid orders that were closed early, because others needed what they held",
  );
  const supervisor: Supervisor = new Supervisor({
    world,
    journal,
    maxResidents: config.maxResidents,
    holds: hold.holds,
    handlers: {
      ...providerEffects({ world, provider, purchases, store, lookFailed: (id) => inbox.lookFailed(id) }),
      ...nodeEffects(node),
      ...addressEffects((question) =>
        askAddress(question, {
          world,
          allowLoopback: peers.sandbox,
          network: bound.network,
          ownPubkey: bound.nodePubkey,
          // Claims of other orders are met when this one claims; only an invoice of our own is found here.
          isTaken: (paymentHash) => journal.hashes.idOf(paymentHash) !== null,
        }),
      ),
      ...noticeEffects(notifier),
    },
    observer: {
      ...observer,
      committed(order, events, before) {
        // Each step is counted here once: not after the log, which may fail.
        reservations.follow(order, before);
        inbox.follow(order, before);
        observer.committed?.(order, events, before);
        options.observer?.committed?.(order, events, before);
        hints.follow(order, events);
        providerStanding.follow(events);
        purchases.follow(order);
        guard.follow(order);
        patience.follow(order, before);
        if (events.some((event) => event.type === "BuyRefused")) stock.doubt(order.terms.good.service);
      },
      crashed(id, error, quarantined) {
        observer.crashed?.(id, error, quarantined);
        options.observer?.crashed?.(id, error, quarantined);
        if (!quarantined) return;
        // A person looks into it, and it keeps nobody else waiting.
        purchases.forget(id);
        inbox.setAside(id);
      },
    },
  });
  const inbox = new Inbox({
    world,
    provider,
    store,
    hint: (id, activationId) => {
      supervisor.tell(id, { type: "Hinted" }).catch((error) => {
        failed("hint not taken")(error);
        // The next poll shows the same news again, and hints again.
        inbox.lookFailed(activationId);
      });
    },
    pollFailed: failed("poll of active numbers failed"),
  });
  const hints = new Hints({ journal, world, supervisor, failed: failed("hint not taken") });

  for (const { id, openedBy } of store.unpaidOwners()) reservations.inherit(id, openedBy);
  const setAside = new Set(store.quarantined().map(({ orderId }) => orderId));
  // A person looks into them: they take no hints, and keep nobody else from buying.
  for (const id of setAside) inbox.setAside(id);
  for (const order of store.beingBought()) {
    guard.follow(order);
    const { state: at, terms, id, doubtSince } = order;
    const asked = at.kind === "buyUnknown" || (at.kind === "buying" && at.step === "asking");
    // One that is in doubt is not looked for meanwhile.
    if (asked && doubtSince === undefined && !setAside.has(id))
      purchases.restore(`${id}:buy:${at.attempt}`, terms.good);
  }

  const destinations = { world, journal, network: bound.network, ownPubkey: bound.nodePubkey };
  const allowLoopback = peers.sandbox;
  const ladder = new RefundLadder({ supervisor, destinations, addresses: { allowLoopback } });
  const opening = new Opening({
    ladder,
    world,
    supervisor,
    node,
    names,
    offers: {
      stock,
      provider,
      closed: (good) =>
        names.blockedCountries.has(good.country) ||
        names.blockedServices.has(good.service) ||
        providerStanding.barred(good.service, good.country) ||
        guard.pauses(good) ||
        purchases.stuck(good),
    },
    admission: new Admission({
      world,
      provider: providerStanding,
      node: nodeStanding,
      reservations,
      limits: config,
      closed: () => (state.draining ? "The server is shutting down" : hold.closed),
      close: (orderId) => sweep.closeEarly(orderId),
      gaveWay: (count) => {
        gaveWay.add(count);
        log.debug({ count }, "unpaid orders gave way to others");
      },
    }),
    destinations,
    patience,
    ownership: new Ownership(world, supervisor),
    rates,
    multiplier: config.multiplier,
    policy: { ...config.policy, refundFeeCap: node.traits.feeCap },
  });
  const desk = new Front({
    world,
    supervisor,
    store,
    keys,
    revocations: options.revocations ?? NOTHING_REVOKED,
    opening,
    destinations,
    ladder,
    limits: { retentionMs: DEFAULT_RETENTION.scrubMs },
    onHint: (activationId) => hints.heard(activationId),
    onRead: () => inbox.nudge(),
  });
  const feed = new SettlementFeed({
    world,
    node,
    loadCursor: () => store.cursor(SETTLEMENT_CURSOR),
    onSettlement: (settlement) => settle(settlement, { world, journal, supervisor }),
    saveCursor: (cursor) => saveCursor(journal, cursor),
    log: (event, detail) => log.info({ ...detail }, event),
  });
  const sweep = new UnpaidSweep({ world, store, supervisor, node, failed: failed("unpaid order not closed") });
  const retention = new Retention({
    world,
    journal,
    supervisor,
    times: { ...DEFAULT_RETENTION, eraseMessagesMs: config.eraseMessagesMs },
    failed: failed("retention round failed"),
  });
  const health = createHealth({
    world,
    startedAt,
    version: VERSION,
    sandbox: peers.sandbox,
    network: bound.network,
    journal,
    node: nodeStanding,
    provider: providerStanding,
    guard,
    rates,
    feed,
    state,
  });
  registerGauges({ metrics, supervisor, inbox, reservations, notifier, rates, health, account });
  const priceRule = `Provider cost in USD at the current BTC/USD rate, times ${config.multiplierText}, rounded up to a sat`;
  const catalog = new Catalog({ world, provider, names, rates, multiplier: config.multiplier, priceRule });

  return {
    desk,
    catalog,
    health,
    priceRule,
    supervisor,

    /** Peers first, so that the first request finds prices; none of them may keep the service from starting. */
    async start(): Promise<void> {
      await Promise.all([rates.start(), providerStanding.start(), nodeStanding.start()]);
      if (state.draining) return;
      await supervisor.start();
      state.rehydrated = true;
      feed.start();
      inbox.start();
      sweep.start();
      retention.start();
    },

    /** From now on nothing new is sold, and `/readyz` says so. */
    close(): void {
      state.draining = true;
    },

    /** Ends all background work; waits up to `limitMs` for effects that are under way. */
    async stop(limitMs: number): Promise<void> {
      state.draining = true;
      sweep.stop();
      retention.stop();
      inbox.stop();
      rates.stop();
      providerStanding.stop();
      nodeStanding.stop();
      await feed.stop();
      await supervisor.drain(limitMs);
      await notifier?.stop();
    },
  };
}

function createNotifier({ peers, world, log }: AssemblyOptions): Notifier | null {
  if (!peers.notifier) return null;
  return new NostrNotifier(world, {
    secretKey: peers.notifier.secretKey,
    discoveryRelays: peers.notifier.relays,
    allowLoopback: peers.sandbox,
    observe: (outcome, orderId) => log.info({ outcome, order: orderId }, "nostr notice"),
  });
}
