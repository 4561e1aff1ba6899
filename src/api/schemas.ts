/**
 * The shapes of the API, once: requests are checked with them and the OpenAPI document shows them. OpenAPI 3.0.3 knows
 * neither `const` nor the type `null`, hence the two kinds of schema made here.
 */
import { Kind, type Static, type TSchema, Type, TypeRegistry } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { STATUSES } from "../../actors/order/status.ts";
import { ORDER_TYPES } from "../../actors/order/terms.ts";
import { PROBLEMS, type ProblemCode } from "../orders/problem.ts";

/** In words, what a value must be: the end of the sentence `Field "x" must be ...`. */
export const MUST = "x-must-be";
/** The error code of a value of a wrong form, where it is not `VALIDATION_ERROR`. */
export const PROBLEM = "x-problem";

const WORD = "Word";
const NULLABLE = "Nullable";
const Inner = Symbol("Inner");

TypeRegistry.Set<{ enum: readonly unknown[] }>(WORD, (schema, value) => schema.enum.includes(value));
TypeRegistry.Set<{ [Inner]: TSchema }>(
  NULLABLE,
  (schema, value) => value === null || Value.Check(schema[Inner], value),
);

/** One of some words. */
const words = <const T extends string>(list: readonly T[], options: Record<string, unknown> = {}) =>
  Type.Unsafe<T>({ [Kind]: WORD, type: "string", enum: [...list], ...options });

const nullable = <S extends TSchema>(schema: S) =>
  Type.Unsafe<Static<S> | null>({ ...schema, [Kind]: NULLABLE, [Inner]: schema, nullable: true });

const time = (description: string) => Type.String({ format: "date-time", description });
const satsAmount = (description: string) => Type.Integer({ minimum: 0, description });

const MAX_SATS = 2_100_000_000_000_000;
const MAX_MINUTES = 525_600;

const refundInvoice = Type.String({
  minLength: 1,
  maxLength: 2048,
  description: "BOLT 11 invoice without an amount, valid for at least 30 minutes; two hours are better",
  [MUST]: "a BOLT 11 invoice of at most 2048 characters",
  [PROBLEM]: "INVALID_REFUND_INVOICE",
});

/** What is an npub is checked where the name is read, in words that fit. */
const refundAddress = Type.String({
  minLength: 5,
  maxLength: 512,
  description: "Lightning address or LNURL-pay: asked for an invoice when there is no usable refundInvoice",
  [MUST]: "a Lightning address or LNURL of at most 512 characters",
  [PROBLEM]: "INVALID_REFUND_ADDRESS",
});

const npub = Type.String({ minLength: 1, maxLength: 128, description: "npub of the Nostr account to notify" });

export const OrderFields = Type.Object(
  {
    type: words(ORDER_TYPES, { default: "receive-sms", [MUST]: `one of ${ORDER_TYPES.join(", ")}` }),
    country: Type.Union([Type.String({ minLength: 1, maxLength: 64 }), Type.Integer({ minimum: 0, maximum: 99_999 })], {
      default: "auto",
      description: 'Numeric id, ISO 3166-1 alpha-2 code, English name, alias, or "auto"',
      [MUST]: "a country id, ISO code or name of at most 64 characters",
    }),
    service: Type.String({
      minLength: 1,
      maxLength: 64,
      default: "other",
      description: "Code, name or alias; `other` is any sender",
      [MUST]: "a service code or name of at most 64 characters",
    }),
    refundInvoice,
    refundAddress,
    maxPriceSats: Type.Integer({
      minimum: 1,
      maximum: MAX_SATS,
      description: "Refuse with PRICE_ABOVE_MAX instead of quoting more",
      [MUST]: `a whole number from 1 to ${MAX_SATS}`,
    }),
    durationMinutes: Type.Integer({
      minimum: 1,
      maximum: MAX_MINUTES,
      description: "rent-number, which needs it: the shortest rental on offer that is at least this long",
      [MUST]: `a whole number from 1 to ${MAX_MINUTES}`,
    }),
    orderId: Type.String({
      minLength: 1,
      maxLength: 64,
      description: "receive-sms-reactivate, which needs it: the earlier order",
      [MUST]: "an order id of at most 64 characters",
    }),
    parentCredential: Type.String({
      minLength: 1,
      maxLength: 8192,
      description: "receive-sms-reactivate: `<macaroon>:<preimage>` of the earlier order, if not in Authorization",
      [MUST]: "a credential of at most 8192 characters",
    }),
    notify: Type.Object(
      { nostr: Type.Optional(npub) },
      {
        description: "Where to send a notice when the code is there. The notice never has the code",
        [MUST]: 'an object such as {"nostr": "npub1..."}',
      },
    ),
  },
  { description: "Everything is optional. null means absent; unknown fields are ignored" },
);

export const RefundFields = Type.Object({ refundInvoice, refundAddress }, { description: "One of the two" });

const Message = Type.Object({
  code: nullable(Type.String()),
  text: nullable(Type.String()),
  from: nullable(Type.String()),
  receivedAt: time("When the provider received it"),
});

const Refund = Type.Object({
  status: words(["none", "pending", "paid", "needs_destination", "unclaimed"]),
  amountSats: nullable(satsAmount("What is or was paid back")),
  paymentHash: nullable(Type.String({ description: "Of the invoice that is or was paid" })),
  preimage: nullable(Type.String({ description: "Proof that the refund arrived" })),
  refundedAt: nullable(time("When it arrived")),
  address: nullable(Type.String({ description: "The refundAddress, as it was given" })),
  claimUntil: nullable(time("Until when the order waits for a destination")),
});

const Next = Type.Object({
  action: words(["pay", "wait", "read_code", "give_refund_invoice", "none"]),
  message: Type.String(),
  afterSeconds: nullable(Type.Integer({ description: "When to come back" })),
});

export const OrderSchema = Type.Object({
  orderId: Type.String(),
  type: words(ORDER_TYPES),
  status: words(STATUSES),
  country: Type.Integer({ description: "Numeric id" }),
  service: Type.String({ description: "Code" }),
  phoneNumber: nullable(Type.String()),
  code: nullable(Type.String({ description: "The newest code" })),
  messages: Type.Array(Message),
  priceSats: satsAmount("What was paid"),
  createdAt: time("When the order was opened"),
  paidAt: nullable(time("When the invoice settled")),
  expiresAt: nullable(
    time(
      "End of the invoice, of the wait for an SMS, of the rental, of the time to claim a refund, or of the record; null when nothing ends",
    ),
  ),
  cancelAvailableAt: nullable(
    time(
      "From when a cancel is accepted, before payment the earliest possible time; null for types that cannot be cancelled",
    ),
  ),
  durationMinutes: nullable(Type.Integer({ description: "As asked for; `expiresAt` tells when a rental ends" })),
  refund: Refund,
  next: Next,
  macaroon: Type.Optional(
    nullable(Type.String({ description: "Only for a `Payment` credential: go on with `L402 <macaroon>:<preimage>`" })),
  ),
});

export const ErrorSchema = Type.Object({
  error: Type.Object(
    {
      code: words(Object.keys(PROBLEMS) as ProblemCode[]),
      message: Type.String(),
      suggestion: Type.Optional(Type.String({ description: "What to do instead" })),
      retryable: Type.Boolean(),
      retryAfterSeconds: Type.Optional(Type.Integer({ minimum: 1 })),
      requestId: Type.String({ description: "Quote it to the operator" }),
    },
    { description: "May have more members, such as `field` or `nearest`", additionalProperties: true },
  ),
});

export const ChallengeSchema = Type.Object({
  error: ErrorSchema.properties.error,
  orderId: Type.String(),
  status: words(["pending_payment"]),
  invoice: Type.String({ description: "BOLT 11" }),
  macaroon: Type.String({ description: "Standard base64; also in WWW-Authenticate" }),
  priceSats: satsAmount("Amount of the invoice"),
  paymentHash: Type.String(),
  expiresAt: time("Until when the invoice can be paid"),
  statusUrl: Type.String({ description: "Path of the order" }),
  pollIntervalMs: Type.Integer(),
  type: Type.Optional(
    Type.String({ description: "RFC 9457, for clients of the `Payment` scheme; as `title` and `detail`" }),
  ),
  title: Type.Optional(Type.String()),
  detail: Type.Optional(Type.String()),
});

export const RefundLinkSchema = Type.Object({
  orderId: Type.String(),
  lnurl: Type.String({ description: "LNURL-withdraw (LUD-03), for QR codes" }),
  url: Type.String({ description: "The same as a URL. A secret: whoever has it can take the refund, once" }),
  amountSats: satsAmount("What it pays"),
  claimUntil: nullable(time("Until when it can be used")),
});

/** What wallets read (LUD-03): a request, or whether it was taken. Never our own error shape. */
export const WithdrawSchema = Type.Object({
  tag: Type.Optional(words(["withdrawRequest"])),
  callback: Type.Optional(Type.String()),
  k1: Type.Optional(Type.String()),
  defaultDescription: Type.Optional(Type.String()),
  minWithdrawable: Type.Optional(Type.Integer({ description: "Millisats" })),
  maxWithdrawable: Type.Optional(Type.Integer({ description: "Millisats" })),
  status: Type.Optional(words(["OK", "ERROR"])),
  reason: Type.Optional(Type.String()),
});

const Offer = Type.Object({
  service: Type.String(),
  name: Type.String(),
  priceSats: satsAmount("Price now"),
  stock: Type.Integer({ minimum: 0 }),
});

export const CatalogSchema = Type.Object({
  updatedAt: nullable(time("When prices and stock were read")),
  priceRule: Type.String(),
  countries: Type.Array(
    Type.Object({
      id: Type.Integer(),
      iso: nullable(Type.String()),
      name: Type.String(),
      sms: Type.Array(Offer),
      rentals: Type.Array(Type.Composite([Offer, Type.Object({ durationMinutes: Type.Integer() })])),
    }),
  ),
});

export const ServicesSchema = Type.Object({
  services: Type.Array(Type.Object({ code: Type.String(), name: Type.String() })),
});

const Peer = { ok: Type.Boolean(), checkedSecondsAgo: nullable(Type.Number()) };
const Node = { ...Peer, network: Type.String(), settlementStream: Type.Boolean(), canRefund: Type.Boolean() };

export const HealthSchema = Type.Object({
  status: words(["ok", "degraded", "down"]),
  version: Type.String(),
  uptimeSeconds: Type.Number(),
  sandbox: Type.Boolean(),
  database: Type.Object({
    ok: Type.Boolean(),
    paused: Type.Boolean({ description: "Restored from a backup, not yet compared: nothing is sold, no money moves" }),
  }),
  lightning: Type.Object(Node),
  provider: Type.Object({
    ...Peer,
    pairsPaused: Type.Number({
      description: "Services and countries not sold for now: too few of their numbers got an SMS",
    }),
    allPaused: Type.Boolean({ description: "Likewise all of them" }),
    pairsBarred: Type.Number({ description: "Services and countries that the provider itself does not sell us" }),
  }),
  price: Type.Object({ ok: Type.Boolean(), ageSeconds: nullable(Type.Number()) }),
});

export const ReadySchema = Type.Object({ ready: Type.Boolean(), reasons: Type.Array(Type.String()) });
export const LiveSchema = Type.Object({ status: words(["ok"]) });
export const HookSchema = Type.Object({ ok: Type.Boolean() });

/** Documents about the service itself; their members are described where they are written. */
export const DiscoverySchema = Type.Object(
  { name: Type.String(), description: Type.String(), version: Type.String() },
  { additionalProperties: true },
);

export const OpenApiSchema = Type.Object(
  { openapi: Type.String(), info: Type.Object({}), paths: Type.Object({}) },
  { additionalProperties: true },
);

/** What the OpenAPI document calls them. Of a request every field may be left out; each is checked by itself. */
export const SCHEMAS = {
  OrderRequest: Type.Partial(OrderFields),
  RefundInvoiceRequest: Type.Partial(RefundFields),
  Order: OrderSchema,
  Error: ErrorSchema,
  Challenge: ChallengeSchema,
  RefundLink: RefundLinkSchema,
  Withdraw: WithdrawSchema,
  Catalog: CatalogSchema,
  Services: ServicesSchema,
  Health: HealthSchema,
  Readiness: ReadySchema,
  Liveness: LiveSchema,
  WebhookAnswer: HookSchema,
  Discovery: DiscoverySchema,
  OpenApi: OpenApiSchema,
} as const;
export type SchemaName = keyof typeof SCHEMAS;
