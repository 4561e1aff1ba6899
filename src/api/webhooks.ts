/**
 * The provider's push (HeroSMS API, "Webhooks": `sms-incoming`, one kind for activations and rentals). It is unsigned, so
 * it is a hint and nothing more: only its activation id is used, and the provider itself is asked what came. Answers
 * 200 at once whatever it says, because the provider repeats what is not answered with 200 within 3 seconds.
 */
import { Elysia } from "elysia";
import type { OrderDesk } from "../orders/desk.ts";
import { isProblem, problem } from "../orders/problem.ts";
import { AddressSet } from "./address.ts";
import type { ApiConfig } from "./config.ts";
import { parseBody } from "./fields.ts";
import type { Answer, Call, Gate } from "./gate.ts";
import { readBody } from "./limits.ts";
import { describe, type RouteDoc } from "./openapi.ts";
import { json } from "./replies.ts";
import { isSameSecret } from "./same-secret.ts";

export interface WebhookRoutes {
  readonly gate: Gate;
  readonly desk: OrderDesk;
  readonly config: Pick<ApiConfig, "webhookSecret" | "webhookAllow">;
}

const NOT_HERE = problem("NOT_FOUND", "There is nothing at this path");

export function webhookRoutes({ gate, desk, config }: WebhookRoutes) {
  const allowed = new AddressSet(config.webhookAllow);

  const take = async ({ request }: Call): Promise<Answer> => {
    const text = await readBody(request, gate.world);
    if (typeof text === "string") {
      const activationId = activationIdIn(text);
      if (activationId !== null) desk.hint(activationId);
    } else if (text.problem === "PAYLOAD_TOO_LARGE") {
      return text;
    }
    return json({ ok: true });
  };

  const fromProvider = (call: Call) =>
    call.client.address && allowed.has(call.client.address) ? take(call) : NOT_HERE;

  const withSecret = (call: Call) =>
    config.webhookSecret !== null && isSameSecret(call.params.secret ?? "", config.webhookSecret)
      ? take(call)
      : NOT_HERE;

  return new Elysia({ name: "webhooks" })
    .post("/v2/l402/webhooks/rent", gate.route("POST /v2/l402/webhooks/rent", { limit: "none" }, fromProvider), {
      parse: "none",
      detail: describe(BY_ADDRESS_DOC),
    })
    .post(
      "/v2/l402/webhooks/rent/:secret",
      gate.route("POST /v2/l402/webhooks/rent/:secret", { limit: "none" }, withSecret),
      { parse: "none", detail: describe(BY_SECRET_DOC) },
    );
}

/** The provider writes its ids as a text in one place and as a number in another. */
function activationIdIn(text: string): string | null {
  const body = parseBody(text);
  if (isProblem(body) || !Object.hasOwn(body.members, "activationId")) return null;
  const id = body.members.activationId;
  if (typeof id === "number") return Number.isSafeInteger(id) && id > 0 ? String(id) : null;
  return typeof id === "string" && /^\d{1,20}$/.test(id) ? id : null;
}

const BY_ADDRESS_DOC: RouteDoc = {
  operationId: "webhookByAddress",
  tag: "Webhooks",
  summary: "The provider's news, from its addresses",
  description: "For the SMS provider only. Any other address gets 404.",
  answers: [
    {
      status: 200,
      description: "Taken note of; also for ids that are not ours and for bodies that are none",
      content: { type: "application/json", schema: "WebhookAnswer", example: { ok: true } },
    },
  ],
  errors: ["NOT_FOUND"],
  unlimited: true,
};

const BY_SECRET_DOC: RouteDoc = {
  ...BY_ADDRESS_DOC,
  operationId: "webhookBySecret",
  summary: "The provider's news, at a secret path",
  description: "For the SMS provider only. A wrong secret gets 404.",
  parameters: [{ in: "path", name: "secret", description: "As configured" }],
};
