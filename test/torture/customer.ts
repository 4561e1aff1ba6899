/**
 * One customer: buys every type of order, pays at once, late or never, polls, gets an SMS, cancels, names refund invoices, replays, and
 * comes back for another code. Answers that got lost are shrugged at or asked for again; what was answered is kept.
 */
import type { OrderView } from "../../src/orders/view.ts";
import type { Chance } from "../simulation/chance.ts";
import type { ChallengeBody } from "../support/server.ts";
import type { Answer } from "./api.ts";
import type { Plan, Purchase } from "./heard.ts";
import type { Town } from "./town.ts";

const MAX_OPEN = 7;
const SERVICES = ["tg", "wa", "go", "fb", "ot"] as const;
const COUNTRIES = ["US", "GB", "DE", "IN"] as const;
const OVER = new Set(["completed", "refunded", "failed", "expired", "refund_failed"]);
/** Asked again with the same Idempotency-Key, for as long as the service may be down. */
const MAX_TRIES = 40;

interface Order {
  readonly purchase: Purchase;
  /** Payment is held back until then, in the time of the sandbox. */
  readonly payAt: number;
  /** SMS still to be sent. */
  sms: number;
  /** Never names a refund invoice again. */
  readonly careless: boolean;
}

export class Customer {
  readonly #town: Town;
  readonly #chance: Chance;
  #open: Order[] = [];
  /** Used twice on purpose, now and then. */
  #oldInvoice: string | null = null;

  constructor(town: Town) {
    this.#town = town;
    this.#chance = town.chance;
  }

  /** Until the town unloads its customers. */
  async live(): Promise<void> {
    const chance = this.#chance;
    while (this.#town.loaded) {
      await this.#town.admission();
      if (this.#open.length < MAX_OPEN && (this.#open.length === 0 || chance.hits(0.35))) await this.#buy();
      else if (chance.hits(0.08)) await this.#remember();
      else await this.#step(chance.one(this.#open));
      await Bun.sleep(chance.below(12));
    }
  }

  /** One more step with every order that is not over. */
  async finish(): Promise<void> {
    for (const order of [...this.#open]) await this.#step(order);
  }

  /** Looks at any old order again: what was shown must still hold. */
  async #remember(): Promise<void> {
    const old = this.#town.heard.purchases.filter(({ preimage }) => preimage !== null);
    if (old.length > 0) await this.#read(this.#chance.one(old));
  }

  async #buy(): Promise<void> {
    const chance = this.#chance;
    const parent = chance.hits(0.15) ? this.#completed() : null;
    const request = parent
      ? ({ type: "receive-sms-reactivate", orderId: parent.orderId } as const)
      : await this.#request();
    const key = chance.hits(0.5) ? Buffer.from(chance.bytes(18)).toString("base64url") : null;
    const authorization = parent === null ? {} : { authorization: credential(parent) };
    const ask = () => this.#town.api.call("buy", "", { ...authorization, key, body: request });
    let answer = await ask();
    // Without a key, asking again is another order: whoever has none gives up.
    for (let tries = 0; answer === null && key !== null && this.#town.loaded && tries < MAX_TRIES; tries++) {
      await Bun.sleep(20);
      answer = await ask();
    }
    if (answer === null) return void (await Bun.sleep(10));
    const challenge = this.#offer(answer);
    if (!challenge) return;
    const purchase: Purchase = {
      orderId: challenge.orderId,
      type: request.type,
      request,
      challenge,
      key,
      mark: answer.mark,
      plan: this.#plan(request.type),
      preimage: null,
      unpayable: false,
      sights: [],
      texts: [],
      cancelled: null,
      destinations: [],
      sms: 0,
    };
    this.#town.heard.opened(purchase);
    const wait = chance.hits(0.1) ? 250_000 + chance.below(60_000) : chance.hits(0.1) ? chance.below(40_000) : 0;
    const sms = purchase.plan === "code" ? 1 + chance.below(request.type === "rent-number" ? 3 : 2) : 0;
    const order = { purchase, payAt: this.#town.clock.now() + wait, sms, careless: chance.hits(0.1) };
    if (chance.hits(0.07)) return;
    this.#open.push(order);
    if (key !== null && chance.hits(0.15)) {
      const again = await ask();
      if (again?.status === 402) this.#town.heard.openedAgain(purchase, again.body as ChallengeBody);
    }
    if (wait === 0) await this.#step(order);
  }

  async #request() {
    const chance = this.#chance;
    if (chance.hits(0.08)) {
      return { type: "rent-number", service: "full", country: "US", durationMinutes: chance.one([60, 120]) } as const;
    }
    const refundInvoice = chance.hits(0.8) ? await this.#refundInvoice() : undefined;
    const good = { type: "receive-sms", service: chance.one(SERVICES), country: chance.one(COUNTRIES) } as const;
    return { ...good, ...(refundInvoice !== undefined && { refundInvoice }) };
  }

  #plan(type: string): Plan {
    const draw = this.#chance.next();
    if (draw < 0.04) return "vanish";
    if (type !== "receive-sms") return draw < 0.85 ? "code" : "silent";
    return draw < 0.5 ? "code" : draw < 0.75 ? "cancel" : draw < 0.87 ? "race" : "silent";
  }

  #completed(): Purchase | null {
    const own = this.#town.heard.purchases.filter(
      ({ type, sights }) => type === "receive-sms" && sights.at(-1)?.status === "completed",
    );
    return own.length > 0 ? this.#chance.one(own) : null;
  }

  async #refundInvoice(): Promise<string> {
    if (this.#oldInvoice !== null && this.#chance.hits(0.05)) return this.#oldInvoice;
    const expirySeconds = this.#chance.hits(0.1) ? 1_830 : 14_400;
    const { invoice } = await this.#town.peers.control<{ invoice: string }>("POST", "/wallet/invoice", {
      expirySeconds,
    });
    this.#oldInvoice = invoice;
    return invoice;
  }

  /** The offer of a 402; anything else is a refusal, noted. */
  #offer({ status, body }: Answer): ChallengeBody | null {
    if (status === 402) return body as ChallengeBody;
    this.#town.refused(status, codeOf(body));
    return null;
  }

  async #pay({ purchase }: Order): Promise<boolean> {
    const { town } = { town: this.#town };
    town.happens("paying");
    try {
      const { preimage } = await town.peers.pay(purchase.challenge.invoice);
      purchase.preimage = preimage;
      town.happens("paid");
      return true;
    } catch (error) {
      if (!/expired|cancelled/.test(String(error))) throw error;
      purchase.unpayable = true;
      return false;
    }
  }

  async #step(order: Order): Promise<void> {
    const { purchase } = order;
    const chance = this.#chance;
    if (purchase.preimage === null) {
      if (this.#town.clock.now() < order.payAt) return;
      if (!(await this.#pay(order))) return this.#drop(order);
      if (purchase.plan === "vanish") return this.#drop(order);
    }
    if (chance.hits(0.03)) await this.#replay(purchase);
    const view = await this.#read(purchase);
    if (!view) return;
    if (OVER.has(view.status) && (view.next.action === "none" || order.careless)) return this.#drop(order);
    if (view.next.action === "give_refund_invoice" && !order.careless && chance.hits(0.5))
      await this.#redirect(purchase);
    if (view.phoneNumber !== null && order.sms > 0 && !OVER.has(view.status)) await this.#text(order, view.phoneNumber);
    const cancels = purchase.plan === "cancel" || purchase.plan === "race";
    const from = view.cancelAvailableAt === null ? Number.POSITIVE_INFINITY : Date.parse(view.cancelAvailableAt);
    const early = chance.hits(0.02);
    if (cancels && view.status === "waiting_for_sms" && (early || this.#town.clock.now() >= from)) {
      const racing = purchase.plan === "race" && view.phoneNumber !== null && purchase.sms === 0;
      await Promise.all([this.#cancel(purchase), racing && this.#text(order, view.phoneNumber ?? "")]);
    }
  }

  #drop(order: Order): void {
    this.#open = this.#open.filter((other) => other !== order);
  }

  async #read(purchase: Purchase): Promise<OrderView | null> {
    return this.#seen(purchase, await this.#town.api.call("read", `/${purchase.orderId}`, owner(purchase)));
  }

  /** Buying again with the credential of an order that lives shows that order; once it is over, it is a new purchase. */
  async #replay(purchase: Purchase): Promise<void> {
    const answer = await this.#town.api.call("buy", "", { ...owner(purchase), body: purchase.request });
    if (answer?.status === 200) this.#seen(purchase, answer);
  }

  async #cancel(purchase: Purchase): Promise<void> {
    const answer = await this.#town.api.call("cancel", `/${purchase.orderId}/cancel`, { ...owner(purchase), body: {} });
    const view = this.#seen(purchase, answer);
    if (answer && view && !OVER.has(view.status)) purchase.cancelled ??= { mark: answer.mark };
  }

  async #redirect(purchase: Purchase): Promise<void> {
    const refundInvoice = await this.#refundInvoice();
    const answer = await this.#town.api.call("redirect", `/${purchase.orderId}/refund-invoice`, {
      ...owner(purchase),
      body: { refundInvoice },
    });
    if (answer && this.#seen(purchase, answer))
      purchase.destinations.push({ invoice: refundInvoice, mark: answer.mark });
  }

  /** Notes what a 200 shows; counts refusals. */
  #seen(purchase: Purchase, answer: Answer | null): OrderView | null {
    if (answer === null) return null;
    if (answer.status !== 200) {
      this.#town.refused(answer.status, codeOf(answer.body));
      return null;
    }
    const view = answer.body as OrderView;
    this.#town.heard.saw(purchase, view, { at: this.#town.clock.latest(), mark: answer.mark });
    return view;
  }

  async #text(order: Order, phoneNumber: string): Promise<void> {
    order.sms--;
    this.#town.happens("texting");
    const text = `Your code is ${100_000 + this.#chance.below(900_000)}`;
    try {
      await this.#town.peers.sms(phoneNumber, text);
      order.purchase.sms++;
    } catch (error) {
      // The number ended a moment ago.
      if (!String(error).includes("NOT_FOUND")) throw error;
    }
    this.#town.happens("texted");
  }
}

const credential = ({ challenge, preimage }: Purchase): string => `L402 ${challenge.macaroon}:${preimage}`;
const owner = (purchase: Purchase) => ({ authorization: credential(purchase) });

const codeOf = (body: unknown): string => (body as { error?: { code?: string } }).error?.code ?? "without a code";
