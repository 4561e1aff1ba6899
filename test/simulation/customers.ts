/**
 * Customers of every kind: impatient, silent, cancelling at the worst instant, paying late or twice, replaying what they sent, careless with
 * refund invoices. Each lives by a stream of chance of its own, so that one who stays away changes nothing for the others.
 */
import type { OrderRequest } from "../../src/orders/desk.ts";
import { isProblem } from "../../src/orders/problem.ts";
import type { OrderView } from "../../src/orders/view.ts";
import { mintInvoice } from "../../src/sandbox/lightning/mint.ts";
import type { Chance } from "./chance.ts";
import { bearerOf, credentialOf, type Ticket, type Town } from "./town.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const OVER = new Set(["completed", "refunded", "failed", "expired"]);
/** What sells fast, and what sells slowly: lanes with many buyers, and lanes with one. */
const SERVICES = ["tg", "wa", "ot", "go", "ig", "fb", "ds", "am", "tw", "vi", "mm", "oi"] as const;
const COUNTRIES = ["US", "GB", "ID", "IN", "CA", "DE", "BR", "auto"] as const;
const CANCEL_FROM_MS = 3 * MINUTE;

/** What several customers share, against all advice. */
export interface Commons {
  refundInvoice: string | null;
}

export interface Customer {
  readonly town: Town;
  readonly chance: Chance;
  readonly commons: Commons;
  /** Talks HTTP with real credentials instead of calling the desk. */
  readonly overHttp: boolean;
}

/** How this one behaves once its order is paid. */
interface Habits {
  /** How often an SMS comes, and how long each takes. */
  readonly sms: readonly number[];
  readonly cancelAfterMs: number | null;
  /** An SMS arrives in the instant of the cancel. */
  readonly smsAtCancel: boolean;
  readonly pollMs: number;
  readonly patienceMs: number;
}

export async function customer(who: Customer): Promise<void> {
  const { chance } = who;
  const type = chance.hits(0.07) ? "rent-number" : "receive-sms";
  const wish: OrderRequest = {
    type,
    service: type === "rent-number" ? chance.one(["tg", "wa", "ot", "go"]) : chance.one(SERVICES),
    country: type === "rent-number" ? chance.one(["US", "GB", 6]) : chance.one(COUNTRIES),
    ...(type === "rent-number" && { durationMinutes: chance.one([30, 60, 120]) }),
  };
  const opened = await order(who, () => ({ ...wish, ...destination(who) }));
  if (!opened || !(await pay(who, opened.ticket))) return;
  const { ticket, request } = opened;
  if (chance.hits(0.06)) return; // Pays and is never seen again.
  if (chance.hits(0.05)) await replay(who, ticket, request);
  let view = await live(who, ticket, habits(chance, type));
  for (let again = 0; again < 2 && view?.status === "completed" && type === "receive-sms"; again++) {
    if (!chance.hits(0.3)) return;
    view = await reactivate(who, ticket);
  }
}

function habits(chance: Chance, type: OrderRequest["type"]): Habits {
  const quick = () => 3 * SECOND + chance.below(40 * SECOND);
  const slow = () => MINUTE + chance.below(20 * MINUTE);
  const sms: number[] = [];
  if (chance.hits(0.72)) sms.push(chance.hits(0.85) ? quick() : slow());
  while (sms.length > 0 && sms.length < 4 && chance.hits(0.12)) sms.push((sms.at(-1) ?? 0) + chance.below(90 * SECOND));
  const cancels = chance.hits(sms.length === 0 ? 0.75 : 0.08);
  // Too soon, at the first allowed instant, or some time later.
  const cancelAfterMs = chance.one([MINUTE, CANCEL_FROM_MS, CANCEL_FROM_MS, CANCEL_FROM_MS + chance.below(5 * MINUTE)]);
  return {
    sms,
    cancelAfterMs: cancels ? cancelAfterMs : null,
    smsAtCancel: chance.hits(0.15),
    pollMs: chance.one([2, 5, 5, 20]) * SECOND,
    patienceMs: type === "rent-number" ? 150 * MINUTE : 50 * MINUTE,
  };
}

/** Nothing, an invoice that may be bad or shared, an address of a wallet, or both. */
function destination(who: Customer): Pick<OrderRequest, "refundInvoice" | "refundAddress"> {
  const { chance } = who;
  return chance.hits(0.15) ? { refundAddress: address(chance), ...(chance.hits(0.4) && invoice(who)) } : invoice(who);
}

const address = (chance: Chance): string =>
  chance.hits(0.05) ? "nobody@10.0.0.1" : `wallet-${chance.below(1_000)}@127.0.0.1:9`;

function invoice({ town, chance, commons }: Customer): { refundInvoice?: string } {
  if (chance.hits(0.15)) return {};
  if (chance.hits(0.04)) {
    commons.refundInvoice ??= town.refundInvoice(2 * 3_600);
    return { refundInvoice: commons.refundInvoice };
  }
  if (chance.hits(0.04)) return { refundInvoice: badInvoice(town, chance) };
  return { refundInvoice: town.refundInvoice(chance.one([1_805, 2_400, 7_200, 7_200])) };
}

/** What the service must refuse: with an amount, too short a life, cut, of another network, already paid by somebody. */
function badInvoice(town: Town, chance: Chance): string {
  const good = town.refundInvoice(7_200);
  switch (chance.below(4)) {
    case 0:
      return town.lightning.wallet.invoice({ amountSats: 5, expirySeconds: 7_200 }).invoice;
    case 1:
      return town.refundInvoice(60);
    case 2:
      return good.slice(0, -7);
    default:
      return mintInvoice({
        paymentHash: "ab".repeat(32),
        timestamp: Math.floor(town.now() / 1_000),
        expirySeconds: 7_200,
        network: "bc",
      });
  }
}

interface Proofs {
  readonly bearer?: Ticket;
  readonly parent?: Ticket;
}

/** Asks until there is an invoice, a few times. One with a key repeats itself word for word, and some ask twice at once. */
async function order(
  who: Customer,
  wish: () => OrderRequest,
  proofs: Proofs = {},
): Promise<{ readonly ticket: Ticket; readonly request: OrderRequest } | null> {
  const { chance, town } = who;
  const idempotencyKey = chance.hits(0.25) ? chance.bytes(16).toHex() : null;
  const twice = idempotencyKey !== null && chance.hits(0.3);
  let request = wish();
  for (let tries = 0; tries < 4; tries++) {
    const asks = Array.from({ length: twice ? 2 : 1 }, () => askFor(who, request, idempotencyKey, proofs));
    const ticket = (await Promise.all(asks)).find((found) => found !== null);
    if (ticket) return { ticket, request };
    await town.sleep((2 + chance.below(40)) * SECOND);
    if (idempotencyKey === null) request = wish();
  }
  return null;
}

async function askFor(
  { town, chance, overHttp }: Customer,
  request: OrderRequest,
  idempotencyKey: string | null,
  { bearer, parent }: Proofs,
): Promise<Ticket | null> {
  if (overHttp) {
    const headers = {
      ...(idempotencyKey !== null && { "idempotency-key": idempotencyKey }),
      ...(bearer && { authorization: credentialOf(bearer) }),
    };
    const body = { ...request, ...(parent && { parentCredential: credentialOf(parent) }) };
    const answer = await town.http("POST", "/v2/l402/order", { headers, body });
    return answer?.status === 402
      ? town.ticket({ kind: "challenge", header: "", ...(answer.body as never as object) } as never)
      : null;
  }
  const created = await town.create({
    request,
    emptyBody: false,
    client: `10.0.0.${chance.below(50)}`,
    idempotencyKey,
    bearer: bearer ? bearerOf(bearer) : null,
    unpaidBearer: null,
    parent: parent ? bearerOf(parent) : null,
  });
  return created && town.ticket(created);
}

/** @returns whether money went out. */
async function pay({ town, chance }: Customer, ticket: Ticket): Promise<boolean> {
  if (chance.hits(0.08)) return false;
  if (chance.hits(0.03)) {
    await town.sleep(301 * SECOND + chance.below(20 * MINUTE));
    return town.pay(ticket, { late: true });
  }
  // Most within seconds, some in the last ones that there are.
  await town.sleep(chance.hits(0.06) ? 294 * SECOND + chance.below(6_000) : 1_000 + chance.below(15 * SECOND));
  const paid = await town.pay(ticket);
  if (paid && chance.hits(0.05)) await town.pay(ticket);
  return paid;
}

async function read({ town, overHttp }: Customer, ticket: Ticket): Promise<OrderView | null> {
  if (!overHttp) return town.heard(ticket, await town.desk(async (desk) => desk.read(bearerOf(ticket))));
  const path = `/v2/l402/order/${ticket.orderId}`;
  const answer = await town.http("GET", path, { headers: { authorization: credentialOf(ticket) } });
  return answer?.status === 200 ? town.heard(ticket, answer.body as OrderView) : null;
}

async function cancel({ town, overHttp }: Customer, ticket: Ticket): Promise<void> {
  if (!overHttp) {
    town.heard(ticket, await town.desk((desk) => desk.cancel(bearerOf(ticket))));
    return;
  }
  const path = `/v2/l402/order/${ticket.orderId}/cancel`;
  const answer = await town.http("POST", path, { headers: { authorization: credentialOf(ticket) } });
  if (answer?.status === 200) town.heard(ticket, answer.body as OrderView);
}

/** Where a refund shall go that has nowhere to go. */
async function giveDestination(who: Customer, ticket: Ticket): Promise<void> {
  const { town, chance } = who;
  const way = chance.next();
  if (way < 0.2) {
    town.heard(ticket, await town.desk((desk) => desk.setRefundAddress(bearerOf(ticket), address(chance))));
  } else if (way < 0.4) await withdraw(who, ticket);
  else await giveInvoice(who, ticket);
}

/** By a link: used at once, by two wallets at the same time, for another amount first, later than another destination, or never. */
async function withdraw({ town, chance }: Customer, ticket: Ticket): Promise<void> {
  const issued = await town.desk((desk) => desk.refundLink(bearerOf(ticket)));
  if (!issued || isProblem(issued)) return;
  const { order, secret } = issued;
  town.secret(secret);
  town.heard(ticket, order);
  if (chance.hits(0.2)) return;
  await town.sleep(chance.below(90 * SECOND));
  const use = async (wrongBy: number): Promise<void> => {
    const sats = await town.ask(async ({ app }) => app.desk.withdrawTerms(ticket.orderId, secret));
    if (typeof sats !== "number") return;
    const pr = town.lightning.wallet.invoice({ amountSats: sats + wrongBy, expirySeconds: 600 }).invoice;
    town.secret(pr);
    await town.desk((desk) => desk.withdraw(ticket.orderId, secret, pr));
  };
  if (chance.hits(0.1)) await use(1);
  await Promise.all(Array.from({ length: chance.hits(0.2) ? 2 : 1 }, () => use(0)));
}

async function giveInvoice(who: Customer, ticket: Ticket): Promise<void> {
  const { town, chance, overHttp } = who;
  const invoice = chance.hits(0.1) ? badInvoice(town, chance) : town.refundInvoice(chance.one([1_900, 7_200]));
  if (!overHttp) {
    town.heard(ticket, await town.desk((desk) => desk.setRefundInvoice(bearerOf(ticket), invoice)));
    return;
  }
  const path = `/v2/l402/order/${ticket.orderId}/refund-invoice`;
  const headers = { authorization: credentialOf(ticket) };
  const answer = await town.http("POST", path, { headers, body: { refundInvoice: invoice } });
  if (answer?.status === 200) town.heard(ticket, answer.body as OrderView);
}

/** The same purchase again, with the credential of the one before: an order that lives is read, not bought again. */
async function replay({ town, overHttp }: Customer, ticket: Ticket, request: OrderRequest): Promise<void> {
  if (overHttp) {
    await town.http("POST", "/v2/l402/order", { headers: { authorization: credentialOf(ticket) }, body: request });
    return;
  }
  const created = await town.create({
    request,
    emptyBody: false,
    client: "10.0.1.1",
    idempotencyKey: null,
    bearer: bearerOf(ticket),
    unpaidBearer: null,
    parent: null,
  });
  if (created && "kind" in created && created.kind === "existing") town.heard(ticket, created.order);
}

/** Polls, receives, cancels, hands in refund invoices, until the order is over or patience is. */
async function live(who: Customer, ticket: Ticket, habits: Habits): Promise<OrderView | null> {
  const { town, chance } = who;
  const began = town.now();
  let texted = false;
  let cancels = 0;
  let last: OrderView | null = null;
  for (let polls = 0; town.now() - began < habits.patienceMs; polls++) {
    // Close at first, then as patiently as the service asks for.
    const far = 20 * SECOND + chance.below(40 * SECOND);
    await town.sleep(polls < 6 ? habits.pollMs : Math.max(habits.pollMs, far));
    const view = await read(who, ticket);
    if (!view) continue;
    last = view;
    if (OVER.has(view.status) && view.next.action === "none") return view;
    if (view.phoneNumber && !texted) {
      texted = true;
      for (const after of habits.sms) void text(who, view.phoneNumber, after);
    }
    if (habits.cancelAfterMs !== null && cancels < 2 && town.now() - began >= habits.cancelAfterMs - far) {
      cancels++;
      const instant = began + habits.cancelAfterMs - town.now();
      if (instant > 0) await town.sleep(instant);
      // At the worst instant: an SMS on its way at the same time.
      if (view.phoneNumber && habits.smsAtCancel) void text(who, view.phoneNumber, chance.below(40));
      await cancel(who, ticket);
    }
    if (view.next.action === "give_refund_invoice" && chance.hits(0.4)) await giveDestination(who, ticket);
    if (view.type === "rent-number" && polls > 6) await town.sleep(10 * MINUTE);
  }
  return last;
}

async function text({ town, chance }: Customer, phoneNumber: string, after: number): Promise<void> {
  const hasCode = !chance.hits(0.05);
  await town.sleep(after);
  town.sms(phoneNumber, hasCode);
}

async function reactivate(who: Customer, parent: Ticket): Promise<OrderView | null> {
  const { chance } = who;
  const request: OrderRequest = { type: "receive-sms-reactivate", orderId: parent.orderId };
  const opened = await order(who, () => request, chance.hits(0.5) ? { parent } : { bearer: parent });
  if (!opened || !(await pay(who, opened.ticket))) return null;
  return live(who, opened.ticket, { ...habits(chance, "receive-sms"), patienceMs: 3 * HOUR });
}
