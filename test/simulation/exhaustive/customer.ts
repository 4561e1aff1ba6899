/**
 * A customer who follows a script over HTTP, and does not lose heart: what the service does not answer, because it is down or died, is
 * asked again, the way an agent's HTTP client would.
 */
import type { Millis } from "../../../actors/runtime/world.ts";
import type { Challenge, OrderRequest } from "../../../src/orders/desk.ts";
import type { OrderView } from "../../../src/orders/view.ts";
import { Violation } from "../checker.ts";
import { credentialOf, type HttpAnswer, type Ticket } from "../town.ts";
import type { Stage } from "./stage.ts";

const SECOND = 1_000;
const RETRY_MS = 3 * SECOND;
/** A service that is down for longer is not waited for. */
const PATIENCE_MS = 2 * 60 * 60 * SECOND;
const OVER: ReadonlySet<string> = new Set(["completed", "refunded", "failed", "expired"]);

interface Asking {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

export class Customer {
  readonly stage: Stage;
  readonly #name: string;
  #keys = 0;
  /** What it bought last. */
  ticket: Ticket | null = null;

  constructor(stage: Stage, name: string) {
    this.stage = stage;
    this.#name = name;
  }

  get bought(): Ticket {
    if (!this.ticket) throw new Error("Nothing was bought yet");
    return this.ticket;
  }

  get credential(): string {
    return credentialOf(this.bought);
  }

  /** Asks until there is an answer that is not "later". @throws Error when patience ends. */
  async ask(method: "GET" | "POST", path: string, asking: Asking = {}): Promise<HttpAnswer> {
    const { town } = this.stage;
    const until = town.now() + PATIENCE_MS;
    while (town.now() < until) {
      const answer = await town.http(method, path, asking);
      if (answer && answer.status < 500 && answer.status !== 429) return answer;
      await town.sleep(RETRY_MS);
    }
    throw new Error(`No answer to ${method} ${path.replace(/[0-9a-f]{32}/, ":id")} within two hours`);
  }

  /** Orders, and keeps what opens the order. The key makes a repeated request the same order. */
  async order(request: OrderRequest, more: { headers?: Record<string, string> } = {}): Promise<Ticket> {
    for (;;) {
      const key = `${this.#name}-${++this.#keys}-`.padEnd(32, "k");
      const headers = { ...more.headers, "idempotency-key": key };
      const { status, body } = await this.ask("POST", "/v2/l402/order", { body: request, headers });
      // The invoice of this key expired before its answer came: another key, another order.
      if (status === 409) continue;
      if (status !== 402) throw new Error(`Ordering was answered with ${status} ${JSON.stringify(body)}`);
      this.ticket = this.stage.town.ticket({ kind: "challenge", ...(body as Omit<Challenge, "kind">) });
      return this.bought;
    }
  }

  async pay(): Promise<void> {
    if (!(await this.stage.town.pay(this.bought))) throw new Error("The wallet did not pay");
  }

  async buy(request: OrderRequest, more: { headers?: Record<string, string> } = {}): Promise<Ticket> {
    const ticket = await this.order(request, more);
    await this.pay();
    return ticket;
  }

  async read(): Promise<OrderView> {
    return this.#view(await this.ask("GET", `/v2/l402/order/${this.bought.orderId}`, this.#auth));
  }

  async cancel(): Promise<HttpAnswer> {
    return this.ask("POST", `/v2/l402/order/${this.bought.orderId}/cancel`, this.#auth);
  }

  /** A fresh invoice of the wallet, handed in. */
  async giveRefundInvoice(): Promise<HttpAnswer> {
    const refundInvoice = this.refundInvoice();
    const path = `/v2/l402/order/${this.bought.orderId}/refund-invoice`;
    return this.ask("POST", path, { ...this.#auth, body: { refundInvoice } });
  }

  refundInvoice(expirySeconds = 7_200): string {
    return this.stage.town.refundInvoice(expirySeconds);
  }

  /** Reads every `everyMs` until what is read is `enough`, or the order is over. */
  async until(enough: (view: OrderView) => boolean, everyMs: Millis = 20 * SECOND): Promise<OrderView> {
    for (;;) {
      const view = await this.read();
      if (enough(view) || (OVER.has(view.status) && view.next.action === "none")) return view;
      await this.stage.town.sleep(everyMs);
    }
  }

  /** An SMS comes to the number now, and is waited for. It must be shown if the number was held. */
  async sms(phoneNumber: string, everyMs: Millis = 10 * SECOND): Promise<OrderView> {
    const { messages } = await this.read();
    const took = this.stage.town.sms(phoneNumber);
    const view = await this.until((view) => view.messages.length > messages.length, everyMs);
    const shown = view.messages.length > messages.length;
    if (took && !shown) this.stage.fail(new Violation(13, "an SMS came to a number that was held, and was not shown"));
    return view;
  }

  /** Reads on until nothing more will come. */
  toTheEnd(everyMs: Millis = 30 * SECOND): Promise<OrderView> {
    return this.until(() => false, everyMs);
  }

  get #auth(): { headers: Record<string, string> } {
    return { headers: { authorization: this.credential } };
  }

  #view({ status, body }: HttpAnswer): OrderView {
    const view = status === 200 ? this.stage.town.heard(this.bought, body as OrderView) : null;
    if (!view) throw new Error(`Reading was answered with ${status} ${JSON.stringify(body)}`);
    return view;
  }
}
