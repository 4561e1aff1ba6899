/** Withdraw links as wallets meet them: whatever a request brings, the answer is one of LNURL's. */
import { afterAll, expect, test } from "bun:test";
import { raw } from "../support/raw.ts";
import { startApi } from "./server.ts";

const api = await startApi();
afterAll(api.stop);

test("HEAD does not take what a link is good for", async () => {
  api.desk.refundInvoice = null;
  const target = `/v2/l402/withdraw/${"f".repeat(32)}?k1=${"0".repeat(64)}&pr=lnbcrt1qq`;
  const { status, headers } = await api.ask("HEAD", target);
  expect([status, headers.get("allow"), headers.get("cache-control")]).toEqual([405, "GET, OPTIONS", "no-store"]);
  expect(api.desk.refundInvoice).toBeNull();
  // What it is good for may be looked at.
  expect((await api.ask("HEAD", `/v2/l402/withdraw/${"f".repeat(32)}/${"0".repeat(64)}`)).status).toBe(200);
});

test("a Host that is none changes nothing: the invoice is read from the query all the same", async () => {
  for (const host of ["numbers.example", "%%%", "[::1", "x:99999999", "a/b?c", ""]) {
    api.desk.refundInvoice = null;
    const target = `/v2/l402/withdraw/${"f".repeat(32)}?k1=${"0".repeat(64)}&pr=lnbcrt1qq`;
    const answer = await raw(api.url, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect([host, answer]).toEqual([host, expect.stringContaining('{"status":"ERROR","reason":"Not valid"}')]);
    expect([host, api.desk.refundInvoice]).toEqual([host, "lnbcrt1qq"]);
  }
  expect(api.logs.filter(({ level }) => level === "error")).toEqual([]);
});
