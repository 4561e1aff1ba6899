/**
 * The OpenAPI document (3.0.3). `@elysiajs/swagger` collects it from the routes; its own page, which loads scripts from a
 * CDN, lives only in an application that never listens.
 */
import { swagger } from "@elysiajs/swagger";
import { type AnyElysia, Elysia } from "elysia";
import { CAPABILITIES } from "../l402/caveats.ts";
import type { ApiConfig } from "./config.ts";
import { PAYMENT_SCHEME, SECURITY_SCHEME } from "./openapi.ts";
import { MUST, PROBLEM, SCHEMAS } from "./schemas.ts";

const SPEC_PATH = "/spec/json";

/** The document of all routes of `plugins`, as JSON text. */
export async function openApiDocument(plugins: readonly AnyElysia[], config: ApiConfig): Promise<string> {
  const book = new Elysia();
  for (const plugin of plugins) book.use(plugin);
  book.use(
    swagger({
      path: "/spec",
      specPath: SPEC_PATH,
      // It takes every path with a dot for a static file, `/.well-known/...` and `/skill.md` too.
      excludeStaticFile: false,
      documentation: {
        info: {
          title: config.serviceName,
          version: config.version,
          description:
            "One-time phone numbers for SMS codes, and number rentals, paid per order with Lightning (L402). " +
            "The manual for agents is at /skill.md.",
        },
        servers: [{ url: config.publicUrl || "/" }],
        tags: [
          { name: "Orders", description: "Buy, read, cancel, be refunded" },
          { name: "Catalog", description: "What is on sale" },
          { name: "Discovery", description: "For agents and indexes" },
          { name: "Operations", description: "For operators" },
          { name: "Webhooks", description: "For the SMS provider" },
        ],
        components: {
          securitySchemes: {
            [SECURITY_SCHEME]: {
              // As `http` with the scheme "L402" it would be better named, but readers can only fill in what they know.
              type: "apiKey",
              in: "header",
              name: "Authorization",
              description:
                "The whole value: `L402 <macaroon>:<preimage>`. The macaroon comes with the 402, the preimage from the wallet " +
                `that paid its invoice. The word LSAT is accepted too. Capabilities: ${CAPABILITIES.join(", ")}; none ` +
                "named means all.",
            },
            [PAYMENT_SCHEME]: {
              type: "http",
              scheme: "Payment",
              description:
                "Machine Payments Protocol, method lightning, intent charge: the base64url of `{challenge, payload: {preimage}}`. " +
                "Its answers carry `Payment-Receipt`, and the macaroon with which L402 goes on.",
            },
          },
        },
      },
    }),
  );
  const answer = await book.handle(new Request(`http://localhost${SPEC_PATH}`));
  return JSON.stringify(finished((await answer.json()) as Record<string, unknown>));
}

/** Adds the schemas (the plugin would mix in its own), and the links that payment registries look for. */
function finished(document: Record<string, unknown>): Record<string, unknown> {
  const components = document.components as Record<string, unknown>;
  return {
    ...document,
    "x-service-info": { categories: ["communication", "sms"], docs: { apiReference: "/docs", llms: "/llms.txt" } },
    components: { ...components, schemas: JSON.parse(JSON.stringify(SCHEMAS, withoutOwnWords)) },
  };
}

/** Our own annotations are for error messages only. Symbols of TypeBox never reach JSON. */
const withoutOwnWords = (key: string, value: unknown): unknown => (key === MUST || key === PROBLEM ? undefined : value);
