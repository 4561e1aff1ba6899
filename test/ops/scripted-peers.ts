/** Node and provider that say what a test lets them say, to begin with just what the database says too. */
import { msats } from "../../actors/order/money.ts";
import type { Order } from "../../actors/order/state.ts";
import { numberOf } from "../../actors/order/state.ts";
import { parseOrder, STATE } from "../../actors/runtime/texts.ts";
import type { LightningNode, MayPay, NodeHistory, NodeInfo, Outgoing, Receipt } from "../../src/lightning/port.ts";
import { NodeUnavailable } from "../../src/lightning/port.ts";
import type { OpenPeers } from "../../src/ops/doctor.ts";
import { OurBooks } from "../../src/ops/peers/books.ts";
import type { ActiveActivation, CancelOutcome, NumberProvider, PastActivation } from "../../src/provider/port.ts";
import { type Lives, NODE } from "./doctor-life.ts";

const unasked = (): never => {
  throw new Error("Not for a doctor to ask");
};

export class ScriptedPeers {
  paid: Outgoing[] = [];
  /** Null when the list cannot be read. */
  received: Receipt[] | null = [];
  active: ActiveActivation[] = [];
  past: PastActivation[] = [];
  cancelAnswer: CancelOutcome = { kind: "cancelled" };
  readonly cancelled: string[] = [];
  /** Whether the node can list its past. */
  lists = true;
  pubkey = NODE;
  account = "account";
  readonly #world: Lives["world"];

  constructor({ world, journal }: Lives) {
    this.#world = world;
    const books = new OurBooks(journal.db);
    for (const { state } of journal.db.query<{ state: string }, []>(`SELECT ${STATE} FROM orders`).all()) {
      const order = parseOrder(state);
      const { payment, refund, terms } = order;
      if (payment) {
        const { settledAt, receivedMsats } = payment;
        this.received?.push({ ...ours, paymentHash: terms.paymentHash, settledAt, receivedMsats });
      }
      if (refund) {
        const { paymentHash, preimage, feeMsats, amountSats, at } = refund;
        this.pays(paymentHash, amountSats, { kind: "succeeded", preimage, feeMsats }, at);
      }
      for (const { activationId, boughtAt, end } of books.numbersOf(order.id)) {
        const isOver = order.state.kind === "done" || numberOf(order)?.activationId !== activationId;
        if (isOver) this.ended(activationId, order, boughtAt, end === "refunded" ? "refunded" : "finished");
        else this.opened(activationId, order, boughtAt);
      }
    }
  }

  /** Whether the node would pay refunds. */
  rights: MayPay = { ok: true };

  pays(paymentHash: string, sats: number, state: Outgoing["state"], startedAt = this.#world.now()): void {
    this.paid.push({ paymentHash, bolt11: null, startedAt, amountMsats: msats(sats * 1000), state });
  }

  opened(
    activationId: string,
    { terms }: Pick<Order, "terms">,
    boughtAt = this.#world.now(),
    phoneNumber: string | null = null,
  ): void {
    const { service, country, type } = terms.good;
    const rental = type === "rent-number";
    const row = { activationId, service, country, boughtAt, rental, endsAt: null, newest: null, message: null };
    this.active.push({ ...row, phoneNumber, cost: null });
  }

  ended(
    activationId: string,
    { terms }: Pick<Order, "terms">,
    at: number,
    standing: PastActivation["standing"] = "finished",
  ): void {
    const { service, country } = terms.good;
    this.forget(activationId);
    this.past = this.past.filter((row) => row.activationId !== activationId);
    this.past.push({ activationId, service, country, at, standing, phoneNumber: null, cost: null });
  }

  forget(activationId: string): void {
    this.active = this.active.filter((row) => row.activationId !== activationId);
  }

  /** For `DoctorOptions`. */
  readonly connect = async (): Promise<OpenPeers> => ({
    world: this.#world,
    node: this.#node(),
    provider: this.#provider(),
    close: async () => {},
  });

  #node(): LightningNode {
    const info: NodeInfo = { pubkey: this.pubkey, network: "bcrt", alias: "", synced: true };
    return {
      traits: {
        name: "scripted",
        provenBy: "invoices",
        settlesAfterExpiryMs: 0,
        feeLimit: "node",
        timeLimit: true,
        feeCap: { leastSats: 2, baseSats: 0, ppm: 5_000 },
      },
      info: async () => info,
      balance: unasked,
      createInvoice: unasked,
      lookupInvoice: unasked,
      cancelInvoice: unasked,
      settlements: unasked,
      settledSince: async (since) =>
        (this.received ?? [])
          .filter(({ settledAt }) => settledAt >= since)
          .map(({ paymentHash, settledAt, receivedMsats }) => ({ paymentHash, settledAt, receivedMsats })),
      pay: unasked,
      mayPay: async () => this.rights,
      lookupPayment: async (hash) =>
        this.paid.find(({ paymentHash }) => paymentHash === hash)?.state ?? { kind: "never_sent" },
      ...(this.lists && { history: this.#history() }),
    };
  }

  #history(): NodeHistory {
    return {
      paid: async (since) => this.paid.filter(({ startedAt }) => startedAt >= since),
      received: async (since) => {
        if (!this.received) throw new NodeUnavailable("the list broke off");
        return this.received.filter(({ settledAt }) => settledAt >= since);
      },
    };
  }

  #provider(): NumberProvider {
    const standing = (id: string) => this.past.find(({ activationId }) => activationId === id)?.standing ?? "open";
    return {
      balance: unasked,
      accountFingerprint: () => this.account,
      smsOffers: unasked,
      rentalOffers: unasked,
      reactivationOffer: unasked,
      countries: unasked,
      services: unasked,
      buyActivation: unasked,
      buyRental: unasked,
      reactivate: unasked,
      finish: unasked,
      look: async (id) => ({ standing: standing(id), messages: [] }),
      cancel: async (id) => {
        this.cancelled.push(id);
        return this.cancelAnswer;
      },
      active: async () => this.active,
      listing: unasked,
      history: async (from, to) => this.past.filter(({ at }) => at !== null && at >= from && at <= to),
    };
  }
}

const ours = { description: "SMS verification number", key: null } as const;
