import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { Faults } from "../../../src/sandbox/faults.ts";
import { LightningPeer } from "../../../src/sandbox/lightning/peer.ts";
import { HandWorld } from "./bench.ts";

const RUNE = "A".repeat(44);

function bench() {
  const world = new HandWorld();
  const peer = new LightningPeer({
    world,
    books: new Database(":memory:", { strict: true }),
    faults: new Faults(),
    kind: "cln",
  });
  const ask = async (method: string, params: unknown = {}, init: RequestInit = {}) => {
    const response = await peer.fetch(
      new Request(`http://node/v1/${method}`, {
        method: "POST",
        headers: { Rune: RUNE },
        body: typeof params === "string" ? params : JSON.stringify(params),
        ...init,
      }),
    );
    const body = (await response.json()) as Record<string, unknown>;
    return { status: response.status, body };
  };
  return { world, peer, ask };
}

test("success is 201, an error of an RPC 500, the rune's refusals are 401 and 403, unknown things 404 and 405", async () => {
  const { ask } = bench();
  expect((await ask("getinfo")).status).toBe(201);
  expect(await ask("invoice", { amount_msat: 1 })).toMatchObject({
    status: 500,
    body: { code: -32602, message: "missing required parameter: label" },
  });
  expect(await ask("getinfo", {}, { headers: {} })).toMatchObject({ status: 403, body: { code: 1501 } });
  expect(await ask("getinfo", {}, { headers: { Rune: "no" } })).toMatchObject({ status: 401, body: { code: 1502 } });
  expect(await ask("sendmoney")).toMatchObject({ status: 404, body: { code: -32601 } });
  expect(await ask("getinfo", {}, { method: "GET", body: null })).toMatchObject({ status: 405 });
  expect(await ask("invoice", "[")).toMatchObject({ status: 500, body: { code: null } });
});

test("parameters are known by name and kind; null counts as absent", async () => {
  const { ask } = bench();
  const good = { amount_msat: "1000msat", label: 7, description: "", expiry: null };
  expect((await ask("invoice", good)).status).toBe(201);
  for (const bad of [
    { amount_msat: -1 },
    { amount_msat: 1.5 },
    { expiry: "soon" },
    { preimage: "zz" },
    { colour: 1 },
  ]) {
    const answer = await ask("invoice", { ...good, label: JSON.stringify(bad), ...bad });
    expect([answer.status, answer.body.code]).toEqual([500, -32602]);
  }
});

test("labels are unique, and free again when their invoice is deleted", async () => {
  const { ask, peer } = bench();
  const wanted = { amount_msat: 5_000, label: "a", description: "x", expiry: 60 };
  const made = (await ask("invoice", wanted)).body;
  expect(await ask("invoice", wanted)).toMatchObject({ status: 500, body: { code: 900, data: { label: "a" } } });
  expect(await ask("delinvoice", { label: "a", status: "paid" })).toMatchObject({
    body: { code: 906, data: { current_status: "unpaid", expected_status: "paid" } },
  });
  expect((await ask("delinvoice", { label: "a", status: "unpaid" })).status).toBe(201);
  expect(await ask("delinvoice", { label: "a", status: "unpaid" })).toMatchObject({ body: { code: 905 } });
  await expect(peer.wallet.pay(String(made.bolt11))).rejects.toThrow();
  const again = (await ask("invoice", wanted)).body;
  // An index is never given out twice.
  expect([made.created_index, again.created_index]).toEqual([1, 2]);
});

test("invoices are listed by creation and by update; those that are open were never updated", async () => {
  const { ask, peer, world } = bench();
  const texts: string[] = [];
  for (const label of ["a", "b", "c"]) {
    const { body } = await ask("invoice", {
      amount_msat: 1_000,
      label,
      description: "",
      expiry: label === "a" ? 10 : 600,
    });
    texts.push(String(body.bolt11));
  }
  world.advance(20);
  await peer.wallet.pay(texts[2] ?? "");
  const labels = async (query: object) =>
    ((await ask("listinvoices", query)).body.invoices as { label: string; status: string }[]).map(
      ({ label, status }) => `${label} ${status}`,
    );
  expect(await labels({})).toEqual(["a expired", "b unpaid", "c paid"]);
  expect(await labels({ index: "created", start: 2, limit: 1 })).toEqual(["b unpaid"]);
  expect(await labels({ index: "updated", start: 1 })).toEqual(["a expired", "c paid"]);
  expect((await ask("wait", { subsystem: "invoices", indexname: "updated", nextvalue: 0 })).body.updated).toBe(2);
});

test("a wait ends with what was paid before, with the next payment, or with 904", async () => {
  const { ask, peer, world } = bench();
  const invoice = async (label: string) =>
    String((await ask("invoice", { amount_msat: 1_000, label, description: "" })).body.bolt11);
  await peer.wallet.pay(await invoice("a"));
  expect((await ask("waitanyinvoice")).body).toMatchObject({ label: "a", pay_index: 1, status: "paid" });
  const next = ask("waitanyinvoice", { lastpay_index: 1, timeout: 50 });
  const text = await invoice("b");
  await peer.wallet.pay(text);
  expect((await next).body).toMatchObject({ label: "b", pay_index: 2 });
  const none = ask("waitanyinvoice", { lastpay_index: 2, timeout: 50 });
  await Bun.sleep(1);
  world.advance(50);
  expect(await none).toMatchObject({ status: 500, body: { code: 904 } });
  expect(world.armed).toBe(0);
});
