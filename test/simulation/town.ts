/** The place where customers live: a clock, a wallet, a phone, and the service at its desk or over HTTP. */
import type { Millis } from "../../actors/runtime/world.ts";
import type { Bearer, Created, CreateInput, OrderDesk } from "../../src/orders/desk.ts";
import type { Problem } from "../../src/orders/problem.ts";
import { isProblem } from "../../src/orders/problem.ts";
import type { OrderView } from "../../src/orders/view.ts";
import type { LightningPeer } from "../../src/sandbox/lightning/peer.ts";
import type { ProviderPeer } from "../../src/sandbox/provider/peer.ts";
import { type Host, ORIGIN, type Running } from "./host.ts";
import type { Time } from "./time.ts";

/** An order of a customer, with what opens it. */
export interface Ticket {
  readonly orderId: string;
  readonly paymentHash: string;
  readonly invoice: string;
  readonly priceSats: number;
  /** Base64, as it came in the challenge. */
  readonly macaroon: string;
  /** Once it was paid. */
  preimage: string | null;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** What is learned from the service's answers; the checker listens. */
export interface Listener {
  /** An answer about an order: nothing in it may be ahead of what is durable. */
  told(ticket: Pick<Ticket, "orderId" | "paymentHash">, view: OrderView): void;
  /** A challenge: its order must be durable. */
  challenged(ticket: Ticket): void;
  refused(problem: Problem): void;
  http(answer: HttpAnswer, text: string): void;
  /** Secrets of a customer: nowhere but in answers to that customer. */
  secret(text: string): void;
  /** An SMS is on its way to this number. */
  sms(phoneNumber: string, text: string, code: string | null): void;
  paid(paymentHash: string): void;
}

export interface TownOptions {
  readonly time: Time;
  readonly host: Pick<Host, "ask">;
  readonly lightning: LightningPeer;
  readonly provider: ProviderPeer;
  readonly listener: Listener;
}

export class Town {
  readonly lightning: LightningPeer;
  readonly provider: ProviderPeer;
  readonly #options: TownOptions;
  #codes = 0;
  #texts = 0;

  constructor(options: TownOptions) {
    this.#options = options;
    this.lightning = options.lightning;
    this.provider = options.provider;
  }

  now(): Millis {
    return this.#options.time.now;
  }

  sleep(ms: Millis): Promise<void> {
    const { time } = this.#options;
    return new Promise((resolve) => time.at(time.now + ms, resolve));
  }

  /** Asks the service; null when it is down, or died before it answered. */
  ask<T>(question: (running: Running) => Promise<T>): Promise<T | null> {
    return this.#options.host.ask(question);
  }

  desk<T>(question: (desk: OrderDesk) => Promise<T>): Promise<T | null> {
    return this.ask(({ app }) => question(app.desk));
  }

  /** A request over the real HTTP face. */
  async http(
    method: "GET" | "POST",
    path: string,
    { headers = {}, body }: { readonly headers?: Record<string, string>; readonly body?: unknown } = {},
  ): Promise<HttpAnswer | null> {
    const answer = await this.ask(async ({ api }) => {
      const init: RequestInit = { method, headers };
      if (body !== undefined) init.body = JSON.stringify(body);
      const response = await api().handle(new Request(`${ORIGIN}${path}`, init));
      return { status: response.status, headers: response.headers, text: await response.text() };
    });
    if (!answer) return null;
    const { status, headers: said, text } = answer;
    const parsed: unknown = text === "" ? null : JSON.parse(text);
    const told: HttpAnswer = { status, headers: said, body: parsed };
    this.#options.listener.http(told, text);
    return told;
  }

  /** Opens an order at the desk. Null when there is no challenge; the reason is in `existing` or nowhere. */
  async create(input: CreateInput): Promise<Created | null> {
    const created = await this.desk((desk) => desk.create(input));
    if (created && isProblem(created)) this.#options.listener.refused(created);
    return created;
  }

  ticket(created: Created): Ticket | null {
    if (!("kind" in created) || created.kind !== "challenge") return null;
    const { orderId, paymentHash, invoice, macaroon, priceSats } = created;
    const ticket: Ticket = { orderId, paymentHash, invoice, macaroon, priceSats, preimage: null };
    const { listener } = this.#options;
    listener.secret(macaroon);
    listener.secret(invoice);
    listener.challenged(ticket);
    return ticket;
  }

  /** Pays; false when the wallet refused, and kept its money. */
  async pay(ticket: Ticket, options: { readonly late?: boolean } = {}): Promise<boolean> {
    try {
      const { preimage } = await this.lightning.wallet.pay(ticket.invoice, options);
      ticket.preimage = preimage;
      this.#options.listener.secret(preimage);
      this.#options.listener.paid(ticket.paymentHash);
      return true;
    } catch {
      return false;
    }
  }

  /** An answer about an order, from the desk or over HTTP; null for any other. */
  heard(ticket: Ticket, answer: OrderView | Problem | null): OrderView | null {
    if (!answer) return null;
    if (isProblem(answer)) {
      this.#options.listener.refused(answer);
      return null;
    }
    this.#options.listener.told(ticket, answer);
    return answer;
  }

  /** What nobody but its customer may see. */
  secret(text: string): void {
    this.#options.listener.secret(text);
  }

  refundInvoice(expirySeconds: number): string {
    const { invoice } = this.lightning.wallet.invoice({ expirySeconds });
    this.#options.listener.secret(invoice);
    return invoice;
  }

  /** An SMS with a code that no other has. @returns whether a number took it. */
  sms(phoneNumber: string, withCode = true): boolean {
    const code = withCode ? String(77_490_000 + (++this.#codes % 10_000)) : null;
    const text = code === null ? `Welcome, ${words(++this.#texts)}` : `Your code is ${code}`;
    this.#options.listener.sms(phoneNumber, text, code);
    return this.provider.deliver({ phoneNumber, text }) !== null;
  }
}

export const bearerOf = ({ orderId, paymentHash }: Ticket): Bearer => ({ orderId, paymentHash, capabilities: "all" });
export const credentialOf = ({ macaroon, preimage }: Ticket): string => `L402 ${macaroon}:${preimage ?? ""}`;

/** A number in letters: text that holds no digits, and that no other text is like. */
const words = (n: number): string => [...String(n)].map((digit) => "abcdefghij"[Number(digit)]).join("");
