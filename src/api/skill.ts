/** The manual of this server for agents: one text that is enough to buy, poll, cancel and be refunded. */
import type { Status } from "../../actors/order/status.ts";
import { PROBLEMS, type ProblemCode } from "../orders/problem.ts";
import type { ApiConfig } from "./config.ts";
import { EXAMPLE_ID } from "./examples.ts";
import { ERROR_GUIDE, FINAL_WORDS, STATUS_GUIDE } from "./guide.ts";
import { MAX_BODY_BYTES } from "./limits.ts";

/** `base` is the server's own URL without a slash at the end. */
export function skill(config: ApiConfig, base: string): string {
  return `${[
    frontMatter(config),
    introduction(config, base),
    quickStart(config, base, walletOf(config)),
    paying(base),
    ordering(config),
    reading(config),
    cancelling(config),
    refunds(config, walletOf(config)),
    rentals(),
    errors(),
    limits(config),
    rules(config),
    more(base),
  ].join("\n\n")}\n`;
}

/** A length of time as people say it: "90 seconds", "3 minutes", "2 hours". */
export function span(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const [count, unit] =
    seconds >= 7200 && seconds % 3600 === 0
      ? [seconds / 3600, "hours"]
      : seconds >= 120 && seconds % 60 === 0
        ? [seconds / 60, "minutes"]
        : [seconds, "seconds"];
  return `${count} ${unit}`;
}

const frontMatter = ({ serviceName }: ApiConfig): string => `---
name: sms-numbers
description: Buy one-time phone numbers for SMS verification codes, or rent a number, and pay with Lightning (L402). No account, no API key.
---

# ${serviceName}: phone numbers for SMS codes, paid with Lightning`;

/** How the examples make a refund invoice and pay the order's, and an address: with these they can be pasted. */
interface Wallet {
  readonly name: string;
  readonly invoice: string;
  readonly preimage: string;
  readonly address: string;
}

const LNCLI: Wallet = {
  name: "lncli",
  invoice: "lncli addinvoice --expiry 7200 | jq -r .payment_request",
  preimage: 'lncli payinvoice --force --json "$(jq -r .invoice order.json)" | jq -r .payment_preimage',
  address: "name@wallet.com",
};

const SANDBOX_URL = "http://127.0.0.1:3001/sandbox";

function walletOf({ sandbox, sandboxUrl = SANDBOX_URL }: ApiConfig): Wallet {
  if (!sandbox) return LNCLI;
  return {
    name: "the sandbox's",
    invoice: `curl -sS -X POST ${sandboxUrl}/wallet/invoice -d '{"expirySeconds":7200}' | jq -r .invoice`,
    preimage: `curl -sS -X POST ${sandboxUrl}/wallet/pay -d "$(jq '{invoice}' order.json)" | jq -r .preimage`,
    address: `name@${new URL(sandboxUrl).host}`,
  };
}

const introduction = (
  { sandbox, sandboxUrl = SANDBOX_URL, version }: ApiConfig,
  base: string,
): string => `Base URL: ${base || "this server"}
Version: ${version}
${
  sandbox
    ? `
> This server is a **sandbox**: invoices are on regtest, numbers and codes are made up, no real money moves. Its wallet
> is on the server's own machine: \`POST ${sandboxUrl}/wallet/pay\` with \`{"invoice"}\` pays and answers the \`preimage\`,
> \`POST ${sandboxUrl}/wallet/invoice\` with \`{"expirySeconds":7200}\` makes a refund \`invoice\`, and
> \`GET ${sandboxUrl}\` lists the rest. Invoices start with \`lnbcrt\`.
`
    : ""
}
You buy a phone number, use it where a code is asked for, and read the code here. There is no account: whoever pays the
invoice owns the order. The credential is \`<macaroon>:<preimage>\`: the macaroon comes with the invoice, the preimage from
your wallet when it has paid. Keep both until the order is over; nobody can restore them.`;

const quickStart = ({ times }: ApiConfig, base: string, wallet: Wallet): string => `## Buy a code in four steps

1. **Order.** \`POST /v2/l402/order\` answers **402** with \`orderId\`, \`invoice\`, \`macaroon\` and \`priceSats\`.
2. **Pay** the invoice within ${span(times.invoiceExpiryMs)}. Your wallet gives you the \`preimage\`.
3. **Poll** \`GET /v2/l402/order/<orderId>\` with \`Authorization: L402 <macaroon>:<preimage>\`, every 5 seconds or as
   \`next.afterSeconds\` says. \`phoneNumber\` appears within seconds: give it to the site that sends the code.
4. **Read** \`code\`. It is null until the SMS is there. No SMS within ${span(times.smsTimeoutMs)} of paying: you are refunded.

\`\`\`sh
BASE=${base || "http://localhost:3000"}

# 1. Order, with an invoice for the refund. 402 is the expected answer.
REFUND=$(${wallet.invoice})
curl -sS -X POST "$BASE/v2/l402/order" -H 'Content-Type: application/json' \\
  -d '{"service":"telegram","country":"GB","refundInvoice":"'$REFUND'","maxPriceSats":2000}' > order.json
ORDER=$(jq -r .orderId order.json); MACAROON=$(jq -r .macaroon order.json); jq -r .priceSats order.json

# 2. Pay with any wallet that shows the preimage, for example ${wallet.name}.
PREIMAGE=$(${wallet.preimage})

# 3. Poll until there is a code.
curl -sS "$BASE/v2/l402/order/$ORDER" -H "Authorization: L402 $MACAROON:$PREIMAGE"
\`\`\``;

const paying = (base: string): string => `## With a library

Any L402 client works. With \`@getalby/lightning-tools\`:

\`\`\`js
import { fetchWithL402 } from "@getalby/lightning-tools/402";

const base = "${base || "http://localhost:3000"}";
const wallet = { payInvoice: async ({ invoice }) => ({ preimage: await yourWalletPays(invoice) }) };
const bought = await fetchWithL402(
  \`\${base}/v2/l402/order\`,
  {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ service: "telegram", country: "GB", refundInvoice, maxPriceSats: 2000 }),
  },
  { wallet },
);
let order = await bought.json();
const { header, value } = bought.payment.credentials; // Authorization, L402 macaroon:preimage

const over = ["completed", "refunded", "refund_failed", "failed", "expired"];
while (order.code === null && !over.includes(order.status)) {
  await new Promise((done) => setTimeout(done, (order.next.afterSeconds ?? 5) * 1000));
  order = await (await fetch(\`\${base}/v2/l402/order/\${order.orderId}\`, { headers: { [header]: value } })).json();
}
\`\`\`

Good to know about paying:

- \`WWW-Authenticate: L402 macaroon="...", invoice="..."\` repeats what the body says. \`LSAT\` is accepted wherever \`L402\` is.
- Clients of the Machine Payments Protocol find a \`Payment\` challenge (\`lightning/charge\`) over the same invoice behind the L402
  one, or in front of it with \`Accept-Payment: lightning/charge\`. The paid answer has a \`Payment-Receipt\` and the \`macaroon\`
  with which L402 goes on.
- Poll with GET. Repeating the paid POST with the same or an empty body returns your order too, until 60 seconds after it
  ended; then, and with a different body at any time, it is a new purchase and answers 402.
- POST without a credential always makes a new order and a new invoice. To be able to retry a POST whose answer was lost,
  send an \`Idempotency-Key\` of 22 or more random characters: the same key and body get the same invoice. It is a secret.
- Lost the connection after paying? Ask your wallet for the preimage; macaroon and preimage open the order at any time.
- To let a sub-agent read but not cancel, add the caveat \`sms_capabilities=read\` to the macaroon before you hand it on
  (capabilities: \`read\`, \`cancel\`, \`refund\`). \`sms_valid_until=<unix seconds>\` shortens its life.`;

const ordering = ({ priceRule, notices }: ApiConfig): string => `## What you can order

All fields are optional; \`{}\` buys a number for any service in the best available country.

| field | meaning |
|---|---|
| \`type\` | \`receive-sms\` (default), \`rent-number\`, \`receive-sms-reactivate\` |
| \`service\` | who will send the code: a code (\`tg\`), name (\`telegram\`) or \`other\` (default). List: \`GET /v2/l402/services\` |
| \`country\` | numeric id, ISO code (\`GB\`), English name, or \`auto\` (default: best availability, then price) |
| \`refundInvoice\` | where your sats go if no code comes; see Refunds. **Recommended** |
| \`refundAddress\` | Lightning address or LNURL-pay that is asked for an invoice when there is no usable one |
| \`maxPriceSats\` | what you would pay at most: \`auto\` chooses within it; refused when nothing is |
| \`durationMinutes\` | needed for \`rent-number\`, and for no other type |
| \`orderId\`, \`parentCredential\` | for \`receive-sms-reactivate\` |
| \`notify\` | ${notices ? '`{"nostr":"npub1..."}`: a private Nostr message when the code is there; it never contains the code' : "accepted and ignored: this server sends no notices, so poll"} |

Name the service you really mean: a number bought for one service often gets no SMS from another. Unknown names are
answered with the nearest matches in \`error.nearest\`.

**Price.** ${sentence(priceRule)} The price is fixed when you order. Current prices and stock:
\`GET /v2/l402/catalog?country=GB&service=telegram&type=receive-sms\`. What cannot be delivered is refused (409, 503) before
there is an invoice.`;

const reading = ({ times }: ApiConfig): string => `## The order

| status | meaning |
|---|---|
${(Object.keys(STATUS_GUIDE) as Status[]).map((status) => `| \`${status}\` | ${STATUS_GUIDE[status]} |`).join("\n")}

Stop polling at ${FINAL_WORDS}, and act at \`refund_failed\`. \`next\` always says in words what to do: \`next.action\` is \`pay\`,
\`wait\`, \`read_code\`, \`give_refund_invoice\` or \`none\`, \`next.afterSeconds\` when to come back.

\`code\` is the code of the newest SMS, \`messages\` has every SMS with its text. If the code is in an unusual form, \`code\` may
be null while \`messages[].text\` has it. **Read it soon**: codes and texts are erased ${span(times.codeRetentionMs)} after the order and its number are over.`;

const cancelling = ({ times }: ApiConfig): string => `## Cancel

The site rejects the number, or you no longer need it: cancel instead of waiting.

\`\`\`sh
curl -sS -X POST "$BASE/v2/l402/order/$ORDER/cancel" -H "Authorization: L402 $MACAROON:$PREIMAGE"
\`\`\`

- Possible from ${span(times.cancelAfterMs)} after payment (\`cancelAvailableAt\`); earlier answers 409 \`CANCEL_TOO_SOON\` with \`Retry-After\`.
- Not possible once an SMS came: 409 \`CANCEL_SMS_RECEIVED\`. Read the order, the code is there.
- Only for \`receive-sms\`. Without a cancel, an order without SMS is closed and refunded ${span(times.smsTimeoutMs)} after payment by itself.
- 200 means accepted: keep polling until \`refunded\`.`;

const refunds = ({ times }: ApiConfig, wallet: Wallet): string => `## Refunds

\`receive-sms\` is refunded in full when no SMS came in time, when no number could be had, or when you cancel. Rentals and
reactivations are refunded only if they were never delivered. Sats go to your \`refundInvoice\`, a BOLT 11 invoice that:

- has **no amount** (we fill in what you paid),
- is valid for **at least ${span(times.refundInvoiceLifeMs)}** when you give it; **two hours are recommended**,
- is on the same network, and was never used for another order here,
- asks for a final time lock of at most 432 blocks and can be reached for at most 0.5 % in fees (2 sats for small amounts).

\`\`\`sh
REFUND=$(${wallet.invoice})     # no amount, two hours
\`\`\`

No \`refundInvoice\`, or it expired? The order waits as \`refund_failed\` (or asks with \`next.action: "give_refund_invoice"\`) until you give one:

\`\`\`sh
curl -sS -X POST "$BASE/v2/l402/order/$ORDER/refund-invoice" -H "Authorization: L402 $MACAROON:$PREIMAGE" \\
  -H 'Content-Type: application/json' -d '{"refundInvoice":"'$REFUND'"}'
\`\`\`

Or give a \`refundAddress\`, when you order or later: a Lightning address (\`name@wallet.com\`) or an LNURL-pay of a public HTTPS server. It is
asked for an invoice of exactly the refund, once there is no usable \`refundInvoice\`:

\`\`\`sh
curl -sS -X POST "$BASE/v2/l402/order/$ORDER/refund-invoice" -H "Authorization: L402 $MACAROON:$PREIMAGE" \\
  -H 'Content-Type: application/json' -d '{"refundAddress":"${wallet.address}"}'
\`\`\`

While the refund waits for a destination, \`POST /v2/l402/order/<orderId>/refund-link\` gives an LNURL-withdraw: whoever holds it can take the
refund, once. It is not your credential; hand it to a person with a wallet.

\`refund.status\` tells where your sats are: \`none\`, \`pending\`, \`paid\` (with \`preimage\` as proof), \`needs_destination\` (until
\`claimUntil\`), \`unclaimed\`.`;

const rentals = (): string => `## Rentals and reactivations

**Rent** a number to get many SMS over hours or days; you get the shortest rental on offer that is at least as long:

\`\`\`json
{"type":"rent-number","country":"GB","service":"telegram","durationMinutes":240}
\`\`\`

Poll while \`rent_active\`; \`messages\` grows until \`expiresAt\`. No cancel, no refund once the number is yours.

**Reactivate** a number you bought before, for another code of the same service, until 72 hours after its order ended. Name
the order and prove that it is yours, in \`Authorization\` or in the body:

\`\`\`json
{"type":"receive-sms-reactivate","orderId":"${EXAMPLE_ID}","parentCredential":"<macaroon>:<preimage>"}
\`\`\`

The answer is 402 with a new invoice and macaroon. A missing or foreign credential is 403.`;

const errors = (): string => `## Errors

Every error is \`{"error":{"code","message","suggestion"?,"retryable","retryAfterSeconds"?,"requestId"}}\`. With
\`retryable: true\`, the same request may succeed later, not before \`retryAfterSeconds\`. Some add \`field\`, \`nearest\` (may be
empty), \`priceSats\` or \`statusUrl\`. Unknown fields of a request are ignored. A wrong method is 404 with \`Allow\`.

| status | code | means | then |
|---|---|---|---|
${(Object.keys(PROBLEMS) as ProblemCode[])
  .map((code) => {
    const { means, remedy } = ERROR_GUIDE[code];
    return `| ${PROBLEMS[code].status} | \`${code}\` | ${means} | ${remedy} |`;
  })
  .join("\n")}

On 403 and 404 never pay again: you already have an order, only its credential is missing. A 402 on POST is a new invoice
and thus a new purchase; a 402 on an order of yours is the same invoice again.`;

const limits = ({ limits: { orders, reads } }: ApiConfig): string => `## Limits

- Orders: ${orders.burst} at once, then ${orders.perMinute} a minute. Everything else: ${reads.burst} at once, then ${reads.perMinute} a minute.
  Counted per address (IPv6: per /64), as are unpaid orders, and those that end without an SMS; beyond that 429 with \`Retry-After\`.
- Body ${MAX_BODY_BYTES / 1024} KiB, \`Authorization\` 8 KiB, \`refundInvoice\` 2048 characters.
- Do not create orders that you will not pay: ask the catalog for prices.`;

const rules = ({ blockedServices, blockedCountries, operatorContact }: ApiConfig): string => `## Rules of use

Numbers are for receiving codes for accounts that you, or the person you act for, may lawfully open.

- No fraud, phishing, spam, harassment, or impersonation; no evasion of bans; no mass registration against a site's terms.
- No accounts at banks, payment services, public authorities or for identity checks of somebody else.
- A one-time number is somebody else's tomorrow: never use it as the only way back into an account that matters.
- Orders that break these rules can be refused, and addresses can be blocked. Paid orders are never kept back for it.
${blockedServices.length > 0 ? `- Not sold here, services: ${blockedServices.join(", ")}.\n` : ""}${
  blockedCountries.length > 0 ? `- Not sold here, countries: ${blockedCountries.join(", ")}.\n` : ""
}- ${operatorContact === null ? "Abuse reports and questions go to the operator of this server." : `Abuse reports and questions: ${operatorContact}.`} Quote the \`requestId\` or the \`orderId\`, never the credential.`;

const more = (base: string): string => `## More

- ${base}/v2/l402: this manual as data
- ${base}/docs/json: OpenAPI document; ${base}/docs shows it
- ${base}/health: how the service is`;

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
