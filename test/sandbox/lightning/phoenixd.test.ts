import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { Faults } from "../../../src/sandbox/faults.ts";
import { LightningPeer } from "../../../src/sandbox/lightning/peer.ts";
import { HandWorld } from "./bench.ts";

const AUTH = { authorization: `Basic ${Buffer.from(":secret").toString("base64")}` };

function bench() {
  const world = new HandWorld();
  const books = new Database(":memory:", { strict: true });
  const peer = new LightningPeer({ world, books, faults: new Faults(), kind: "phoenixd" });
  const ask = async (path: string, form?: Record<string, string>, headers: Record<string, string> = AUTH) => {
    const init = form && { method: "POST", body: new URLSearchParams(form) };
    const response = await peer.fetch(new Request(`http://node${path}`, { headers, ...init }));
    return { status: response.status, text: await response.text() };
  };
  const json = async (path: string, form?: Record<string, string>) => JSON.parse((await ask(path, form)).text);
  return { world, peer, ask, json };
}

test("errors are plain text, and there are two kinds of not found", async () => {
  const { ask } = bench();
  expect(await ask("/getinfo", undefined, {})).toMatchObject({ status: 401 });
  expect(await ask(`/payments/incoming/${"00".repeat(32)}`)).toEqual({ status: 404, text: "Not found" });
  expect(await ask("/nothing")).toEqual({ status: 404, text: "Unknown endpoint (check api doc)" });
  expect(await ask("/getinfo", {})).toMatchObject({ status: 405 });
  expect(await ask("/payments/incoming/zz")).toMatchObject({ status: 400 });
  expect(await ask("/payinvoice", {})).toMatchObject({ status: 400 });
  expect(await ask("/createinvoice", { description: "x".repeat(129), amountSat: "1" })).toMatchObject({ status: 400 });
});

test("what is null is left out", async () => {
  const { json } = bench();
  const { paymentHash } = await json("/createinvoice", { description: "x", amountSat: "1000" });
  const open = await json(`/payments/incoming/${paymentHash}`);
  expect(open).toMatchObject({ isPaid: false, isExpired: false, requestedSat: 1_000, receivedSat: 0 });
  expect(Object.keys(open)).not.toContain("completedAt");
  expect(Object.keys(open)).not.toContain("externalId");
});

test("a failure is 200 with a reason, and the fee is 4 sat and 0.4 %", async () => {
  const { json, peer } = bench();
  const { invoice, paymentHash } = peer.wallet.invoice();
  expect(await json("/payinvoice", { invoice, amountSat: "5000" })).toMatchObject({ routingFeeSat: 24, paymentHash });
  expect(await json("/payinvoice", { invoice, amountSat: "5000" })).toEqual({
    paymentHash,
    reason: "this invoice has already been paid",
  });
  const books = await json(`/payments/outgoingbyhash/${paymentHash}`);
  expect(books).toMatchObject({ isPaid: true, fees: 24_000, sent: 5_024 });
});

test("the list has what was received, by the time it was, newest first", async () => {
  const { json, peer, world } = bench();
  const made: string[] = [];
  for (const externalId of ["a", "b", "c"]) {
    const { paymentHash, serialized } = await json("/createinvoice", { description: "", amountSat: "1", externalId });
    made.push(paymentHash);
    world.advance(1);
    if (externalId !== "b") await peer.wallet.pay(serialized);
  }
  const hashes = async (query: string) =>
    (await json(`/payments/incoming${query}`)).map(({ paymentHash }: { paymentHash: string }) =>
      made.indexOf(paymentHash),
    );
  expect(await hashes("")).toEqual([2, 0]);
  expect(await hashes("?all=true")).toEqual([2, 1, 0]);
  expect(await hashes("?limit=1&offset=1")).toEqual([0]);
  expect(await hashes("?all=true&externalId=b")).toEqual([1]);
  expect(await hashes(`?from=${world.now()}`)).toEqual([2]);
});
