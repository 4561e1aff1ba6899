/** What a wallet behind NWC lists of its past (NIP-47: list_transactions), for whoever compares books. */
import type { Millis } from "../../../actors/runtime/world.ts";
import { isObject, malformed } from "../answers.ts";
import type { NodeHistory, Outgoing, PaymentHash, Receipt } from "../port.ts";
import { receivedSince } from "./invoices.ts";
import { outcomeOf } from "./transactions.ts";
import type { Wallet } from "./wallet.ts";

export const createHistory = (wallet: Wallet): NodeHistory => ({
  paid: (since) => paidSince(wallet, since),
  received: async (since): Promise<Receipt[]> =>
    (await receivedSince(wallet, since)).map(({ settlement, transaction: { description, metadata } }) => ({
      ...settlement,
      description,
      key: isObject(metadata) && typeof metadata.order === "string" ? metadata.order : null,
    })),
});

/** `unpaid` brings what is under way and, with most wallets, what failed. @throws NodeUnavailable */
async function paidSince(wallet: Wallet, since: Millis): Promise<Outgoing[]> {
  const from = Math.floor(since / 1000);
  const found = new Map<PaymentHash, Outgoing>();
  for await (const transaction of wallet.list({ type: "outgoing", unpaid: true, from })) {
    const { type, paymentHash, createdAt, amountMsats, invoice } = transaction;
    if (type !== "outgoing") continue;
    if (createdAt === null) throw malformed("list_transactions");
    if (createdAt < from * 1000) continue;
    const outgoing = { paymentHash, bolt11: invoice, startedAt: createdAt, amountMsats, state: outcomeOf(transaction) };
    // Some wallets list every attempt. One that may have paid counts more than one that failed.
    const known = found.get(paymentHash)?.state.kind;
    if (known === "succeeded" || (known !== undefined && outgoing.state.kind === "failed")) continue;
    found.set(paymentHash, outgoing);
  }
  return [...found.values()];
}
