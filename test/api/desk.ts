/**
 * A desk for tests of the HTTP layer: orders in a map, real challenges, and the answers of the application that a test asks
 * for. It remembers what it was asked.
 */

import type { World } from "../../actors/runtime/world.ts";
import { iso } from "../../actors/runtime/world.ts";
import { EXAMPLE_ORDER } from "../../src/api/examples.ts";
import { mintChallenge } from "../../src/l402/challenge.ts";
import type { RootKeys } from "../../src/l402/keys.ts";
import type { Bearer, Challenge, Created, CreateInput, OrderDesk } from "../../src/orders/desk.ts";
import { type Problem, problem } from "../../src/orders/problem.ts";
import type { OrderView } from "../../src/orders/view.ts";
import { mintInvoice } from "../../src/sandbox/lightning/mint.ts";
import { sha256Hex } from "../l402/fixtures.ts";

export interface Sold {
  readonly challenge: Challenge;
  /** What the customer's wallet learns by paying. */
  readonly preimage: string;
  settled: boolean;
}

const PRICE_SATS = 812;
export const LINK_SECRET = "ab".repeat(32);
const INVOICE_MS = 300_000;
export const CREDENTIAL_MS = 86_400_000;

export class TestDesk implements OrderDesk {
  readonly sold = new Map<string, Sold>();
  readonly created: CreateInput[] = [];
  readonly hints: string[] = [];
  readonly calls: string[] = [];
  refundInvoice: string | null = null;
  refundAddress: string | null = null;
  /** The next answers, instead of the usual ones. */
  readonly answers: { create?: Created; read?: Problem; cancel?: Problem; setRefundInvoice?: Problem } = {};
  /** Thrown by every method while set. */
  bug: Error | null = null;
  readonly #keys: RootKeys;
  readonly #world: World;

  constructor(keys: RootKeys, world: World) {
    this.#keys = keys;
    this.#world = world;
  }

  async create(input: CreateInput): Promise<Created> {
    this.#began("create");
    this.created.push(input);
    if (this.answers.create) return this.answers.create;
    const { bearer, unpaidBearer, emptyBody } = input;
    if (bearer && emptyBody && this.sold.has(bearer.orderId)) {
      return { kind: "existing", order: this.#view(bearer.orderId) };
    }
    if (unpaidBearer) {
      const again = await this.challengeAgain(unpaidBearer.orderId, unpaidBearer.macaroon);
      if (!("problem" in again)) return again;
    }
    return this.open().challenge;
  }

  /** A new unpaid order. */
  open(): Sold {
    const orderId = Buffer.from(this.#world.random(16)).toString("hex");
    const preimage = this.#world.random(32);
    const paymentHash = sha256Hex(preimage);
    const now = this.#world.now();
    const invoice = mintInvoice({
      paymentHash,
      timestamp: Math.floor(now / 1000),
      amountMsat: PRICE_SATS * 1000,
      expirySeconds: INVOICE_MS / 1000,
    });
    const { macaroon, header } = mintChallenge({
      keys: this.#keys,
      world: this.#world,
      paymentHash,
      bolt11: invoice,
      orderId,
      validUntil: now + CREDENTIAL_MS,
    });
    const sold: Sold = {
      challenge: {
        kind: "challenge",
        orderId,
        invoice,
        macaroon,
        header,
        priceSats: PRICE_SATS,
        paymentHash,
        expiresAt: iso(now + INVOICE_MS),
      },
      preimage: Buffer.from(preimage).toString("hex"),
      settled: false,
    };
    this.sold.set(orderId, sold);
    return sold;
  }

  /** An order that is paid for. */
  paid(): Sold {
    const sold = this.open();
    sold.settled = true;
    return sold;
  }

  async read(bearer: Bearer): Promise<OrderView | Problem> {
    this.#began("read");
    if (!this.sold.has(bearer.orderId)) return problem("NOT_FOUND", "No such order");
    return this.answers.read ?? this.#view(bearer.orderId);
  }

  async challengeAgain(orderId: string, macaroon: string): Promise<Challenge | Problem> {
    this.#began("challengeAgain");
    const sold = this.sold.get(orderId);
    if (!sold || sold.settled) return problem("INVALID_MACAROON", "A preimage is needed to read this order");
    return { ...sold.challenge, macaroon };
  }

  macaroonOf(bearer: Bearer): string | null {
    return this.sold.get(bearer.orderId)?.challenge.macaroon ?? null;
  }

  async cancel(bearer: Bearer): Promise<OrderView | Problem> {
    this.#began("cancel");
    return this.answers.cancel ?? this.#view(bearer.orderId);
  }

  async setRefundInvoice(bearer: Bearer, refundInvoice: string): Promise<OrderView | Problem> {
    this.#began("setRefundInvoice");
    this.refundInvoice = refundInvoice;
    return this.answers.setRefundInvoice ?? this.#view(bearer.orderId);
  }

  async setRefundAddress(bearer: Bearer, refundAddress: string): Promise<OrderView | Problem> {
    this.#began("setRefundAddress");
    this.refundAddress = refundAddress;
    return this.answers.setRefundInvoice ?? this.#view(bearer.orderId);
  }

  async refundLink(bearer: Bearer): Promise<{ order: OrderView; secret: string } | Problem> {
    this.#began("refundLink");
    // The real desk waits for its commit.
    await new Promise((resolve) => setImmediate(resolve));
    return this.answers.setRefundInvoice ?? { order: this.#view(bearer.orderId), secret: LINK_SECRET };
  }

  withdrawTerms(orderId: string, secret: string): number | { refused: string } {
    this.#began("withdrawTerms");
    return this.sold.has(orderId) && secret === LINK_SECRET ? PRICE_SATS : { refused: "Not valid" };
  }

  async withdraw(orderId: string, secret: string, invoice: string): Promise<"taken" | { refused: string }> {
    this.#began("withdraw");
    this.refundInvoice = invoice;
    return this.sold.has(orderId) && secret === LINK_SECRET ? "taken" : { refused: "Not valid" };
  }

  hint(activationId: string): void {
    this.#began("hint");
    this.hints.push(activationId);
  }

  #view(orderId: string): OrderView {
    return { ...EXAMPLE_ORDER, orderId };
  }

  #began(call: string): void {
    this.calls.push(call);
    if (this.bug) throw this.bug;
  }
}

/** The `Authorization` value that opens an order. */
export const credentialOf = ({ challenge, preimage }: Sold): string => `L402 ${challenge.macaroon}:${preimage}`;
