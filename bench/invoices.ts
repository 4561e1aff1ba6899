/**
 * Invoices signed before the clock runs, so that making them is in no figure: for the price and the words that the service asks for, each
 * with a payment hash of its own. What is left to the timed process is what it does with a node's answer, signature check included.
 */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { readInvoice } from "../src/lightning/bolt11.ts";
import type { CreatedInvoice } from "../src/lightning/port.ts";
import { INVOICE_FEATURES, mintInvoice, publicKey } from "../src/sandbox/lightning/mint.ts";
import { scratch } from "./processes.ts";

/** The network of the sandbox. */
export const NETWORK = "bcrt";

let files = 0;

/** Signs `count` invoices that differ from `like` in their hashes only. @returns the file that `InvoicePool` reads. */
export async function signInvoices(count: number, like: string, secretKey: Uint8Array): Promise<string> {
  const read = readInvoice(like, NETWORK);
  if (!read.ok) throw new Error(`The invoice of the service is refused: ${read.reason}`);
  const { amountMsats, issuedAt, expiresAt, description, minFinalCltv } = read.facts;
  const node = publicKey(secretKey);
  const signed = Array.from({ length: count }, (): CreatedInvoice => {
    const paymentHash = createHash("sha256").update(randomBytes(32)).digest("hex");
    const bolt11 = mintInvoice({
      paymentHash,
      paymentSecret: randomBytes(32).toString("hex"),
      amountMsat: amountMsats,
      timestamp: Math.floor(Date.now() / 1_000),
      expirySeconds: (expiresAt - issuedAt) / 1_000,
      description: description ?? "",
      finalCltv: minFinalCltv,
      features: INVOICE_FEATURES,
      network: NETWORK,
      secretKey,
    });
    return { bolt11, paymentHash, node };
  });
  const file = scratch(`invoices-${files++}.json`);
  await Bun.write(file, JSON.stringify(signed));
  return file;
}

/** Hands out the invoices of a file in turn. When all were had it starts over, which a service that stores their hashes refuses. */
export class InvoicePool {
  readonly #all: readonly CreatedInvoice[];
  readonly #amountMsats: number;
  #taken = 0;

  constructor(file: string) {
    this.#all = JSON.parse(readFileSync(file, "utf8")) as CreatedInvoice[];
    const read = readInvoice(this.#all[0]?.bolt11 ?? "", NETWORK);
    if (!read.ok || read.facts.amountMsats === null) throw new Error(`${file} holds no invoices`);
    this.#amountMsats = read.facts.amountMsats;
  }

  /** @throws Error when another price is asked for: then something else would be measured. */
  take(amountSats: number): CreatedInvoice {
    if (amountSats * 1_000 !== this.#amountMsats) throw new Error(`No invoice of ${amountSats} sats was signed`);
    return this.#all[this.#taken++ % this.#all.length] as CreatedInvoice;
  }
}
