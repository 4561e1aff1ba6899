/**
 * The floors and peers that the service is measured against, each a process of its own:
 *
 *   bun bench/floor.ts bun '<answer as JSON>'      bare Bun.serve with these bytes
 *   bun bench/floor.ts elysia '<answer as JSON>'   bare Elysia, the same bytes on the same route
 *   bun bench/floor.ts duties '<answer as JSON>'   bare Elysia with what no service may leave out (duties.ts)
 *   bun bench/floor.ts relay '<answer as JSON>'    bare Elysia, which reads the body and has one invoice made by BENCH_NODE for each answer
 *   bun bench/floor.ts alby '<answer as JSON>'     the server helpers of @getalby/lightning-tools on Bun.serve
 */
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  issueL402Macaroon,
  makeL402AuthenticateHeader,
  parseL402Authorization,
  verifyL402Macaroon,
} from "@getalby/lightning-tools/402/l402";
import { type AnyElysia, Elysia } from "elysia";
import { serveOptions } from "../src/api/serve.ts";
import { duties } from "./duties.ts";

export interface FloorAnswer {
  /** Elysia's route, e.g. "/v2/l402/order/:id". */
  readonly route: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Base64. */
  readonly body: string;
}

/** The secret of the peer's macaroons, which the bench mints as well. */
export const ALBY_SECRET = "of a benchmark on the loopback interface";

const LISTEN = serveOptions({ hostname: "127.0.0.1", port: 0 });

/** As its documentation shows it: verify the macaroon, compare the preimage, answer; else a challenge for the next invoice. */
function alby(body: string, status: number, headers: Readonly<Record<string, string>>) {
  const invoice = process.env.BENCH_INVOICE ?? "lnbc1";
  return Bun.serve({
    ...LISTEN,
    async fetch(request) {
      const shown = parseL402Authorization(request.headers.get("authorization") ?? "");
      if (shown) {
        const { paymentHash } = await verifyL402Macaroon(ALBY_SECRET, shown.token);
        const hash = createHash("sha256").update(Buffer.from(shown.preimage, "hex")).digest("hex");
        if (hash === paymentHash) return new Response(body, { status, headers });
      }
      await request.text();
      const token = await issueL402Macaroon(ALBY_SECRET, randomBytes(32).toString("hex"));
      return new Response(body, {
        status: 402,
        headers: { ...headers, "www-authenticate": makeL402AuthenticateHeader({ token, invoice }) },
      });
    },
  });
}

function listening(app: AnyElysia): { readonly port: number | undefined } {
  const { server } = app.listen(LISTEN);
  if (!server) throw new Error("Elysia does not listen");
  return { port: server.port };
}

function serve(kind: string, { route, status, headers, body }: FloorAnswer): { readonly port: number | undefined } {
  const bytes = Buffer.from(body, "base64");
  // Text where it is text, as the service answers it.
  const content = headers["content-encoding"] === undefined ? bytes.toString() : bytes;
  if (kind === "bun") {
    return Bun.serve({ ...LISTEN, fetch: () => new Response(content, { status, headers }) });
  }
  if (kind === "elysia") {
    const answer = () => new Response(content, { status, headers });
    return listening(new Elysia().get(route, answer).post(route, answer, { parse: "none" }));
  }
  if (kind === "duties")
    return listening(
      duties({ route, status, headers, body }, typeof content === "string" ? content : new Blob([content])),
    );
  if (kind === "relay") {
    const { priceSats } = JSON.parse(String(content)) as { readonly priceSats: number };
    const call = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ value: String(priceSats) }),
    };
    const answer = async ({ request }: { readonly request: Request }) => {
      await request.text();
      const made = await fetch(`${process.env.BENCH_NODE}/v1/invoices`, call);
      JSON.parse(await made.text());
      return new Response(content, { status, headers });
    };
    return listening(new Elysia().post(route, answer, { parse: "none" }));
  }
  if (kind === "alby") return alby(String(content), status, headers);
  throw new Error(`Unknown floor "${kind}"`);
}

if (import.meta.main) {
  const [kind = "", answerFile = ""] = process.argv.slice(2);
  const { port } = serve(kind, JSON.parse(readFileSync(answerFile, "utf8")) as FloorAnswer);
  console.log(`Floor on port ${port}`);
}
