/**
 * The customer's wallet: pays the merchant's invoices and takes refunds with its own. It sits next to the merchant's
 * node, so what it pays costs no routing fee.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { iso, type World } from "../../../actors/runtime/world.ts";
import type { Books, InvoiceRow, WalletInvoiceRow, WalletPaymentRow } from "./books.ts";
import type { Invoices } from "./invoices.ts";
import { DEFAULT_FINAL_CLTV } from "./mint.ts";

/** The wallet did not pay; nothing moved. The message is the reason, fit to show. */
export class WalletRefused extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "WalletRefused";
  }
}

export interface WalletView {
  readonly balanceSats: number;
  /** Oldest first. */
  readonly payments: readonly {
    readonly paymentHash: string;
    readonly amountSats: number;
    readonly direction: "in" | "out";
    /** ISO-8601. */
    readonly settledAt: string;
  }[];
}

const DEFAULT_EXPIRY_SECONDS = 7_200;
/** A year, as at lnd. */
const MAX_EXPIRY_SECONDS = 31_536_000;
const MAX_AMOUNT_SATS = 21_000_000 * 100_000_000;

export class Wallet {
  readonly #world: World;
  readonly #books: Books;
  readonly #invoices: Invoices;

  constructor(world: World, books: Books, invoices: Invoices) {
    this.#world = world;
    this.#books = books;
    this.#invoices = invoices;
  }

  /**
   * Pays an invoice of the merchant's node. With `late`, the node takes the money although the invoice has expired or was cancelled, as
   * nodes do that let no invoice be cancelled. @throws WalletRefused
   */
  async pay(
    invoice: string,
    { late = false }: { readonly late?: boolean } = {},
  ): Promise<{ preimage: string; paymentHash: string; amountSats: number }> {
    const row = this.#payable(invoice, late);
    this.#books.atomically(() => {
      this.#books.move("wallet", -row.value_msat);
      this.#books.move("local", row.value_msat);
      this.#books.move("remote", -row.value_msat);
      this.#invoices.settle(row.hash, row.value_msat);
      this.#enter(row.hash, row.value_msat, "out");
    });
    this.#invoices.announce(row.hash);
    return { preimage: row.preimage, paymentHash: row.hash, amountSats: Math.floor(row.value_msat / 1000) };
  }

  /**
   * An invoice of the wallet itself, for a refund: without an amount when none is given.
   * @throws RangeError when amount (sats) or expiry (seconds) is no whole number above zero, or too large.
   */
  invoice(input: { amountSats?: number; expirySeconds?: number; descriptionHash?: string } = {}): {
    invoice: string;
    paymentHash: string;
  } {
    const expirySeconds = input.expirySeconds ?? DEFAULT_EXPIRY_SECONDS;
    if (!isCount(expirySeconds, MAX_EXPIRY_SECONDS)) throw new RangeError(`Not an expiry: ${expirySeconds}`);
    if (input.amountSats !== undefined && !isCount(input.amountSats, MAX_AMOUNT_SATS)) {
      throw new RangeError(`Not an amount in sats: ${input.amountSats}`);
    }
    const timestamp = Math.floor(this.#world.now() / 1000);
    const preimage = this.#world.random(32);
    const secret = bytesToHex(this.#world.random(32));
    const paymentHash = bytesToHex(sha256(preimage));
    const amountMsat = input.amountSats === undefined ? null : input.amountSats * 1000;
    const invoice = this.#books.mint("customer", {
      paymentHash,
      paymentSecret: secret,
      amountMsat,
      timestamp,
      expirySeconds,
      description: "Refund",
      ...(input.descriptionHash !== undefined && { descriptionHash: input.descriptionHash }),
      finalCltv: DEFAULT_FINAL_CLTV,
    });
    this.#books.db
      .query("INSERT INTO ln_wallet_invoices VALUES (?, ?, ?, ?, ?, 0)")
      .run(paymentHash, bytesToHex(preimage), secret, amountMsat, (timestamp + expirySeconds) * 1000);
    return { invoice, paymentHash };
  }

  view(): WalletView {
    const rows = this.#books.db
      .query<WalletPaymentRow, []>(
        "SELECT hash, amount_msat, direction, settled_ms FROM ln_wallet_payments ORDER BY entry",
      )
      .all();
    return {
      balanceSats: Math.floor(this.#books.balance("wallet") / 1000),
      payments: rows.map((row) => ({
        paymentHash: row.hash,
        amountSats: Math.floor(row.amount_msat / 1000),
        direction: row.direction,
        settledAt: iso(row.settled_ms),
      })),
    };
  }

  /** Compressed public key of the wallet's node, hex. */
  get pubkey(): string {
    return this.#books.publicKey("customer");
  }

  /** Whether the wallet takes an HTLC: it knows the invoice, which is unpaid, unexpired and paid in full (BOLT 4). */
  accepts(hash: string, secret: string, amountMsat: number): boolean {
    const row = this.#ownInvoice(hash);
    if (!row || row.paid || row.secret !== secret || this.#world.now() >= row.expires_ms) return false;
    return row.amount_msat === null || amountMsat >= row.amount_msat;
  }

  /** Takes an HTLC it has accepted, and gives the preimage for it. Call within a transaction. */
  receive(hash: string, amountMsat: number): string {
    const row = this.#ownInvoice(hash);
    if (!row) throw new TypeError("Received for an invoice that was never made");
    this.#books.db.query("UPDATE ln_wallet_invoices SET paid = 1 WHERE hash = ?").run(hash);
    this.#books.move("wallet", amountMsat);
    this.#enter(hash, amountMsat, "in");
    return row.preimage;
  }

  #payable(text: string, late: boolean): InvoiceRow {
    const invoice = this.#books.read(text);
    if (!invoice.ok) throw new WalletRefused(`Malformed invoice: ${invoice.reason}`);
    const row = this.#invoices.find(invoice.paymentHash);
    // A forged invoice can carry the hash of a real one, but not its signature and secret.
    if (row?.bolt11 !== text.toLowerCase()) throw new WalletRefused("Not an invoice of the merchant's node");
    if (row.state === "SETTLED") throw new WalletRefused("Invoice is already paid");
    if (!late && this.#world.now() >= (invoice.timestamp + invoice.expirySeconds) * 1000) {
      throw new WalletRefused("Invoice has expired");
    }
    if (!late && row.state === "CANCELED") throw new WalletRefused("Invoice was cancelled");
    if (row.value_msat === 0) throw new WalletRefused("Invoice has no amount");
    if (this.#books.balance("wallet") < row.value_msat) throw new WalletRefused("Insufficient balance");
    return row;
  }

  #ownInvoice(hash: string): WalletInvoiceRow | null {
    return this.#books.db
      .query<WalletInvoiceRow, [string]>("SELECT * FROM ln_wallet_invoices WHERE hash = ?")
      .get(hash);
  }

  #enter(hash: string, amountMsat: number, direction: "in" | "out"): void {
    this.#books.db
      .query("INSERT INTO ln_wallet_payments (hash, amount_msat, direction, settled_ms) VALUES (?, ?, ?, ?)")
      .run(hash, amountMsat, direction, Math.floor(this.#world.now()));
  }
}

function isCount(value: number, max: number): boolean {
  return Number.isSafeInteger(value) && value > 0 && value <= max;
}
