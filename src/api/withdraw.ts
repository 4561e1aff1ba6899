/**
 * Withdraw links (LNURL-withdraw, LUD-03): how an order whose refund has nowhere to go is paid to whoever holds its link. Wallets speak LNURL
 * here, so refusals are `{status: "ERROR", reason}` with 200, and unknown, used and foreign links are one and the same.
 */
import { Elysia } from "elysia";
import { encodeLnurl } from "../lnurl/address.ts";
import type { OrderDesk } from "../orders/desk.ts";
import { problem } from "../orders/problem.ts";
import type { OrderView } from "../orders/view.ts";
import { baseUrl } from "./base-url.ts";
import type { ApiConfig } from "./config.ts";
import type { Answer, Call, Gate } from "./gate.ts";
import { describe } from "./openapi.ts";
import { WITHDRAW_DOC, WITHDRAW_PAY_DOC } from "./orders-doc.ts";
import { json, noHead } from "./replies.ts";
import { targetOf } from "./target.ts";

/** Wallets ask HTTPS only; the sandbox's may be asked as it is. */
export const canWithdraw = (base: string, { sandbox }: Pick<ApiConfig, "sandbox">): boolean =>
  base.startsWith("https://") || (sandbox && base !== "");

export const NO_LINKS = problem(
  "UNAVAILABLE",
  "This server has no public HTTPS address, which wallets need for a link",
  {
    suggestion: "Post a refundInvoice or a refundAddress instead",
    retryable: false,
  },
);

/** The answer that carries a fresh link. */
export function linkOf(base: string, { order, secret }: { readonly order: OrderView; readonly secret: string }) {
  const url = `${base}/v2/l402/withdraw/${order.orderId}/${secret}`;
  const { amountSats, claimUntil } = order.refund;
  return { orderId: order.orderId, lnurl: encodeLnurl(url), url, amountSats: amountSats ?? 0, claimUntil };
}

const MAX_PR = 2_048;

export function withdrawRoutes({
  gate,
  desk,
  config,
}: {
  readonly gate: Gate;
  readonly desk: OrderDesk;
  readonly config: Pick<ApiConfig, "publicUrl">;
}) {
  const refused = (reason: string): Answer => json({ status: "ERROR", reason });

  const terms = (call: Call): Answer => {
    const { id = "", secret = "" } = call.params;
    const sats = desk.withdrawTerms(id, secret);
    if (typeof sats !== "number") return refused(sats.refused);
    return json({
      tag: "withdrawRequest",
      callback: `${baseUrl(config, call)}/v2/l402/withdraw/${id}`,
      k1: secret,
      defaultDescription: "Refund",
      minWithdrawable: sats * 1_000,
      maxWithdrawable: sats * 1_000,
    });
  };

  const pay = async (call: Call): Promise<Answer> => {
    const { query } = targetOf(call.request);
    const invoice = query.get("pr") ?? "";
    if (invoice === "" || invoice.length > MAX_PR) return refused("The invoice is missing or too long");
    const answer = await desk.withdraw(call.params.id ?? "", query.get("k1") ?? "", invoice);
    return answer === "taken" ? json({ status: "OK" }) : refused(answer.refused);
  };

  return new Elysia({ name: "withdraw" })
    .get("/v2/l402/withdraw/:id/:secret", gate.route("GET /v2/l402/withdraw/:id/:secret", { limit: "reads" }, terms), {
      parse: "none",
      detail: describe(WITHDRAW_DOC),
    })
    .get("/v2/l402/withdraw/:id", gate.route("GET /v2/l402/withdraw/:id", { limit: "reads" }, pay), {
      parse: "none",
      detail: describe(WITHDRAW_PAY_DOC),
    })
    .head(
      "/v2/l402/withdraw/:id",
      gate.route("HEAD /v2/l402/withdraw/:id", { limit: "reads" }, noHead("GET, OPTIONS")),
      { parse: "none", detail: { hide: true } },
    );
}
