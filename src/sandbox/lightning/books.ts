/**
 * What the simulated network remembers: keys, balances, invoices and payments of both nodes. Everything is written
 * through, so a restart continues where the last call ended.
 */
import type { Database } from "bun:sqlite";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { hexToBytes } from "@noble/hashes/utils.js";
import type { World } from "../../../actors/runtime/world.ts";
import { type ReadInvoice, readInvoice, type UnreadableInvoice } from "./decode.ts";
import { INVOICE_FEATURES, mintInvoice, publicKey } from "./mint.ts";

/** `router` is the node between the two that earns the routing fee. */
export type NodeName = "merchant" | "customer" | "router";
/** `local` and `remote` are the two ends of the merchant's channel; `wallet` is the customer's money. */
export type BalanceName = "local" | "remote" | "wallet";

export interface InvoiceRow {
  readonly add_index: number;
  readonly hash: string;
  readonly preimage: string;
  readonly secret: string;
  readonly bolt11: string;
  readonly memo: string;
  readonly value_msat: number;
  readonly expiry_seconds: number;
  readonly final_cltv: number;
  readonly created_ms: number;
  readonly state: "OPEN" | "SETTLED" | "CANCELED";
  readonly settle_index: number | null;
  readonly settled_ms: number | null;
  readonly paid_msat: number;
}

export interface PaymentRow {
  readonly payment_index: number;
  readonly hash: string;
  readonly bolt11: string;
  readonly payee: string;
  readonly secret: string;
  readonly value_msat: number;
  readonly fee_msat: number;
  readonly created_ms: number;
  readonly status: "IN_FLIGHT" | "SUCCEEDED" | "FAILED";
  /** After `FAILURE_REASON_`. */
  readonly failure_reason: FailureReason;
  readonly preimage: string | null;
  readonly resolved_ms: number | null;
  /** When a payment that was held up goes on, and how it ends then. */
  readonly resolve_ms: number | null;
  readonly resolve: "succeeded" | "failed";
}

/** lnd: lightning.proto, PaymentFailureReason. */
export type FailureReason = "NONE" | "TIMEOUT" | "NO_ROUTE" | "INCORRECT_PAYMENT_DETAILS" | "INSUFFICIENT_BALANCE";

export interface WalletInvoiceRow {
  readonly hash: string;
  readonly preimage: string;
  readonly secret: string;
  readonly amount_msat: number | null;
  readonly expires_ms: number;
  readonly paid: 0 | 1;
}

export interface WalletPaymentRow {
  readonly hash: string;
  readonly amount_msat: number;
  readonly direction: "in" | "out";
  readonly settled_ms: number;
}

const OPENING_BALANCES: Record<BalanceName, number> = {
  local: 50_000_000_000,
  remote: 50_000_000_000,
  wallet: 10_000_000_000,
};

/** Invoices made here whose content is remembered: all that are open, and more. */
const MAX_MINTED = 10_000;

/** All that an invoice of this network says; nothing is left to defaults. */
interface Said {
  readonly paymentHash: string;
  readonly paymentSecret: string;
  readonly amountMsat: number | null;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly expirySeconds: number;
  readonly description: string;
  readonly descriptionHash?: string;
  readonly finalCltv: number;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS ln_keys (name TEXT PRIMARY KEY, secret_key TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS ln_balances (name TEXT PRIMARY KEY, msat INTEGER NOT NULL CHECK (msat >= 0)) STRICT;
  CREATE TABLE IF NOT EXISTS ln_invoices (
    add_index INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, preimage TEXT NOT NULL, secret TEXT NOT NULL,
    bolt11 TEXT NOT NULL, memo TEXT NOT NULL, value_msat INTEGER NOT NULL, expiry_seconds INTEGER NOT NULL,
    final_cltv INTEGER NOT NULL, created_ms INTEGER NOT NULL, state TEXT NOT NULL, settle_index INTEGER UNIQUE,
    settled_ms INTEGER, paid_msat INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS ln_labels (hash TEXT PRIMARY KEY, label TEXT NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS ln_labels_label ON ln_labels (label);
  CREATE INDEX IF NOT EXISTS ln_invoices_open ON ln_invoices (created_ms + expiry_seconds * 1000) WHERE state = 'OPEN';
  CREATE TABLE IF NOT EXISTS ln_payments (
    payment_index INTEGER NOT NULL UNIQUE, hash TEXT PRIMARY KEY, bolt11 TEXT NOT NULL, payee TEXT NOT NULL,
    secret TEXT NOT NULL, value_msat INTEGER NOT NULL, fee_msat INTEGER NOT NULL, created_ms INTEGER NOT NULL,
    status TEXT NOT NULL, failure_reason TEXT NOT NULL, preimage TEXT, resolved_ms INTEGER, resolve_ms INTEGER,
    resolve TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS ln_payments_in_flight ON ln_payments (payment_index) WHERE status = 'IN_FLIGHT';
  CREATE TABLE IF NOT EXISTS ln_wallet_invoices (
    hash TEXT PRIMARY KEY, preimage TEXT NOT NULL, secret TEXT NOT NULL, amount_msat INTEGER,
    expires_ms INTEGER NOT NULL, paid INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS ln_wallet_payments (
    entry INTEGER PRIMARY KEY, hash TEXT NOT NULL, amount_msat INTEGER NOT NULL, direction TEXT NOT NULL,
    settled_ms INTEGER NOT NULL
  ) STRICT;
`;

export class Books {
  readonly db: Database;
  readonly #transaction: (work: () => void) => void;
  readonly #keys = new Map<NodeName, { readonly secret: Uint8Array; readonly public: string }>();
  /** What invoices made here say, oldest first: whoever made a text need not read it again. */
  readonly #minted = new Map<string, ReadInvoice>();

  /** Makes tables, keys and opening balances where they are missing. */
  constructor(db: Database, world: World) {
    this.db = db;
    this.#transaction = db.transaction((work: () => void) => work());
    db.run(SCHEMA);
    this.atomically(() => {
      for (const name of ["merchant", "customer", "router"] satisfies NodeName[]) this.#ensureKey(name, world);
      const open = db.query<null, [string, number]>("INSERT OR IGNORE INTO ln_balances VALUES (?, ?)");
      for (const [name, msat] of Object.entries(OPENING_BALANCES)) open.run(name, msat);
    });
  }

  /** All of `work` is written, or none of it. */
  atomically<T>(work: () => T): T {
    let result: { readonly value: T } | null = null;
    this.#transaction(() => {
      result = { value: work() };
    });
    return (result as unknown as { readonly value: T }).value;
  }

  secretKey(name: NodeName): Uint8Array {
    return this.#key(name).secret;
  }

  /** Compressed, hex: the node's identity. */
  publicKey(name: NodeName): string {
    return this.#key(name).public;
  }

  /** Makes an invoice of one of the two nodes. @throws RangeError when a field cannot be written down. */
  mint(name: "merchant" | "customer", said: Said): string {
    const text = mintInvoice({ ...said, secretKey: this.secretKey(name), features: INVOICE_FEATURES });
    const features = INVOICE_FEATURES;
    this.#minted.set(text, { ok: true, payee: this.publicKey(name), descriptionHash: "", features, ...said });
    const [oldest] = this.#minted.keys();
    if (this.#minted.size > MAX_MINTED && oldest !== undefined) this.#minted.delete(oldest);
    return text;
  }

  read(text: string): ReadInvoice | UnreadableInvoice {
    return this.#minted.get(text) ?? readInvoice(text);
  }

  /** In millisats. */
  balance(name: BalanceName): number {
    const row = this.db.query<{ msat: number }, [string]>("SELECT msat FROM ln_balances WHERE name = ?").get(name);
    if (!row) throw new TypeError(`No balance "${name}"`);
    return row.msat;
  }

  /** Adds millisats, or takes them; a balance never falls below zero. */
  move(name: BalanceName, msat: number): void {
    this.db.query<null, [number, string]>("UPDATE ln_balances SET msat = msat + ? WHERE name = ?").run(msat, name);
  }

  /** Keys never change, and a public key takes long to compute. */
  #key(name: NodeName): { readonly secret: Uint8Array; readonly public: string } {
    const known = this.#keys.get(name);
    if (known) return known;
    const row = this.db
      .query<{ secret_key: string }, [string]>("SELECT secret_key FROM ln_keys WHERE name = ?")
      .get(name);
    if (!row) throw new TypeError(`No key of node "${name}"`);
    const secret = hexToBytes(row.secret_key);
    const key = { secret, public: publicKey(secret) };
    this.#keys.set(name, key);
    return key;
  }

  #ensureKey(name: NodeName, world: World): void {
    const known = this.db.query<unknown, [string]>("SELECT 1 FROM ln_keys WHERE name = ?").get(name);
    if (known) return;
    let key = world.random(32);
    while (!secp256k1.utils.isValidSecretKey(key)) key = world.random(32);
    this.db
      .query<null, [string, string]>("INSERT INTO ln_keys VALUES (?, ?)")
      .run(name, Buffer.from(key).toString("hex"));
  }
}
