/**
 * Buying a number, and everything that is done with an order afterwards. This file knows HTTP and credentials; what the
 * answers mean for money and numbers is the desk's.
 */
import { Elysia } from "elysia";
import { allows, type Capability } from "../l402/caveats.ts";
import { placeOf } from "../mpp/accept.ts";
import type { PaymentFault } from "../mpp/credential.ts";
import type { Bearer, Challenge, Eventually, OrderDesk, OrderRequest } from "../orders/desk.ts";
import { isProblem, type Problem, problem } from "../orders/problem.ts";
import type { OrderView } from "../orders/view.ts";
import type { Access, Opened } from "./access.ts";
import { baseUrl } from "./base-url.ts";
import type { ApiConfig } from "./config.ts";
import { refuse } from "./errors.ts";
import { type Body, FieldReader, parseBody } from "./fields.ts";
import type { Answer, Call, Gate } from "./gate.ts";
import { readBody } from "./limits.ts";
import { describe } from "./openapi.ts";
import { CANCEL_DOC, LINK_DOC, ORDER_DOC, PROBE_DOC, PURCHASE_DOC, REFUND_DOC } from "./orders-doc.ts";
import { type PaymentScheme, paymentProblem } from "./payment-scheme.ts";
import { TokenBuckets } from "./rate-limit.ts";
import { json, jsonText, noHead, withHeaders } from "./replies.ts";
import { OrderFields, RefundFields } from "./schemas.ts";
import { canWithdraw, linkOf, NO_LINKS } from "./withdraw.ts";

export interface OrderRoutes {
  readonly gate: Gate;
  readonly desk: OrderDesk;
  readonly access: Access;
  readonly payments: PaymentScheme;
  readonly config: Pick<ApiConfig, "publicUrl" | "sandbox">;
}

const POLL_INTERVAL_MS = 5_000;
/** An Idempotency-Key is a bearer secret: it gets the same invoice again. 22 characters of base64 are 128 bits. */
const MIN_KEY = 22;
const MAX_KEY = 255;

const purchaseFields = new FieldReader(OrderFields);
const refundFields = new FieldReader(RefundFields);
const EMPTY: Body = { members: {} };
/** How often one order's refund may be sent elsewhere: each time is a step in its journal, for as long as the order waits. */
const REDIRECTS = { perMinute: 0.1, burst: 20 };

export function orderRoutes({ gate, desk, access, payments, config }: OrderRoutes) {
  /** The only answer with WWW-Authenticate: clients take that header for an invitation to pay, at any status. */
  const challengeOr = (challenge: Challenge | Problem, call: Call, fault: PaymentFault | null = null): Answer => {
    if (isProblem(challenge)) return challenge;
    const accepts = call.request.headers.get("accept-payment");
    const isPaymentClient = fault !== null || placeOf(accepts) === "first";
    const body = { ...challengeBody(challenge), ...(isPaymentClient && paymentProblem(fault)) };
    return withHeaders(refuse(UNPAID, call.requestId, body), {
      "www-authenticate": payments.challenges(challenge, accepts),
      ...(isPaymentClient && { "content-type": "application/problem+json" }),
    });
  };

  /**
   * The challenge of a macaroon that was presented, with that macaroon and nothing else: it may be a restricted one, and a `Payment`
   * challenge has no caveats. Its holder, shown the preimage later, would have every right.
   */
  const sameChallengeOr = (challenge: Challenge | Problem, call: Call): Answer => {
    if (isProblem(challenge)) return challenge;
    return withHeaders(refuse(UNPAID, call.requestId, challengeBody(challenge)), {
      "www-authenticate": challenge.header,
    });
  };

  const orderOr = (order: OrderView | Problem, opened: Opened | null): Answer => {
    if (isProblem(order)) return order;
    if (opened === null) return jsonText(textOf(order));
    const { bearer, proof } = opened;
    if (proof === null) return allows(bearer.capabilities, "read") ? jsonText(textOf(order)) : json(veiled(order));
    // From here on the client can go on with L402: the same preimage, and this macaroon.
    return withHeaders(json({ ...order, macaroon: desk.macaroonOf(bearer) }), {
      "payment-receipt": payments.receipt(proof),
      "cache-control": "private, no-store",
    });
  };

  /** One order's routes: the credential first, before anything is looked up or done. */
  const withOrder = (
    call: Call,
    capability: Capability,
    act: (bearer: Bearer) => Eventually<OrderView | Problem>,
  ): Eventually<Answer> => {
    const orderId = call.params.id ?? "";
    const opening = access.open(call.request.headers, orderId, capability);
    if (isProblem(opening)) return opening;
    if (opening.kind === "unpaid") {
      return desk.challengeAgain(orderId, opening.macaroon).then((challenge) => sameChallengeOr(challenge, call));
    }
    const order = act(opening.bearer);
    return order instanceof Promise ? order.then((one) => orderOr(one, opening)) : orderOr(order, opening);
  };

  const redirects = new TokenBuckets(REDIRECTS);
  /** Only what was taken counts: a client whose invoices are refused may go on trying. */
  const redirect = async <T extends object>(orderId: string, act: () => Promise<T | Problem>): Promise<T | Problem> => {
    // Taken before it is done: many requests at once must not all find the same token.
    const wait = redirects.take(orderId, gate.world.now());
    if (wait > 0) return problem("RATE_LIMITED", TOO_OFTEN, { retryAfterSeconds: wait });
    const done = await act();
    if (isProblem(done)) redirects.giveBack(orderId);
    return done;
  };

  const refundLink = async (call: Call): Promise<Answer> => {
    const text = await readBody(call.request, gate.world);
    if (typeof text !== "string") return text;
    const orderId = call.params.id ?? "";
    const opening = access.open(call.request.headers, orderId, "refund");
    if (isProblem(opening)) return opening;
    if (opening.kind === "unpaid") return sameChallengeOr(await desk.challengeAgain(orderId, opening.macaroon), call);
    const base = baseUrl(config, call);
    if (!canWithdraw(base, config)) return NO_LINKS;
    const issued = await redirect(orderId, () => desk.refundLink(opening.bearer));
    return isProblem(issued) ? issued : json(linkOf(base, issued));
  };

  const purchase = async (call: Call, body: Body): Promise<Answer> => {
    const { headers } = call.request;
    const idempotencyKey = headers.get("idempotency-key");
    if (idempotencyKey !== null && !isStrongKey(idempotencyKey)) return WEAK_KEY;
    const fields = purchaseFields.read(body);
    if (isProblem(fields)) return fields;
    const { parentCredential, notify, ...rest } = fields;
    const request: OrderRequest = { ...rest, ...(notify?.nostr !== undefined && { notify: { nostr: notify.nostr } }) };
    const { fault, proof, bearer, unpaidBearer } = access.forPurchase(headers, request.orderId);
    const created = await desk.create({
      request,
      emptyBody: Object.keys(body.members).length === 0,
      client: call.client.bucket,
      network: call.client.network,
      idempotencyKey,
      bearer,
      unpaidBearer,
      parent: parentCredential === undefined ? null : access.parent(parentCredential, request.orderId),
    });
    if (isProblem(created)) return created;
    if (created.kind === "challenge") {
      const presented = unpaidBearer !== null && created.macaroon === unpaidBearer.macaroon;
      return presented ? sameChallengeOr(created, call) : challengeOr(created, call, fault);
    }
    return orderOr(created.order, bearer && { bearer, proof });
  };

  const create = async (call: Call): Promise<Answer> => {
    const text = await readBody(call.request, gate.world);
    const body = typeof text === "string" ? parseBody(text) : text;
    return isProblem(body) ? body : purchase(call, body);
  };

  const cancel = async (call: Call): Promise<Answer> => {
    // Cancelling has no fields; a body is read only to keep it within its limit.
    const text = await readBody(call.request, gate.world);
    if (typeof text !== "string") return text;
    return withOrder(call, "cancel", (bearer) => desk.cancel(bearer));
  };

  const setRefundInvoice = async (call: Call): Promise<Answer> => {
    const text = await readBody(call.request, gate.world);
    if (typeof text !== "string") return text;
    // Inside, so that the credential comes before the form: a stranger learns nothing from a well-formed body.
    return withOrder(call, "refund", async (bearer) => {
      const body = parseBody(text);
      if (isProblem(body)) return body;
      const fields = refundFields.read(body);
      if (isProblem(fields)) return fields;
      const { refundInvoice, refundAddress } = fields;
      if (refundInvoice !== undefined && refundAddress === undefined)
        return redirect(bearer.orderId, () => desk.setRefundInvoice(bearer, refundInvoice));
      if (refundAddress !== undefined && refundInvoice === undefined)
        return redirect(bearer.orderId, () => desk.setRefundAddress(bearer, refundAddress));
      return ONE_DESTINATION;
    });
  };

  const read = (call: Call) => withOrder(call, "read", (bearer) => desk.read(bearer));

  return new Elysia({ name: "orders" })
    .post("/v2/l402/order", gate.route("POST /v2/l402/order", { limit: "orders" }, create), {
      parse: "none",
      detail: describe(PURCHASE_DOC),
    })
    .get(
      "/v2/l402/order",
      gate.route("GET /v2/l402/order", { limit: "orders" }, (call) => purchase(call, EMPTY)),
      { parse: "none", detail: describe(PROBE_DOC) },
    )
    .head("/v2/l402/order", gate.route("HEAD /v2/l402/order", { limit: "reads" }, noHead("GET, POST, OPTIONS")), HIDDEN)
    .get("/v2/l402/order/:id", gate.route("GET /v2/l402/order/:id", { limit: "reads" }, read), {
      parse: "none",
      detail: describe(ORDER_DOC),
    })
    .head(
      "/v2/l402/order/:id",
      gate.route("HEAD /v2/l402/order/:id", { limit: "reads" }, noHead("GET, OPTIONS")),
      HIDDEN,
    )
    .post("/v2/l402/order/:id/cancel", gate.route("POST /v2/l402/order/:id/cancel", { limit: "reads" }, cancel), {
      parse: "none",
      detail: describe(CANCEL_DOC),
    })
    .post(
      "/v2/l402/order/:id/refund-link",
      gate.route("POST /v2/l402/order/:id/refund-link", { limit: "reads" }, refundLink),
      { parse: "none", detail: describe(LINK_DOC) },
    )
    .post(
      "/v2/l402/order/:id/refund-invoice",
      gate.route("POST /v2/l402/order/:id/refund-invoice", { limit: "reads" }, setRefundInvoice),
      { parse: "none", detail: describe(REFUND_DOC) },
    );
}

/** Texts of views, for as long as the desk gives out the same view. */
const texts = new WeakMap<OrderView, string>();

function textOf(order: OrderView): string {
  const known = texts.get(order);
  if (known !== undefined) return known;
  const text = JSON.stringify(order);
  texts.set(order, text);
  return text;
}

const HIDDEN = { parse: "none", detail: { hide: true } } as const;

const isStrongKey = (key: string): boolean =>
  key.length >= MIN_KEY && key.length <= MAX_KEY && /^[\x21-\x7e]+$/.test(key);

const WEAK_KEY = problem(
  "VALIDATION_ERROR",
  `Header "Idempotency-Key" must be ${MIN_KEY} to ${MAX_KEY} visible ASCII characters`,
  { suggestion: "Use 128 random bits: the key gets the same invoice again", details: { field: "Idempotency-Key" } },
);

const TOO_OFTEN = "The refund of this order was sent elsewhere too often";

const ONE_DESTINATION = problem("VALIDATION_ERROR", 'Either "refundInvoice" or "refundAddress" must be there', {
  suggestion: "Send a BOLT 11 invoice without an amount, valid for at least 30 minutes, or a Lightning address",
  details: { field: "refundInvoice" },
});

function challengeBody({ orderId, invoice, macaroon, priceSats, paymentHash, expiresAt }: Challenge) {
  return {
    orderId,
    status: "pending_payment",
    invoice,
    macaroon,
    priceSats,
    paymentHash,
    expiresAt,
    statusUrl: `/v2/l402/order/${orderId}`,
    pollIntervalMs: POLL_INTERVAL_MS,
  };
}

const UNPAID = problem("PAYMENT_REQUIRED", "Pay the invoice to get the number", {
  suggestion: "Then poll statusUrl with Authorization: L402 <macaroon>:<preimage>",
});

/** What a credential without "read" may see of the order it acts on: where it stands, and nothing that came of it. */
function veiled(order: OrderView): OrderView {
  return { ...order, phoneNumber: null, code: null, messages: [], refund: { ...order.refund, preimage: null } };
}
