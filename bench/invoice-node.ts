/**
 * An LND that has its invoices ready: `bun bench/invoice-node.ts <file of invoices> <url of the sandbox>`. New invoices come from the file,
 * every other call is the sandbox's. In one thing it is no LND: it has no use for the preimage that the service chose, since its invoices
 * were signed before. The service cannot tell, and does the same work: it checks what came back, and keeps no preimage.
 */
import { serveOptions } from "../src/api/serve.ts";
import { InvoicePool } from "./invoices.ts";

const [file = "", sandbox = ""] = process.argv.slice(2);
const pool = new InvoicePool(file);
const headers = { "Content-Type": "application/json", "Grpc-Metadata-Content-Type": "application/grpc" };
let added = 0;

/** The fields of lnd's AddInvoiceResponse, all of them, in its forms (lnrpc/lightning.proto). */
async function add(request: Request): Promise<Response> {
  const { value } = (await request.json()) as { readonly value: string };
  const { bolt11, paymentHash } = pool.take(Number(value));
  const body = {
    r_hash: Buffer.from(paymentHash, "hex").toString("base64"),
    payment_request: bolt11,
    add_index: String(++added),
    payment_addr: "",
  };
  return new Response(JSON.stringify(body), { headers });
}

const { port } = Bun.serve({
  ...serveOptions({ hostname: "127.0.0.1", port: 0 }),
  // The subscription is silent for as long as nobody pays.
  idleTimeout: 0,
  routes: { "/v1/invoices": { POST: add } },
  fetch(request) {
    const { pathname, search } = new URL(request.url);
    return fetch(`${sandbox}${pathname}${search}`, {
      method: request.method,
      headers: request.headers,
      body: request.body,
      signal: request.signal,
    });
  },
});
console.log(`Node on port ${port}`);
