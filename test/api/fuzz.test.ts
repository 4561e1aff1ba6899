import { afterAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { startApi } from "./server.ts";

const api = await startApi();
afterAll(api.stop);
const ORDER = "/v2/l402/order";
/** The same inputs on every run; a failure prints the shrunk one. */
const RUNS = { seed: 402, numRuns: 150 };

const visible = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)) });
const names = fc.constantFrom(
  "type",
  "country",
  "service",
  "maxPriceSats",
  "orderId",
  "notify",
  "__proto__",
  "problem",
);

describe("whatever is sent", () => {
  test("a body is answered with 400 or 402, and `ask` finds the answer in the document", async () => {
    const bodies = fc.oneof(
      fc.json(),
      fc.dictionary(names, fc.jsonValue()).map((fields) => JSON.stringify(fields)),
      fc.string({ unit: "binary" }),
      fc.uint8Array({ maxLength: 500 }),
    );
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        const { status } = await api.ask("POST", ORDER, {
          body: typeof body === "string" ? body : new Uint8Array(body),
        });
        expect([400, 402]).toContain(status);
      }),
      RUNS,
    );
  });

  test("an Authorization header is answered with 402 to a purchase and 403 to a read", async () => {
    const { challenge, preimage } = api.desk.paid();
    const parts = fc.constantFrom(
      "L402",
      "LSAT",
      " ",
      ",",
      ":",
      "=",
      `${preimage.slice(1)}`,
      "A".repeat(64),
      "\t",
      '"',
    );
    const values = fc.oneof(
      visible,
      fc.array(parts, { maxLength: 12 }).map((list) => list.join("")),
    );
    await fc.assert(
      fc.asyncProperty(values, async (value) => {
        const headers = { authorization: value.trim() };
        expect((await api.ask("POST", ORDER, { headers })).status).toBe(402);
        expect((await api.ask("GET", `${ORDER}/${challenge.orderId}`, { headers })).status).toBe(403);
      }),
      RUNS,
    );
  });

  test("a path is answered with JSON and no server error", async () => {
    await fc.assert(
      fc.asyncProperty(fc.webPath(), fc.constantFrom("GET", "POST", "PUT", "DELETE"), async (path, method) => {
        const { status } = await api.ask(method, `/${path.replace(/^\/+/, "")}`, {});
        expect(status).toBeLessThan(500);
      }),
      RUNS,
    );
  });
});
