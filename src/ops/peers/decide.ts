/**
 * What a person found out about one order, told to it while nobody serves: that its refund was paid, that a number was bought for it, that its
 * customer was served, or that none of these happened and it goes on by itself.
 */
import { floorToSats, type Sats } from "../../../actors/order/money.ts";
import type { Order } from "../../../actors/order/state.ts";
import { numberOf } from "../../../actors/order/state.ts";
import { status } from "../../../actors/order/status.ts";
import type { Millis } from "../../../actors/runtime/world.ts";
import type { LightningNode } from "../../lightning/port.ts";
import type { NumberProvider } from "../../provider/port.ts";
import { endOf, isNumberOf, mayBeOfLane } from "../../provider/purchase-match.ts";
import { OurBooks } from "./books.ts";
import { type DoctorPeers, historySince } from "./evidence.ts";
import type { Workbench } from "./workbench.ts";

export type Decision =
  | { readonly kind: "paid"; readonly paymentHash: string }
  | { readonly kind: "bought"; readonly activationId: string }
  | { readonly kind: "served" }
  | { readonly kind: "release" };

export interface Decided {
  readonly ok: boolean;
  readonly words: string;
}

/** A payment is begun after its order was paid; clocks may differ. */
const SKEW_MS = 3_600_000;

const no = (words: string): Decided => ({ ok: false, words });

/** @param peers needed for `paid` and `bought`. @throws NodeUnavailable, ProviderUnavailable, Quarantined, JournalUnavailable */
export async function decideByHand(
  bench: Workbench,
  orderId: string,
  decision: Decision,
  peers: DoctorPeers | null,
): Promise<Decided> {
  const books = new OurBooks(bench.journal.db);
  const order = books.byId(orderId);
  if (!order) return no("No such order");
  switch (decision.kind) {
    case "paid":
      return peers ? paid(bench, order, decision.paymentHash, peers) : no("The node has to be asked");
    case "bought":
      return peers ? bought(bench, order, decision.activationId, peers) : no("The provider has to be asked");
    case "served": {
      await bench.tell(order.id, { type: "Reconciled", finding: { kind: "served" } });
      const after = books.byId(orderId) ?? order;
      if (after.seq === order.seq) {
        return no(
          `${stands(order)}: nothing is owed for it, or a refund may be out (then start the server, which asks the node)`,
        );
      }
      return { ok: true, words: stands(after) };
    }
    case "release": {
      if (order.doubtSince === undefined) return no(`${stands(order)}, and not in doubt`);
      await bench.tell(order.id, { type: "Reconciled", finding: { kind: "doubt_over" } });
      return { ok: true, words: `${stands(order)}; it goes on by itself at the next start, and may be refunded` };
    }
  }
}

async function paid(
  bench: Workbench,
  order: Order,
  paymentHash: string,
  { node, provider }: Pick<DoctorPeers, "node" | "provider">,
): Promise<Decided> {
  if (!order.payment) return no(`${stands(order)}: nothing was paid for it`);
  const owedSats = floorToSats(order.owedMsats);
  const payment = await paymentOf(node, paymentHash, order.payment.settledAt - SKEW_MS, owedSats);
  if (payment === null) return no("The node has paid nothing with this payment hash since the order was paid");
  const books = new OurBooks(bench.journal.db);
  const owner = books.byRefundHash(paymentHash);
  if (owner && owner.id !== order.id) return no(`This payment belongs to order ${owner.id}`);
  const { amountSats, preimage, feeMsats } = payment;
  if (amountSats !== owedSats) return no(`The node paid ${amountSats} sat, and ${owedSats} sat are owed`);
  const numberRefunded = await wasGivenBack(order, provider);
  const finding = { kind: "refund_paid", paymentHash, amountSats, feeMsats, preimage, numberRefunded } as const;
  await bench.tell(order.id, { type: "Reconciled", finding });
  const after = books.byId(order.id);
  if (after?.refund?.paymentHash !== paymentHash) return no(`${stands(order)}: the refund does not fit it`);
  return { ok: true, words: `${stands(after)}; ${amountSats} sat are its refund` };
}

/** A node that lists nothing proves the payment by its hash; its amount is then the person's word. */
async function paymentOf(node: LightningNode, paymentHash: string, since: Millis, owedSats: Sats) {
  const listed = node.history && (await node.history.paid(since)).filter((one) => one.paymentHash === paymentHash);
  const states = listed?.map(({ state }) => state) ?? [await node.lookupPayment(paymentHash)];
  const proof = states.find((state) => state.kind === "succeeded");
  if (!proof) return null;
  const { preimage, feeMsats } = proof;
  const amount = listed?.find(({ state }) => state === proof)?.amountMsats;
  return { preimage, feeMsats, amountSats: amount === undefined ? owedSats : floorToSats(amount) };
}

/** How far back the history is searched for a number: a rental may be days old. */
const SEARCH_MS = 30 * 86_400_000;

async function bought(
  bench: Workbench,
  order: Order,
  activationId: string,
  { provider, world }: Pick<DoctorPeers, "provider" | "world">,
): Promise<Decided> {
  const { good } = order.terms;
  const books = new OurBooks(bench.journal.db);
  const owner = books.byActivation(activationId);
  if (owner) return no(`This activation is that of order ${owner.id}`);
  const active = (await provider.active()).find((row) => row.activationId === activationId);
  const from = Math.max(order.terms.createdAt - SKEW_MS, world.now() - SEARCH_MS);
  const row =
    active ?? (await historySince(provider, from, world.now())).find((one) => one.activationId === activationId);
  if (!row) return no("The provider knows no such activation since the order was opened");
  const boughtAt = "boughtAt" in row ? row.boughtAt : row.at;
  if (!mayBeOfLane(row, good) || !isNumberOf(row.phoneNumber, good) || row.phoneNumber === null || boughtAt === null) {
    return no("The activation is of another service, country or number, or its list does not say enough of it");
  }
  const endsAt = endOf("endsAt" in row ? row.endsAt : null, boughtAt, good);
  const number = { activationId, phoneNumber: row.phoneNumber, cost: row.cost ?? good.maxCost, boughtAt, endsAt };
  await bench.tell(order.id, { type: "Reconciled", finding: { kind: "number", number } });
  const after = books.byId(order.id) ?? order;
  if (after.seq === order.seq) return no(`${stands(order)}: it takes no number any more`);
  return { ok: true, words: `${stands(after)}; its messages are asked for at the next start` };
}

async function wasGivenBack(order: Order, provider: NumberProvider): Promise<boolean> {
  const number = numberOf(order);
  return number !== null && (await provider.look(number.activationId, number.boughtAt)).standing === "refunded";
}

const stands = (order: Order): string => `Order ${order.id} is ${status(order)} (${order.state.kind})`;
