/** The books of the customer's wallet, the node, the provider and the service, read from their files and held against each other. */
import type { Database } from "bun:sqlite";
import { formatMicroUsd, microUsd } from "../../actors/order/money.ts";
import { numberOf, type Order } from "../../actors/order/state.ts";
import { STATUS } from "../../src/sandbox/provider/books.ts";

export interface Totals {
  readonly receivedSats: number;
  readonly refundedSats: number;
  readonly feesMsats: number;
  readonly spentMicroUsd: number;
  readonly activations: number;
}

type Say = (violation: string) => void;

const rows = <T>(db: Database, sql: string): T[] => db.query<T, []>(sql).all();
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** `db` is the service's database, `books` the peers'. Both are at rest. */
export function compareBooks(db: Database, books: Database, orders: readonly Order[], say: Say): Totals {
  const ledger = new Map(
    rows<{ key: string; amount: number }>(
      db,
      "SELECT unit || ' ' || account AS key, sum(amount) AS amount FROM postings GROUP BY unit, account",
    ).map(({ key, amount }) => [key, amount]),
  );
  const account = (unit: "msat" | "µUSD", name: string): number => ledger.get(`${unit} ${name}`) ?? 0;
  for (const unit of ["msat", "µUSD"] as const) {
    const off = sum([...ledger].filter(([key]) => key.startsWith(unit)).map(([, amount]) => amount));
    if (off !== 0) say(`the ledger is off by ${off} ${unit}`);
  }
  const receivedMsats = compareIncome(books, orders, say);
  const { refundedMsats, feesMsats } = compareRefunds(books, orders, say);
  const agree = (what: string, ours: number, theirs: number) => {
    if (ours !== theirs) say(`${what}: the ledger says ${ours}, the peer ${theirs}`);
  };
  agree("msats received", -account("msat", "received"), receivedMsats);
  agree("msats refunded", account("msat", "refunded"), refundedMsats);
  agree("msats of routing fees", account("msat", "fees"), feesMsats);
  agree(
    "msats owed",
    account("msat", "owed"),
    sum(orders.map(({ owedMsats, state }) => (isWrittenOff(state) ? 0 : owedMsats))),
  );
  compareNodeBalance(books, receivedMsats - refundedMsats - feesMsats, say);
  const { spent, count } = compareActivations(db, books, orders, say);
  agree("µUSD spent at the provider", -account("µUSD", "provider"), spent);
  return {
    receivedSats: receivedMsats / 1_000,
    refundedSats: refundedMsats / 1_000,
    feesMsats,
    spentMicroUsd: spent,
    activations: count,
  };
}

const isWrittenOff = (state: Order["state"]): boolean => state.kind === "refundStuck" && state.due === null;

/** Every invoice that the wallet paid is an order that knows it, with that amount, once. */
function compareIncome(books: Database, orders: readonly Order[], say: Say): number {
  const paid = rows<{ hash: string; msats: number }>(
    books,
    "SELECT hash, amount_msat AS msats FROM ln_wallet_payments WHERE direction = 'out'",
  );
  const settled = new Map(
    rows<{ hash: string; msats: number }>(
      books,
      "SELECT hash, paid_msat AS msats FROM ln_invoices WHERE state = 'SETTLED'",
    ).map(({ hash, msats }) => [hash, msats]),
  );
  const byHash = new Map(orders.map((order) => [order.terms.paymentHash, order]));
  for (const { hash, msats } of paid) {
    const order = byHash.get(hash);
    if (settled.get(hash) !== msats) say(`wallet and node disagree about the payment ${hash}`);
    if (!order) say(`${msats} msat were paid for ${hash}, and no order knows of it`);
    else if (order.payment?.receivedMsats !== msats)
      say(`${order.id} was paid ${msats} msat, and says ${order.payment?.receivedMsats}`);
  }
  const hashes = new Set(paid.map(({ hash }) => hash));
  if (hashes.size !== paid.length || settled.size !== paid.length) say("an invoice was paid twice");
  for (const { id, payment, terms } of orders) {
    if (payment && !hashes.has(terms.paymentHash)) say(`${id} counts as paid, and nobody paid`);
  }
  return sum(paid.map(({ msats }) => msats));
}

/** Every refund that arrived is one order's, of that amount, once; none is under way. */
function compareRefunds(books: Database, orders: readonly Order[], say: Say) {
  const arrived = rows<{ hash: string; msats: number }>(
    books,
    "SELECT hash, amount_msat AS msats FROM ln_wallet_payments WHERE direction = 'in'",
  );
  const sent = rows<{ hash: string; status: string; msats: number; fee: number }>(
    books,
    "SELECT hash, status, value_msat AS msats, fee_msat AS fee FROM ln_payments WHERE status <> 'FAILED'",
  );
  const known = new Map<string, Order>();
  for (const order of orders) {
    if (!order.refund) continue;
    if (known.has(order.refund.paymentHash)) say(`${order.id} has the refund of another order`);
    known.set(order.refund.paymentHash, order);
  }
  for (const { hash, msats } of arrived) {
    const order = known.get(hash);
    if (!order) say(`${msats} msat were refunded to ${hash}, and no order knows of it`);
    else if (order.refund && order.refund.amountSats * 1_000 !== msats)
      say(`${order.id} refunded ${msats} msat, and says otherwise`);
  }
  if (arrived.length !== known.size) say(`${arrived.length} refunds arrived, ${known.size} are booked`);
  if (new Set(arrived.map(({ hash }) => hash)).size !== arrived.length) say("a refund arrived twice");
  const onTheWay = sent.filter(({ status }) => status !== "SUCCEEDED");
  if (onTheWay.length > 0) say(`${onTheWay.length} payments of the node are not over`);
  const refundedMsats = sum(sent.map(({ msats }) => msats));
  if (refundedMsats !== sum(arrived.map(({ msats }) => msats))) say("the node sent other amounts than arrived");
  return { refundedMsats, feesMsats: sum(sent.map(({ fee }) => fee)) };
}

/** What the node's side of the channel gained is what it was paid less what it paid. */
function compareNodeBalance(books: Database, gainedMsats: number, say: Say): void {
  const [local] = rows<{ msat: number }>(books, "SELECT msat FROM ln_balances WHERE name = 'local'");
  const opening = 50_000_000_000;
  if (local && local.msat - opening !== gainedMsats)
    say(`the node gained ${local.msat - opening} msat, the books say ${gainedMsats}`);
}

interface Activation {
  readonly id: number;
  readonly cost: number;
  readonly status: number;
  readonly endedAt: number | null;
  readonly messages: number;
}

/** Every activation is one order's, or gave its money back; what orders hold has ended, and their messages are all there. */
function compareActivations(db: Database, books: Database, orders: readonly Order[], say: Say) {
  const activations = rows<Activation>(
    books,
    `SELECT id, cost, status, endedAt, (SELECT count(*) FROM provider_messages AS m WHERE m.activationId = a.id) AS messages
     FROM provider_activations AS a`,
  );
  const owners = new Map<string, string>();
  for (const { id, activation } of rows<{ id: string; activation: string }>(
    db,
    `SELECT order_id AS id, body ->> '$.number.activationId' AS activation FROM events WHERE type IN ('NumberBought', 'LooseFound')`,
  )) {
    if (owners.has(activation)) say(`activation ${activation} was bought twice over`);
    owners.set(activation, id);
  }
  const byId = new Map(orders.map((order) => [order.id as string, order]));
  const isGivenBack = ({ status }: Activation) => status === STATUS.cancelled || status === STATUS.refunded;
  for (const activation of activations) {
    const owner = byId.get(owners.get(String(activation.id)) ?? "");
    owners.delete(String(activation.id));
    if (activation.endedAt === null) say(`activation ${activation.id} is still open at the provider`);
    if (!owner && !isGivenBack(activation)) say(`no order explains activation ${activation.id}`);
    if (!owner) continue;
    const { state } = owner;
    if (state.kind === "done" && state.as === "refunded" && activation.messages > 0) {
      say(`${owner.id} was refunded, and its number had an SMS`);
    }
    if (numberOf(owner)?.activationId === String(activation.id) && owner.messageIds.length < activation.messages) {
      say(`${owner.id} recorded ${owner.messageIds.length} of ${activation.messages} messages`);
    }
  }
  for (const [activation, id] of owners) say(`${id} has activation ${activation}, which the provider never sold`);
  const spent = sum(activations.filter((row) => !isGivenBack(row)).map(({ cost }) => cost));
  const [balance] = rows<{ balance: number }>(books, "SELECT balance FROM provider_account");
  const gone = 100_000 * 1_000_000 - (balance?.balance ?? 0);
  if (gone !== spent)
    say(
      `the provider's balance fell by ${formatMicroUsd(microUsd(gone))}, its activations cost ${formatMicroUsd(microUsd(spent))}`,
    );
  return { spent, count: activations.length };
}
