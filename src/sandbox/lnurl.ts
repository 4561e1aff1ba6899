/**
 * The customer's wallet as a Lightning address: any name at this host answers a pay request (LUD-06, LUD-16) and gives invoices of the wallet.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { ConnectionReset, type Faults, hang } from "./faults.ts";
import type { Wallet } from "./lightning/wallet.ts";

/** Actions of the peer "address". */
export const ADDRESS_ACTIONS = ["request", "callback"] as const;
export const ADDRESS_FAULTS = [
  "http500",
  "garbled",
  "hang",
  "reset",
  "error",
  "redirect",
  "wrong_amount",
  "wrong_description",
  "out_of_range",
  "callback_elsewhere",
] as const;

export const PAY_REQUEST_PREFIX = "/.well-known/lnurlp/";
export const CALLBACK_PATH = "/lnurlp/callback";

const MAX_SENDABLE_MSATS = 100_000_000_000;

export class AddressPeer {
  readonly #wallet: Wallet;
  readonly #faults: Faults;

  constructor({ wallet, faults }: { readonly wallet: Wallet; readonly faults: Faults }) {
    this.#wallet = wallet;
    this.#faults = faults;
  }

  /** @throws ConnectionReset on the fault `reset`; rejects when the caller gives up on `hang`. */
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const isCallback = url.pathname === CALLBACK_PATH;
    const fault = this.#faults.take("address", isCallback ? "callback" : "request")?.fault;
    if (fault === "hang") return hang(request.signal);
    if (fault === "reset") throw new ConnectionReset();
    if (fault === "http500") return new Response("Internal Server Error", { status: 500 });
    if (fault === "redirect") return new Response(null, { status: 302, headers: { location: url.href } });
    if (fault === "error") return Response.json({ status: "ERROR", reason: "Wallet is busy" });
    const body = isCallback ? this.#invoice(url, fault) : payRequest(url, fault);
    return fault === "garbled" ? new Response(JSON.stringify(body).slice(0, -5)) : Response.json(body);
  }

  #invoice(url: URL, fault: string | undefined) {
    const msats = Number(url.searchParams.get("amount"));
    if (!Number.isSafeInteger(msats) || msats < 1_000 || msats > MAX_SENDABLE_MSATS) {
      return { status: "ERROR", reason: "Amount is out of range" };
    }
    const text = fault === "wrong_description" ? "another one" : metadataOf(url.searchParams.get("name") ?? "", url);
    const { invoice } = this.#wallet.invoice({
      amountSats: Math.floor(msats / 1_000) + (fault === "wrong_amount" ? 1 : 0),
      expirySeconds: 600,
      descriptionHash: bytesToHex(sha256(utf8ToBytes(text))),
    });
    return { pr: invoice, routes: [] };
  }
}

function payRequest(url: URL, fault: string | undefined) {
  const name = url.pathname.slice(PAY_REQUEST_PREFIX.length);
  const callback =
    fault === "callback_elsewhere" ? "http://10.0.0.1/callback" : `${url.origin}${CALLBACK_PATH}?name=${name}`;
  return {
    tag: "payRequest",
    callback,
    minSendable: fault === "out_of_range" ? MAX_SENDABLE_MSATS : 1_000,
    maxSendable: MAX_SENDABLE_MSATS,
    metadata: metadataOf(name, url),
    commentAllowed: 0,
  };
}

const metadataOf = (name: string, { host }: URL): string =>
  JSON.stringify([
    ["text/identifier", `${name}@${host}`],
    ["text/plain", `Pay to ${name}`],
  ]);
