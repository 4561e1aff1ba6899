/** The engine's events as log lines and metrics. What an order holds stays in the order: only ids, kinds and words go out. */
import type { OrderEvent } from "../../actors/order/events.ts";
import type { Order } from "../../actors/order/state.ts";
import { status } from "../../actors/order/status.ts";
import { ORDER_TYPES } from "../../actors/order/terms.ts";
import type { Observer, Supervisor } from "../../actors/runtime/supervisor.ts";
import type { MayPay } from "../lightning/port.ts";
import type { Notifier } from "../notices/port.ts";
import type { Reservations } from "../orders/reservations.ts";
import type { RateBook } from "../pricing/rate.ts";
import type { Guard } from "../provider/guard.ts";
import type { Inbox } from "../provider/inbox.ts";
import type { ProviderStanding } from "../provider/standing.ts";
import type { HealthDesk } from "./health.ts";
import type { Log } from "./logs.ts";
import type { Metrics } from "./metrics.ts";

const OUTCOMES = ["completed", "refunded", "failed", "expired"] as const;

export function observeEngine({ log, metrics }: { readonly log: Log; readonly metrics: Metrics }): Observer {
  const opened = metrics.counter("orders_opened_total", "Orders opened, by type", { type: ORDER_TYPES });
  const paid = metrics.counter("orders_paid_total", "Orders paid, by type", { type: ORDER_TYPES });
  const ended = metrics.counter("orders_ended_total", "Paid orders that ended, by outcome", { outcome: OUTCOMES });
  const attention = metrics.counter("orders_attention_total", "Orders that began to wait for a person");
  const overQuote = metrics.counter("provider_over_quote_total", "Numbers that cost more than was quoted");
  const refundFees = metrics.counter("refund_fees_msats_total", "Routing fees paid for refunds, millisats");
  const quarantines = metrics.counter("orders_quarantined_total", "Orders that broke and were set aside");
  const lost = metrics.counter("effects_failed_total", "Effects whose handler failed");

  function one(order: Order, event: OrderEvent): void {
    const fields = { order: order.id, event: event.type, status: status(order) };
    switch (event.type) {
      case "Opened":
        opened.inc({ type: order.terms.good.type });
        return log.debug(fields, "order opened");
      case "PaymentSettled":
        paid.inc({ type: order.terms.good.type });
        return log.info({ ...fields, sats: order.terms.priceSats, late: event.payment.late }, "order paid");
      case "NumberBought":
        if (event.overQuote > 0) {
          overQuote.inc();
          return log.warn({ ...fields, overMicroUsd: event.overQuote }, "number dearer than quoted");
        }
        return log.debug(fields, "number bought");
      case "BuyRefused":
      case "BuyLost":
      case "RefundAttemptFailed":
      case "RefundUncertain":
        return log.warn({ ...fields, reason: event.reason }, "order step failed");
      case "RefundStuck":
        return log.warn({ ...fields, reason: event.why }, "refund waits for a destination");
      case "AttentionRaised":
        attention.inc();
        return log.error({ ...fields, reason: event.reason }, "order waits for a person");
      case "RefundPaid":
        refundFees.add(event.feeMsats);
        return log.debug(fields, "refund paid");
      case "Ended":
        ended.inc({ outcome: event.as });
        return log.info(fields, "order ended");
      default:
        return log.debug(fields, "order step");
    }
  }

  return {
    committed(order, events) {
      for (const event of events) one(order, event);
    },
    crashed(id, error, quarantined) {
      if (quarantined) quarantines.inc();
      log.error({ order: id, err: error, quarantined }, "order crashed");
    },
    effectFailed(kind, error) {
      lost.inc();
      log.error({ effect: kind, err: error }, "effect failed");
    },
  };
}

export interface GaugeSources {
  readonly metrics: Metrics;
  readonly supervisor: Supervisor;
  readonly inbox: Inbox;
  readonly reservations: Reservations;
  readonly notifier: Notifier | null;
  readonly rates: Pick<RateBook, "ageMs">;
  readonly health: HealthDesk;
  readonly account: { readonly guard: Guard; readonly standing: ProviderStanding };
}

export function registerGauges(sources: GaugeSources): void {
  const { metrics, supervisor, inbox, reservations, notifier, rates, health, account } = sources;
  const { guard, standing } = account;
  metrics.gauge("actors_resident", "Orders in memory", () => supervisor.residents);
  metrics.gauge("effects_running", "Effects under way", () => supervisor.runningEffects);
  metrics.gauge(
    "effects_held",
    "Effects held back, because their order is in doubt or money is paused",
    () => supervisor.heldEffects,
  );
  metrics.gauge("money_paused", "1 after a restore, until the books were compared", () =>
    health.report().database.paused ? 1 : 0,
  );
  metrics.gauge("numbers_watched", "Numbers that wait for messages", () => inbox.watching);
  metrics.gauge("notices_pending", "Nostr notices waiting", () => notifier?.pending() ?? 0);
  metrics.gauge("rate_age_seconds", "Age of the BTC/USD rate", () => {
    const age = rates.ageMs();
    return age === null ? null : age / 1_000;
  });
  metrics.gauge("orders_unpaid", "Open invoices", () => reservations.unpaid);
  metrics.gauge("refunds_held_sats", "Sats of refunds that are in flight", () => reservations.heldSats);
  metrics.gauge("lightning_up", "Whether the node can be sold through", () => (health.report().lightning.ok ? 1 : 0));
  metrics.gauge("provider_up", "Whether the provider can be sold from", () => (health.report().provider.ok ? 1 : 0));
  metrics.gauge("provider_success_ratio", "Share of the numbers of 24 hours that got an SMS", () =>
    guard.successRatio(),
  );
  metrics.gauge("provider_sales_paused", "1 while too few numbers of the account got an SMS", () =>
    guard.pausesAll() ? 1 : 0,
  );
  metrics.gauge("provider_pairs_paused", "Services and countries not sold, likewise", () => guard.pausedCount());
  metrics.gauge(
    "provider_pairs_barred",
    "Services and countries that the provider does not sell us",
    () => standing.bars,
  );
}

/** For `NodeStanding`: what it means for the operator when the node may not pay, or may again. */
export const sayRights =
  (log: Log) =>
  (may: MayPay): void => {
    if (may.ok) return log.info("the node may pay now: refundable orders are sold");
    const { reason } = may;
    log.error({ reason }, "the node can only receive: no refundable order is sold, and refunds wait for a person");
  };
