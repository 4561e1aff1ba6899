/**
 * The invoices of the merchant's node, whatever protocol it speaks: add, look up, cancel, settle, and tell who listens.
 * What a protocol says of them, and refuses, is its own folder's matter.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import type { Millis, World } from "../../../actors/runtime/world.ts";
import type { Books, InvoiceRow } from "./books.ts";
import { DEFAULT_FINAL_CLTV } from "./mint.ts";

export interface AddInvoice {
  /** Hex, 32 bytes; made up when null. */
  readonly preimage: string | null;
  /** 0 leaves the amount to the payer. */
  readonly valueMsat: number;
  readonly memo: string;
  readonly expirySeconds: number;
  readonly finalCltv?: number;
  /** A name that the node keeps with the invoice. */
  readonly label?: string;
}

export class Invoices {
  readonly #world: World;
  readonly #books: Books;
  readonly #listeners = new Set<(row: InvoiceRow) => void>();
  /** No open invoice expires before this; 0 when that has to be looked up. */
  #nextExpiry: Millis = 0;

  constructor(world: World, books: Books) {
    this.#world = world;
    this.#books = books;
  }

  /** Null when there is an invoice of that payment hash. */
  add(wanted: AddInvoice): InvoiceRow | null {
    const preimage = wanted.preimage ?? bytesToHex(this.#world.random(32));
    const hash = bytesToHex(sha256(hexToBytes(preimage)));
    if (this.find(hash)) return null;
    const row = this.#insert(hash, preimage, wanted);
    this.#publish(row);
    return row;
  }

  /** The invoice as it stands now, or null. */
  find(hash: string): InvoiceRow | null {
    this.expire();
    return this.#books.db
      .query<InvoiceRow, [string]>("SELECT * FROM ln_invoices WHERE hash = ? AND state != 'GONE'")
      .get(hash);
  }

  /** Oldest first; more than one where the node lets names repeat. */
  labelled(label: string): InvoiceRow[] {
    this.expire();
    return this.#books.db
      .query<InvoiceRow, [string]>(
        "SELECT ln_invoices.* FROM ln_invoices JOIN ln_labels USING (hash) WHERE label = ? AND state != 'GONE' ORDER BY add_index",
      )
      .all(label);
  }

  labelOf(hash: string): string | null {
    const row = this.#books.db
      .query<{ label: string }, [string]>("SELECT label FROM ln_labels WHERE hash = ?")
      .get(hash);
    return row?.label ?? null;
  }

  /** Makes an open invoice unpayable; changes no other. */
  cancel(hash: string): void {
    this.#books.db.query("UPDATE ln_invoices SET state = 'CANCELED' WHERE hash = ? AND state = 'OPEN'").run(hash);
  }

  /** The node knows nothing of it any more; its index is not given out again. */
  forget(hash: string): void {
    this.#books.atomically(() => {
      this.#books.db.query("DELETE FROM ln_labels WHERE hash = ?").run(hash);
      this.#books.db.query("UPDATE ln_invoices SET state = 'GONE' WHERE hash = ?").run(hash);
    });
  }

  /** Rows by a condition of SQL over `ln_invoices`; `where` is never text from outside. */
  select(where: string, values: readonly (number | string)[]): InvoiceRow[] {
    this.expire();
    return this.#books.db
      .query<InvoiceRow, (number | string)[]>(`SELECT * FROM ln_invoices WHERE state != 'GONE' AND ${where}`)
      .all(...values);
  }

  /** The highest value ever given out of an index, 0 before the first. */
  last(index: "add_index" | "settle_index"): number {
    return (
      this.#books.db.query<{ n: number }, []>(`SELECT coalesce(max(${index}), 0) AS n FROM ln_invoices`).get()?.n ?? 0
    );
  }

  /** Records a payment that arrived. The caller moves the money, and calls `announce` after its commit. */
  settle(hash: string, paidMsat: number): void {
    this.#books.db
      .query(`UPDATE ln_invoices SET state = 'SETTLED', paid_msat = ?, settled_ms = ?,
       settle_index = (SELECT coalesce(max(settle_index), 0) + 1 FROM ln_invoices) WHERE hash = ? AND state != 'SETTLED'`)
      .run(paidMsat, Math.floor(this.#world.now()), hash);
  }

  /** Tells listeners of the settlement of `hash`. */
  announce(hash: string): void {
    const row = this.find(hash);
    if (row) this.#publish(row);
  }

  /** Hears of every invoice that is added or settled. @returns how to stop. */
  listen(listener: (row: InvoiceRow) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Real nodes expire by timer; nobody can tell that from expiring at the next look. */
  expire(): void {
    const now = Math.floor(this.#world.now());
    if (now < this.#nextExpiry) return;
    const { db } = this.#books;
    db.query<null, [number]>(
      "UPDATE ln_invoices SET state = 'CANCELED' WHERE state = 'OPEN' AND created_ms + expiry_seconds * 1000 <= ?",
    ).run(now);
    const next = db
      .query<{ at: number | null }, []>(
        "SELECT min(created_ms + expiry_seconds * 1000) AS at FROM ln_invoices WHERE state = 'OPEN'",
      )
      .get();
    this.#nextExpiry = next?.at ?? Number.POSITIVE_INFINITY;
  }

  #publish(row: InvoiceRow): void {
    for (const listener of [...this.#listeners]) listener(row);
  }

  #insert(hash: string, preimage: string, wanted: AddInvoice): InvoiceRow {
    const now = Math.floor(this.#world.now());
    const secret = bytesToHex(this.#world.random(32));
    const { valueMsat, memo, expirySeconds, finalCltv = DEFAULT_FINAL_CLTV, label } = wanted;
    const bolt11 = this.#books.mint("merchant", {
      paymentHash: hash,
      paymentSecret: secret,
      amountMsat: valueMsat || null,
      timestamp: Math.floor(now / 1000),
      expirySeconds,
      description: memo,
      finalCltv,
    });
    this.#nextExpiry = Math.min(this.#nextExpiry, now + expirySeconds * 1000);
    this.#books.atomically(() => {
      this.#books.db
        .query(`INSERT INTO ln_invoices (hash, preimage, secret, bolt11, memo, value_msat, expiry_seconds, final_cltv,
         created_ms, state, paid_msat) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'OPEN', 0)`)
        .run(hash, preimage, secret, bolt11, memo, valueMsat, expirySeconds, finalCltv, now);
      if (label !== undefined)
        this.#books.db.query("INSERT INTO ln_labels (hash, label) VALUES (?, ?)").run(hash, label);
    });
    const row = this.find(hash);
    if (!row) throw new TypeError("The invoice was not stored");
    return row;
  }
}
