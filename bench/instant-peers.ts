/**
 * A node and a provider that answer at once, at their ports: what is measured with them is the service alone. Invoices are real, and signed
 * before anybody asks for one; numbers come without end.
 */
import { createHash, randomBytes } from "node:crypto";
import { microUsd, msats, sats } from "../actors/order/money.ts";
import { DEFAULT_FEE_CAP } from "../actors/order/policy.ts";
import type { LightningNode, Settlement } from "../src/lightning/port.ts";
import type { ActiveActivation, NumberProvider, ProviderMessage } from "../src/provider/port.ts";
import { mintInvoice, publicKey } from "../src/sandbox/lightning/mint.ts";

const NODE_KEY = new Uint8Array(32).fill(0x21);
const NODE = publicKey(NODE_KEY);
const COST = microUsd(100_000);
const PLENTY = 1_000_000;
const CODE = "123456";
const LIFE_MS = 1_200_000;

export interface InstantNode extends LightningNode {
  /** A customer pays. @returns the preimage */
  pays(paymentHash: string): string;
}

/** @param amountSats what every order costs. @param count of invoices */
export function instantNode(count: number, amountSats: number, now: () => number): InstantNode {
  const preimages = new Map<string, string>();
  const timestamp = Math.floor(now() / 1_000);
  const invoices = Array.from({ length: count }, () => {
    const preimage = randomBytes(32);
    const paymentHash = createHash("sha256").update(preimage).digest("hex");
    preimages.set(paymentHash, preimage.toString("hex"));
    const bolt11 = mintInvoice({ paymentHash, timestamp, secretKey: NODE_KEY, amountMsat: amountSats * 1_000 });
    return { bolt11, paymentHash, node: NODE };
  });
  const settled: Settlement[] = [];
  let wake = () => {};
  let cursor = 0;
  const notAsked = () => Promise.reject(new Error("Not asked of this node"));
  return {
    traits: {
      name: "instant",
      provenBy: "answers",
      settlesAfterExpiryMs: 0,
      feeLimit: "node",
      timeLimit: true,
      feeCap: DEFAULT_FEE_CAP,
    },
    info: async () => ({ pubkey: NODE, network: "bcrt", alias: "instant", synced: true }),
    balance: async () => ({ outboundSats: sats(100_000_000_000), inboundSats: null }),
    async createInvoice(wanted) {
      if (wanted.amountSats !== amountSats) throw new Error(`An order costs ${wanted.amountSats} sats`);
      const invoice = invoices.pop();
      if (!invoice) throw new Error("No signed invoice is left");
      return invoice;
    },
    lookupInvoice: notAsked,
    cancelInvoice: notAsked,
    async *settlements(_, signal) {
      signal.addEventListener("abort", () => wake(), { once: true });
      while (!signal.aborted) {
        const settlement = settled.shift();
        if (settlement) yield { settlement, cursor: String(++cursor) };
        else await new Promise<void>((go) => (wake = go));
      }
    },
    settledSince: async () => [],
    pay: notAsked,
    lookupPayment: notAsked,
    mayPay: async () => ({ ok: true }),
    pays(paymentHash) {
      const preimage = preimages.get(paymentHash);
      if (preimage === undefined) throw new Error("No such invoice, or it is paid");
      preimages.delete(paymentHash);
      settled.push({ paymentHash, settledAt: now(), receivedMsats: msats(amountSats * 1_000) });
      wake();
      return preimage;
    },
  };
}

export interface InstantProvider extends NumberProvider {
  /** An SMS arrives at this number. @returns its activation, as the webhook tells it */
  receives(phoneNumber: string): string;
}

/** @param firstId of its activations: a database that was used before knows those of then. */
export function instantProvider(now: () => number, firstId: number): InstantProvider {
  const open = new Map<string, { row: ActiveActivation; readonly messages: ProviderMessage[] }>();
  let ids = firstId;
  const notAsked = () => Promise.reject(new Error("Not asked of this provider"));
  return {
    balance: async () => microUsd(1_000_000_000_000),
    accountFingerprint: () => "instant",
    smsOffers: async ({ country, service }) =>
      country === undefined || service === undefined ? [] : [{ country, service, cost: COST, stock: PLENTY }],
    rentalOffers: notAsked,
    reactivationOffer: notAsked,
    countries: notAsked,
    services: notAsked,
    async buyActivation({ service, country }) {
      const activationId = String(ids++);
      const phoneNumber = `+1${activationId.padStart(10, "0")}`;
      const bought = { activationId, service, country, phoneNumber, cost: COST, endsAt: now() + LIFE_MS };
      open.set(activationId, {
        row: { ...bought, boughtAt: now(), rental: false, newest: null, message: null },
        messages: [],
      });
      return { kind: "bought", bought: { ...bought, currency: 840 } };
    },
    buyRental: notAsked,
    reactivate: notAsked,
    look: async (id) => ({ standing: "open", messages: open.get(id)?.messages ?? [] }),
    cancel: notAsked,
    async finish(id) {
      open.delete(id);
      return { kind: "finished" };
    },
    active: async () => Array.from(open.values(), ({ row }) => row),
    listing: async () => ({ at: now(), toldAt: now(), rows: Array.from(open.values(), ({ row }) => row) }),
    history: async () => [],
    receives(phoneNumber) {
      const activationId = String(Number(phoneNumber.slice(2)));
      const activation = open.get(activationId);
      if (!activation) throw new Error("No such number, or it has ended");
      const text = `Your code is ${CODE}`;
      activation.messages.push({ id: `${activationId}1`, code: CODE, text, from: "Telegram", receivedAt: now() });
      activation.row = { ...activation.row, newest: CODE };
      return activationId;
    },
  };
}
