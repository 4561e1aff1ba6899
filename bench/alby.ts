/** The server helpers of @getalby/lightning-tools as their documentation shows them, on Bun.serve and on Express. */
import { createHash, randomBytes } from "node:crypto";
import {
  issueL402Macaroon,
  makeL402AuthenticateHeader,
  parseL402Authorization,
  verifyL402Macaroon,
} from "@getalby/lightning-tools/402/l402";
import express from "express";
import type { serveOptions } from "../src/api/serve.ts";
import type { FloorAnswer } from "./floor.ts";

/** The secret of the peer's macaroons, which the bench mints as well. */
export const ALBY_SECRET = "of a benchmark on the loopback interface";

type Listen = ReturnType<typeof serveOptions>;
type Port = Promise<{ readonly port: number | undefined }>;

/** Verify the macaroon and compare the preimage; else a challenge for the next invoice. @returns its header, or null for who has paid */
async function challenged(authorization: string): Promise<string | null> {
  const shown = parseL402Authorization(authorization);
  if (shown) {
    const { paymentHash } = await verifyL402Macaroon(ALBY_SECRET, shown.token);
    const hash = createHash("sha256").update(Buffer.from(shown.preimage, "hex")).digest("hex");
    if (hash === paymentHash) return null;
  }
  const token = await issueL402Macaroon(ALBY_SECRET, randomBytes(32).toString("hex"));
  return makeL402AuthenticateHeader({ token, invoice: process.env.BENCH_INVOICE ?? "lnbc1" });
}

export async function albyOnBun({ status, headers }: FloorAnswer, body: string, listen: Listen): Port {
  return Bun.serve({
    ...listen,
    async fetch(request) {
      const challenge = await challenged(request.headers.get("authorization") ?? "");
      if (challenge === null) return new Response(body, { status, headers });
      await request.text();
      return new Response(body, { status: 402, headers: { ...headers, "www-authenticate": challenge } });
    },
  });
}

export function albyOnExpress({ route, status, headers }: FloorAnswer, body: string, listen: Listen): Port {
  const app = express();
  app.all(route, express.text({ type: () => true }), async (request, response) => {
    const challenge = await challenged(request.headers.authorization ?? "");
    response.set(headers);
    if (challenge !== null) response.set("www-authenticate", challenge);
    response.status(challenge === null ? status : 402).end(body);
  });
  const { promise, resolve } = Promise.withResolvers<{ readonly port: number | undefined }>();
  const server = app.listen(listen.port, listen.hostname, () => {
    const address = server.address();
    resolve({ port: address !== null && typeof address === "object" ? address.port : undefined });
  });
  return promise;
}
