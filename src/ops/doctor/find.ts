/** One order for support: found by what a customer can name, or by what node and provider call it. */
import type { Database } from "bun:sqlite";
import type { Order } from "../../../actors/order/state.ts";
import { PaymentHashes } from "../../../actors/runtime/payment-hashes.ts";
import { parseEvent, parseOrder, STATE } from "../../../actors/runtime/texts.ts";
import { iso } from "../../../actors/runtime/world.ts";
import { readInvoice } from "../../lightning/bolt11.ts";
import type { Network } from "../../lightning/port.ts";
import { isSqliteError, snapshot } from "./database.ts";
import { type MaskedEvent, type MaskedOrder, maskedEvent, maskedOrder } from "./masked.ts";

export interface Found {
  /** How the words led to the order. */
  readonly by: "order id" | "payment hash" | "refund payment hash" | "activation id";
  readonly order: MaskedOrder;
  /** Its row is gone, and until when late money still finds it. */
  readonly buriedUntil: string | null;
  readonly quarantined: { readonly since: string; readonly error: string } | null;
  /** Kinds of the effects that have not come back. */
  readonly openEffects: readonly string[];
  /** Messages whose text is still stored. */
  readonly storedMessages: number;
  /** The newest ones; `eventsLeftOut` are older. */
  readonly events: readonly MaskedEvent[];
  readonly eventsLeftOut: number;
}

/** Longer than an invoice that is ever read. */
const MAX_WORDS = 4_096;
const MAX_EVENTS = 500;
const NETWORKS: readonly Network[] = ["bc", "tb", "tbs", "bcrt"];

export type Search =
  | { readonly kind: "order" | "hash" | "activation"; readonly value: string }
  | { readonly kind: "unknown" };

/** What kind of name the words are: 32 hex digits, 64 hex digits, digits, or an invoice. */
export function readSearch(words: string): Search {
  const text = words
    .slice(0, MAX_WORDS)
    .trim()
    .replace(/^lightning:/i, "");
  if (/^[0-9a-f]{32}$/i.test(text)) return { kind: "order", value: text.toLowerCase() };
  if (/^[0-9a-f]{64}$/i.test(text)) return { kind: "hash", value: text.toLowerCase() };
  if (/^\d{1,20}$/.test(text)) return { kind: "activation", value: text };
  for (const network of NETWORKS) {
    const read = readInvoice(text, network);
    if (read.ok) return { kind: "hash", value: read.facts.paymentHash };
  }
  return { kind: "unknown" };
}

/** An order was found, and what is stored of it makes no sense. */
export class UnreadableOrder extends Error {
  constructor(cause: unknown) {
    super(
      `The order is there, but what is stored of it cannot be read (${cause instanceof Error ? cause.name : "unknown error"})`,
    );
  }
}

/** @throws UnreadableOrder */
export function find(db: Database, search: Exclude<Search, { kind: "unknown" }>): Found | null {
  return snapshot(db, () => {
    try {
      const hit = lookUp(db, search);
      return hit && describe(db, hit);
    } catch (error) {
      if (isSqliteError(error)) throw error;
      // A text of the wrong shape breaks whatever reads it first.
      throw new UnreadableOrder(error);
    }
  });
}

interface Hit {
  readonly by: Found["by"];
  readonly order: Order;
  readonly until: number | null;
}

interface Row {
  readonly state: string;
  readonly until: number | null;
}

const BY_ID = `SELECT ${STATE}, NULL AS until FROM orders WHERE id = ?`;

function lookUp(db: Database, { kind, value }: Exclude<Search, { kind: "unknown" }>): Hit | null {
  const one = (sql: string, key = value): Row | null => db.query<Row, [string]>(sql).get(key);
  const hit = (by: Found["by"], row: Row | null): Hit | null =>
    row && { by, order: parseOrder(row.state), until: row.until };
  switch (kind) {
    case "order":
      return (
        hit("order id", one(BY_ID)) ?? hit("order id", one("SELECT state, until FROM tombstones WHERE order_id = ?"))
      );
    case "activation":
      return hit(
        "activation id",
        one("SELECT state, NULL AS until FROM orders WHERE activation_id = ? ORDER BY rowid DESC LIMIT 1"),
      );
    case "hash":
      return (
        hit("payment hash", one(BY_ID, new PaymentHashes(db).idOf(value) ?? "")) ??
        hit("payment hash", one("SELECT state, until FROM tombstones WHERE payment_hash = ?")) ??
        hit(
          "refund payment hash",
          one(
            "SELECT state, NULL AS until FROM orders WHERE id = (SELECT order_id FROM claims WHERE kind = 'refund_hash' AND value = ?)",
          ),
        )
      );
  }
}

function describe(db: Database, { by, order, until }: Hit): Found {
  const { id } = order;
  const quarantine = db
    .query<{ since: number; reason: string }, [string]>("SELECT since, reason FROM quarantine WHERE order_id = ?")
    .get(id);
  const effects = db.query<{ body: string }, [string]>("SELECT body FROM effects WHERE order_id = ?").all(id);
  const counted = (sql: string): number => db.query<{ n: number }, [string]>(sql).get(id)?.n ?? 0;
  const events = db
    .query<{ seq: number; body: string }, [string, number]>(
      "SELECT seq, body FROM events WHERE order_id = ? ORDER BY seq DESC LIMIT ?",
    )
    .all(id, MAX_EVENTS)
    .reverse();
  return {
    by,
    order: maskedOrder(order),
    buriedUntil: until === null ? null : iso(until),
    quarantined: quarantine && { since: iso(quarantine.since), error: quarantine.reason },
    openEffects: effects.map(({ body }) => String((JSON.parse(body) as { kind?: unknown }).kind)),
    storedMessages: counted("SELECT count(*) AS n FROM messages WHERE order_id = ?"),
    events: events.map(({ seq, body }) => maskedEvent(seq, parseEvent(body))),
    eventsLeftOut: counted("SELECT count(*) AS n FROM events WHERE order_id = ?") - events.length,
  };
}

export function foundText({ by, order, events, ...found }: Found): string[] {
  const { number, destination, refund, loose, attention } = order;
  const step = order.step === null ? "" : `, ${order.step}`;
  const money = `price ${order.priceSats} sat, received ${order.receivedMsats} msat, owed ${order.owedMsats} msat`;
  const lines: readonly (readonly [string, string | null | false])[] = [
    ["status", `${order.status} (${order.kind}${step})`],
    ["sale", `${order.type}, service ${order.service}, country ${order.country}`],
    ["rental", order.rentalHours !== null && `${order.rentalHours} h`],
    ["earlier order", order.parentOrderId],
    ["payment hash", order.paymentHash],
    ["money", money],
    ["created", `${order.createdAt}, invoice until ${order.invoiceExpiresAt}`],
    ["paid", order.paidAt && `${order.paidAt}${order.late ? `, late: learned ${order.learnedAt}` : ""}`],
    ["preimage shown", order.paidAt === null && order.provenAt],
    ["number", number && `${number.phone}, activation ${number.activationId}, ${number.boughtAt} to ${number.endsAt}`],
    ["messages", `${order.messages} recorded, ${found.storedMessages} still stored`],
    ["code read", order.codeReadAt],
    ["cancel asked", order.cancelAskedAt],
    [
      "refund to",
      destination &&
        `payment hash ${destination.paymentHash}, until ${destination.expiresAt}, ${destination.claimed ? "claimed" : "not claimed"}`,
    ],
    ["refund attempts", order.refundAttempts > 0 && String(order.refundAttempts)],
    ["refund paid", refund && `${refund.amountSats} sat at ${refund.at}, payment hash ${refund.paymentHash}`],
    [
      "loose buy",
      loose && `attempt ${loose.attempt} since ${loose.since}, activation ${loose.activationId ?? "unknown"}`,
    ],
    ["attention", attention && `${attention.reason} since ${attention.since}`],
    ["quarantined", found.quarantined && `${found.quarantined.error} since ${found.quarantined.since}`],
    ["waits for", found.openEffects.length > 0 && found.openEffects.join(", ")],
    ["deadline", order.due],
    ["ended", order.endedAt],
    ["buried", found.buriedUntil && `late money finds it until ${found.buriedUntil}`],
  ];
  const shown = lines.filter((line): line is [string, string] => typeof line[1] === "string");
  return [
    `Order ${order.orderId} (found by ${by})`,
    ...shown.map(([name, text]) => `  ${name.padEnd(16)}${text}`),
    "",
    found.eventsLeftOut > 0 ? `Events (${found.eventsLeftOut} older ones left out)` : "Events",
    ...events.map(({ seq, at, type, facts }) => {
      const words = Object.entries(facts).map(([name, value]) => `${name}=${value}`);
      return `  ${at}  ${String(seq).padStart(4)}  ${type.padEnd(20)}${words.join(" ")}`.trimEnd();
    }),
  ];
}
