/**
 * The merchant's invoices as Core Lightning offers them: unique labels, two indices that can be waited for, deletion.
 * (lightningd/invoice.c, wallet/invoices.c, lightningd/wait.c.)
 */
import type { World } from "../../../../actors/runtime/world.ts";
import type { InvoiceRow } from "../books.ts";
import type { Invoices } from "../invoices.ts";
import { invoiceMessage } from "./messages.ts";
import {
  ClnError,
  INVALID_PARAMS,
  INVOICE_NOT_FOUND,
  LABEL_EXISTS,
  type Params,
  PREIMAGE_EXISTS,
  STATUS_UNEXPECTED,
  WAIT_TIMED_OUT,
} from "./wire.ts";

export const INVOICE = {
  amount_msat: "msat",
  label: "string",
  description: "string",
  expiry: "u64?",
  preimage: "hex32?",
  cltv: "u64?",
} as const;
export const LIST = {
  label: "string?",
  payment_hash: "hex32?",
  index: "string?",
  start: "u64?",
  limit: "u64?",
} as const;
export const DELETE = { label: "string", status: "string" } as const;

const DEFAULT_EXPIRY_SECONDS = 604_800;
/** BOLT 11: the `d` field counts its length in ten bits of five-bit groups. */
const MAX_DESCRIPTION_BYTES = 639;
const DEFAULT_LIST = 1_000_000;
/** When an invoice was last updated, in ms: paid, or expired. Invoices that are open have never been. */
const UPDATED_MS = "coalesce(settled_ms, created_ms + expiry_seconds * 1000)";

export class ClnInvoices {
  readonly #world: World;
  readonly #invoices: Invoices;

  constructor(world: World, invoices: Invoices) {
    this.#world = world;
    this.#invoices = invoices;
  }

  /** @throws ClnError */
  add(wanted: Params<typeof INVOICE>): object {
    const { label, description } = wanted;
    const bytes = Buffer.byteLength(description);
    if (bytes > MAX_DESCRIPTION_BYTES) {
      throw new ClnError(INVALID_PARAMS, `Descriptions greater than ${MAX_DESCRIPTION_BYTES} bytes not yet supported`);
    }
    const [taken] = this.#invoices.labelled(label);
    if (taken) throw new ClnError(LABEL_EXISTS, `Duplicate label '${label}'`, { data: this.#message(taken) });
    const row = this.#invoices.add({
      preimage: wanted.preimage ?? null,
      valueMsat: wanted.amount_msat,
      memo: description,
      expirySeconds: wanted.expiry ?? DEFAULT_EXPIRY_SECONDS,
      ...(wanted.cltv !== undefined && { finalCltv: wanted.cltv }),
      label,
    });
    if (!row) throw new ClnError(PREIMAGE_EXISTS, "preimage already used");
    return {
      payment_hash: row.hash,
      expires_at: Math.floor(row.created_ms / 1000) + row.expiry_seconds,
      bolt11: row.bolt11,
      payment_secret: row.secret,
      created_index: row.add_index,
    };
  }

  /** @throws ClnError */
  list({ label, payment_hash: hash, index, start = 0, limit = DEFAULT_LIST }: Params<typeof LIST>): object[] {
    if (label !== undefined && hash !== undefined) {
      throw new ClnError(INVALID_PARAMS, "Can only specify one of {label}, {invstring}, {payment_hash} or {offer_id}");
    }
    if (label !== undefined) return this.#invoices.labelled(label).map((row) => this.#message(row));
    if (hash !== undefined) return [this.#invoices.find(hash)].flatMap((row) => (row ? [this.#message(row)] : []));
    if (index === "updated") {
      const updated = this.#updated().filter(({ at }) => at >= start);
      return updated.slice(0, limit).map(({ row, at }) => this.#message(row, at));
    }
    const ranks = new Map(this.#updated().map(({ row, at }) => [row.hash, at]));
    return this.#invoices
      .select("add_index >= ? ORDER BY add_index LIMIT ?", [start, limit])
      .map((row) => this.#message(row, ranks.get(row.hash) ?? null));
  }

  /** @throws ClnError */
  delete({ label, status }: Params<typeof DELETE>): object {
    const [row] = this.#invoices.labelled(label);
    if (!row) throw new ClnError(INVOICE_NOT_FOUND, "Unknown invoice");
    const message = this.#message(row) as { readonly status: string };
    if (message.status !== status) {
      throw new ClnError(STATUS_UNEXPECTED, `Invoice status is ${message.status} not ${status}`, {
        data: { current_status: message.status, expected_status: status },
      });
    }
    this.#invoices.forget(row.hash);
    return message;
  }

  /** The highest value of an index. */
  highest(index: "created" | "updated"): number {
    if (index === "created") return this.#invoices.last("add_index");
    return this.#updated().length;
  }

  /**
   * The first invoice paid after `last`, now or when it comes.
   * @throws ClnError when `timeoutSeconds` passes; the signal's reason when the caller leaves.
   */
  waitAny(last: number, timeoutSeconds: number | undefined, signal: AbortSignal): Promise<object> {
    const find = () => this.#invoices.select("settle_index > ? ORDER BY settle_index LIMIT 1", [last])[0];
    const there = find();
    if (there) return Promise.resolve(this.#message(there));
    return new Promise((resolve, reject) => {
      const end = (act: () => void) => {
        forget();
        cancel();
        signal.removeEventListener("abort", leave);
        act();
      };
      const leave = () => end(() => reject(signal.reason));
      const forget = this.#invoices.listen((row) => {
        if (row.settle_index !== null && row.settle_index > last) end(() => resolve(this.#message(row)));
      });
      const cancel =
        timeoutSeconds === undefined
          ? () => {}
          : this.#world.at(this.#world.now() + timeoutSeconds * 1000, () =>
              end(() => reject(new ClnError(WAIT_TIMED_OUT, "Timed out"))),
            );
      if (signal.aborted) leave();
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  /** In the order of their updates, which is their updated index. */
  #updated(): { readonly row: InvoiceRow; readonly at: number }[] {
    return this.#invoices
      .select(`state IN ('SETTLED', 'CANCELED') ORDER BY ${UPDATED_MS}, add_index`, [])
      .map((row, position) => ({ row, at: position + 1 }));
  }

  #message(row: InvoiceRow, updated: number | null = null): object {
    return invoiceMessage(row, this.#invoices.labelOf(row.hash) ?? "", updated);
  }
}
