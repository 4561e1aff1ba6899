import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { decode } from "bolt11";
import { Bench, pathHash, START } from "./bench.ts";

describe("adding an invoice", () => {
  test("gives a signed regtest invoice with the times of the world", async () => {
    const bench = new Bench();
    bench.world.advance(3_600);
    const { json } = await bench.post("/v1/invoices", { value: "1234", memo: "Order 7", expiry: "300" });
    const invoice = decode(String(json[0]?.payment_request));
    expect(invoice.network?.bech32).toBe("bcrt");
    expect(invoice.satoshis).toBe(1234);
    expect(invoice.timestamp).toBe(Math.floor(START / 1000) + 3_600);
    expect(invoice.timeExpireDate).toBe(Math.floor(START / 1000) + 3_900);
    expect(invoice.tagsObject).toMatchObject({ description: "Order 7", min_final_cltv_expiry: 80 });
    expect(invoice.tagsObject.payment_secret).toBe(
      Buffer.from(String(json[0]?.payment_addr), "base64").toString("hex"),
    );
    expect(Object.keys(json[0] ?? {})).toEqual(["r_hash", "payment_request", "add_index", "payment_addr"]);
  });

  test("counts add indices up from one", async () => {
    const bench = new Bench();
    const indices = [];
    for (let n = 0; n < 3; n++) indices.push((await bench.post("/v1/invoices", { value: "1" })).json[0]?.add_index);
    expect(indices).toEqual(["1", "2", "3"]);
  });

  test("takes the caller's preimage, once", async () => {
    const bench = new Bench();
    const preimage = Buffer.alloc(32, 7);
    const body = { value: "10", r_preimage: preimage.toString("base64") };
    const { hash } = await bench.add(body);
    expect(hash).toBe(createHash("sha256").update(preimage).digest("hex"));
    const again = await bench.post("/v1/invoices", body);
    expect([again.status, again.json[0]]).toEqual([
      500,
      { code: 2, message: "invoice with payment hash already exists", details: [] },
    ]);
  });

  test("refuses what lnd refuses, as plain errors", async () => {
    const bench = new Bench();
    const refusal = async (body: object) => {
      const { status, json } = await bench.post("/v1/invoices", body);
      expect([status, json[0]?.code]).toEqual([500, 2]);
      return String(json[0]?.message);
    };
    expect(await refusal({ value: "1", value_msat: "1" })).toBe("sat and msat arguments are mutually exclusive");
    expect(await refusal({ value: "-1" })).toBe("amount cannot be negative");
    expect(await refusal({ value: "9007199254740991" })).toBe("amount is too large");
    expect(await refusal({ value: "1", memo: "x".repeat(1025) })).toBe("memo too large: 1025 bytes (maxsize=1024)");
    expect(await refusal({ value: "1", memo: "x".repeat(640) })).toStartWith("data length too big");
    expect(await refusal({ value: "1", expiry: "31536001" })).toStartWith("expiry of 31536001 seconds greater");
    expect(await refusal({ value: "1", cltv_expiry: "17" })).toBe(
      "CLTV delta of 17 must be greater than minimum of 18",
    );
    expect(await refusal({ value: "1", cltv_expiry: "65536" })).toStartWith("CLTV delta of 65536 is too large");
    expect(await refusal({ value: "1", r_preimage: "AAAA" })).toBe("invalid preimage length of 3, want 32");
  });
});

describe("looking an invoice up", () => {
  test("finds it by hex and by base64, and answers 404 for one it does not know", async () => {
    const bench = new Bench();
    const { hash } = await bench.add();
    const byHex = await bench.get(`/v1/invoice/${hash.toUpperCase()}`);
    const byBytes = await bench.get(`/v2/invoices/lookup?payment_hash=${pathHash(hash)}`);
    expect(byHex.json).toEqual(byBytes.json);
    const unknown = { code: 5, message: "unable to locate invoice", details: [] };
    const missingHex = await bench.get(`/v1/invoice/${"ab".repeat(32)}`);
    const missingBytes = await bench.get(`/v2/invoices/lookup?payment_hash=${pathHash("ab".repeat(32))}`);
    expect([missingHex.status, missingHex.json[0]]).toEqual([404, unknown]);
    expect([missingBytes.status, missingBytes.json[0]]).toEqual([404, unknown]);
  });

  test("refuses what is no hash", async () => {
    const bench = new Bench();
    expect((await bench.get("/v1/invoice/xyz")).json[0]?.message).toBe("encoding/hex: invalid byte");
    expect((await bench.get("/v1/invoice/abcd")).json[0]?.message).toBe(
      "payment hash must be exactly 32 bytes, is instead 2",
    );
    expect((await bench.get("/v2/invoices/lookup")).json[0]).toMatchObject({
      code: 3,
      message: "invoice ref must be set",
    });
    expect((await bench.get("/v2/invoices/lookup?payment_hash=AAAA")).json[0]).toMatchObject({
      code: 3,
      message: "unable to parse pay hash: invalid hash length of 3, want 32",
    });
  });

  test("an invoice is open until its last millisecond and CANCELED from then on", async () => {
    const bench = new Bench();
    const { hash } = await bench.add({ value: "1", expiry: "300" });
    bench.world.advance(299.999);
    expect((await bench.lookup(hash)).state).toBe("OPEN");
    bench.world.advance(0.001);
    expect((await bench.lookup(hash)).state).toBe("CANCELED");
  });

  test("an invoice without an expiry of its own lives a day", async () => {
    const bench = new Bench();
    const { hash } = await bench.add({ value: "1" });
    bench.world.advance(86_399);
    expect((await bench.lookup(hash)).state).toBe("OPEN");
    bench.world.advance(1);
    expect((await bench.lookup(hash)).state).toBe("CANCELED");
  });

  test("a settled invoice tells when, by which index and how much", async () => {
    const bench = new Bench();
    const first = await bench.add();
    const second = await bench.add({ value: "77" });
    bench.world.advance(60);
    await bench.peer.wallet.pay(second.bolt11);
    await bench.peer.wallet.pay(first.bolt11);
    const paidAt = String(Math.floor(START / 1000) + 60);
    expect(await bench.lookup(second.hash)).toMatchObject({
      state: "SETTLED",
      settled: true,
      settle_index: "1",
      settle_date: paidAt,
      amt_paid_sat: "77",
      amt_paid_msat: "77000",
      htlcs: [{ amt_msat: "77000", state: "SETTLED", accept_time: paidAt, amp: null }],
    });
    expect((await bench.lookup(first.hash)).settle_index).toBe("2");
  });
});

describe("cancelling an invoice", () => {
  const body = (hash: string) => ({ payment_hash: Buffer.from(hash, "hex").toString("base64") });

  test("makes it unpayable, and may be repeated", async () => {
    const bench = new Bench();
    const { hash, bolt11 } = await bench.add();
    const first = await bench.post("/v2/invoices/cancel", body(hash));
    expect([first.status, first.text]).toEqual([200, "{}"]);
    expect((await bench.post("/v2/invoices/cancel", body(hash))).status).toBe(200);
    expect((await bench.lookup(hash)).state).toBe("CANCELED");
    await expect(bench.peer.wallet.pay(bolt11)).rejects.toThrow("Invoice was cancelled");
  });

  test("fails for a settled, an unknown and a misshapen one", async () => {
    const bench = new Bench();
    const { hash, bolt11 } = await bench.add();
    await bench.peer.wallet.pay(bolt11);
    const refusal = async (of: string) => {
      const { status, json } = await bench.post("/v2/invoices/cancel", body(of));
      return [status, json[0]?.message];
    };
    expect(await refusal(hash)).toEqual([500, "invoice already settled"]);
    expect(await refusal("ab".repeat(32))).toEqual([500, "unable to locate invoice"]);
    expect(await refusal("ab")).toEqual([500, "invalid hash length of 1, want 32"]);
    expect((await bench.lookup(hash)).state).toBe("SETTLED");
  });
});

describe("listing invoices", () => {
  async function page(bench: Bench, query: string) {
    const [answer] = (await bench.get(`/v1/invoices?${query}`)).json;
    const invoices = answer?.invoices as { add_index: string }[];
    return {
      indices: invoices.map((invoice) => invoice.add_index),
      first: answer?.first_index_offset,
      last: answer?.last_index_offset,
    };
  }

  async function five(): Promise<Bench> {
    const bench = new Bench();
    for (let n = 1; n <= 5; n++) {
      const { bolt11 } = await bench.add({ value: "1", expiry: "3600" });
      if (n % 2 === 0) await bench.peer.wallet.pay(bolt11);
      bench.world.advance(10);
    }
    return bench;
  }

  test("pages forward and backward by exclusive offsets, ascending either way", async () => {
    const bench = await five();
    expect(await page(bench, "")).toEqual({ indices: ["1", "2", "3", "4", "5"], first: "1", last: "5" });
    expect(await page(bench, "num_max_invoices=2&index_offset=1")).toEqual({
      indices: ["2", "3"],
      first: "2",
      last: "3",
    });
    expect(await page(bench, "num_max_invoices=2&reversed=true")).toEqual({
      indices: ["4", "5"],
      first: "4",
      last: "5",
    });
    expect((await page(bench, "num_max_invoices=2&reversed=true&index_offset=4")).indices).toEqual(["2", "3"]);
    expect(await page(bench, "index_offset=5")).toEqual({ indices: [], first: "0", last: "0" });
  });

  test("filters by pending and by creation date", async () => {
    const bench = await five();
    expect((await page(bench, "pending_only=true")).indices).toEqual(["1", "3", "5"]);
    const third = Math.floor(START / 1000) + 20;
    expect((await page(bench, `creation_date_start=${third}`)).indices).toEqual(["3", "4", "5"]);
    expect((await page(bench, `creation_date_end=${third}`)).indices).toEqual(["1", "2", "3"]);
    bench.world.advance(3_600);
    expect((await page(bench, "pending_only=true")).indices).toEqual([]);
    const wrong = await bench.get(`/v1/invoices?creation_date_start=${third}&creation_date_end=${third}`);
    expect([wrong.status, wrong.json[0]?.code]).toEqual([500, 2]);
  });
});
