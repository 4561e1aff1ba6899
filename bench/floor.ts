/**
 * The floors and peers that the service is measured against, each a process of its own:
 *
 *   bun bench/floor.ts bun '<answer as JSON>'      bare Bun.serve with these bytes
 *   bun bench/floor.ts elysia '<answer as JSON>'   bare Elysia, the same bytes on the same route
 *   bun bench/floor.ts duties '<answer as JSON>'   bare Elysia with what no service may leave out (duties.ts)
 *   bun bench/floor.ts stored '<answer as JSON>'   bare Elysia that mints a macaroon and writes an order for each answer (stored.ts)
 *   bun bench/floor.ts relay '<answer as JSON>'    bare Elysia, which reads the body and has one invoice made by BENCH_NODE for each answer
 *   bun bench/floor.ts alby '<answer as JSON>'     the server helpers of @getalby/lightning-tools on Bun.serve (alby.ts)
 *   bun bench/floor.ts alby-express '<answer as JSON>'   the same on Express
 */
import { readFileSync } from "node:fs";
import { type AnyElysia, Elysia } from "elysia";
import { serveOptions } from "../src/api/serve.ts";
import { albyOnBun, albyOnExpress } from "./alby.ts";
import { duties } from "./duties.ts";

export interface FloorAnswer {
  /** Elysia's route, e.g. "/v2/l402/order/:id". */
  readonly route: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Base64. */
  readonly body: string;
}

const LISTEN = serveOptions({ hostname: "127.0.0.1", port: 0 });

function listening(app: AnyElysia): { readonly port: number | undefined } {
  const { server } = app.listen(LISTEN);
  if (!server) throw new Error("Elysia does not listen");
  return { port: server.port };
}

/** @param database of a floor that stores something */
async function serve(
  kind: string,
  answered: FloorAnswer,
  database: string,
): Promise<{ readonly port: number | undefined }> {
  const { route, status, headers, body } = answered;
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
    return listening(duties(answered, typeof content === "string" ? content : new Blob([content])));
  if (kind === "stored") {
    // Only here: no other floor loads what it needs.
    const { stored } = await import("./stored.ts");
    return listening(stored(answered, String(content), database));
  }
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
  if (kind === "alby") return albyOnBun(answered, String(content), LISTEN);
  if (kind === "alby-express") return albyOnExpress(answered, String(content), LISTEN);
  throw new Error(`Unknown floor "${kind}"`);
}

if (import.meta.main) {
  const [kind = "", answerFile = ""] = process.argv.slice(2);
  const { port } = await serve(
    kind,
    JSON.parse(readFileSync(answerFile, "utf8")) as FloorAnswer,
    `${answerFile}.sqlite`,
  );
  console.log(`Floor on port ${port}`);
}
