/** Customers of every kind: impatient, silent, cancelling at the worst instant, paying late, replaying, careless with refund invoices. */
import type { Bearer, Challenge, OrderDesk, OrderRequest } from "../../src/orders/desk.ts";
import type { OrderView } from "../../src/orders/view.ts";
import type { LightningPeer } from "../../src/sandbox/lightning/peer.ts";
import type { ProviderPeer } from "../../src/sandbox/provider/peer.ts";
import type { Chance } from "./time.ts";

export interface Town {
  readonly chance: Chance;
  readonly lightning: LightningPeer;
  readonly provider: ProviderPeer;
  now(): number;
  sleep(ms: number): Promise<void>;
  /** Asks the service; null when it is down, or died before it answered. */
  ask<T>(question: (desk: OrderDesk) => Promise<T>): Promise<T | null>;
  /** Payment hashes of invoices that were paid. */
  readonly paid: Set<string>;
  /** A refund invoice that several customers use. */
  shared: string | null;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const OVER = new Set(["completed", "refunded", "failed", "expired"]);

export async function customer(town: Town): Promise<void> {
  const { chance } = town;
  const type = chance.hits(0.15) ? "rent-number" : "receive-sms";
  const request: OrderRequest = {
    type,
    service: chance.one(["tg", "wa", "ot"]),
    country: chance.one(["US", "GB", 6, "auto"]),
    ...(type === "rent-number" && { durationMinutes: chance.one([60, 120]) }),
    ...refundInvoice(town),
  };
  const challenge = await order(town, request);
  if (!challenge) return;
  if (!(await pay(town, challenge))) return;
  const bearer: Bearer = { orderId: challenge.orderId, paymentHash: challenge.paymentHash, capabilities: "all" };
  if (chance.hits(0.1)) return; // Pays and is never seen again.
  const view = await live(town, bearer, type);
  if (view?.status === "completed" && type === "receive-sms" && chance.hits(0.4)) await reactivate(town, bearer);
}

function refundInvoice(town: Town): { refundInvoice?: string } {
  const { chance, lightning } = town;
  if (chance.hits(0.2)) return {};
  if (chance.hits(0.08)) {
    town.shared ??= lightning.wallet.invoice({ expirySeconds: 7_200 }).invoice;
    return { refundInvoice: town.shared };
  }
  return { refundInvoice: lightning.wallet.invoice({ expirySeconds: chance.one([1_805, 2_400, 7_200]) }).invoice };
}

async function order(
  town: Town,
  request: OrderRequest,
  more: { bearer?: Bearer; parent?: Bearer } = {},
): Promise<Challenge | null> {
  const { chance } = town;
  const idempotencyKey = chance.hits(0.3) ? chance.bytes(16).toHex() : null;
  for (let tries = 0; tries < 4; tries++) {
    const input = {
      request,
      emptyBody: false,
      client: `10.0.0.${chance.below(50)}`,
      idempotencyKey,
      bearer: more.bearer ?? null,
      unpaidBearer: null,
      parent: more.parent ?? null,
    };
    const created = await town.ask((desk) => desk.create(input));
    if (created && "kind" in created && created.kind === "challenge") return created;
    await town.sleep(chance.below(30) * SECOND);
  }
  return null;
}

async function pay(town: Town, challenge: Challenge): Promise<boolean> {
  const { chance, lightning, paid } = town;
  if (chance.hits(0.1)) return false;
  await town.sleep(chance.hits(0.1) ? 295 * SECOND + chance.below(6_000) : chance.below(40) * SECOND);
  try {
    await lightning.wallet.pay(challenge.invoice);
    paid.add(challenge.paymentHash);
    return true;
  } catch {
    return false; // Expired or cancelled meanwhile: the wallet keeps its money.
  }
}

/** Polls, receives, cancels, hands in refund invoices, until the order is over or patience is. */
async function live(town: Town, bearer: Bearer, type: string): Promise<OrderView | null> {
  const { chance, provider } = town;
  const smsAt = chance.hits(0.55) ? town.now() + chance.below(25 * MINUTE) : null;
  const cancelAt = chance.hits(0.35) ? town.now() + chance.below(21 * MINUTE) : null;
  const patience = town.now() + (type === "rent-number" ? 150 * MINUTE : 60 * MINUTE);
  let sent = 0;
  let cancels = 0;
  let last: OrderView | null = null;
  while (town.now() < patience) {
    await town.sleep(chance.one([5, 20, 60, 120]) * SECOND);
    const view = await town.ask((desk) => desk.read(bearer));
    if (!view || "problem" in view) continue;
    last = view;
    if (OVER.has(view.status) && view.next.action === "none") return view;
    if (view.phoneNumber && smsAt !== null && town.now() >= smsAt && sent < 2) {
      sent++;
      provider.deliver({ phoneNumber: view.phoneNumber, text: `Your code is ${100_000 + chance.below(900_000)}` });
    }
    if (cancelAt !== null && town.now() >= cancelAt && cancels < 3) {
      cancels++;
      // At the worst instant: an SMS on its way at the same time.
      if (view.phoneNumber && chance.hits(0.2))
        provider.deliver({ phoneNumber: view.phoneNumber, text: "Code 777777" });
      await town.ask((desk) => desk.cancel(bearer));
    }
    if (view.next.action === "give_refund_invoice" && chance.hits(0.3)) {
      const { invoice } = town.lightning.wallet.invoice({ expirySeconds: chance.one([1_900, 7_200]) });
      await town.ask((desk) => desk.setRefundInvoice(bearer, invoice));
    }
  }
  return last;
}

async function reactivate(town: Town, parent: Bearer): Promise<void> {
  const request: OrderRequest = { type: "receive-sms-reactivate", orderId: parent.orderId };
  const challenge = await order(town, request, town.chance.hits(0.5) ? { parent } : { bearer: parent });
  if (!challenge || !(await pay(town, challenge))) return;
  await live(
    town,
    { orderId: challenge.orderId, paymentHash: challenge.paymentHash, capabilities: "all" },
    "receive-sms",
  );
}
