import { describe, expect, test } from "bun:test";
import { decode } from "bolt11";
import { Bench, MACAROON, pathHash, START } from "./bench.ts";

const BASE64_32_BYTES = /^[A-Za-z0-9+/]{43}=$/;
const HEX_KEY = /^0[23][0-9a-f]{64}$/;

describe("the node's wire", () => {
  test("getinfo names a regtest node whose key signs its invoices", async () => {
    const bench = new Bench();
    const { status, type, json } = await bench.get("/v1/getinfo");
    expect(status).toBe(200);
    expect(type).toBe("application/json");
    const pubkey = String(json[0]?.identity_pubkey);
    expect(pubkey).toMatch(HEX_KEY);
    expect(json[0]).toMatchObject({
      chains: [{ chain: "bitcoin", network: "regtest" }],
      synced_to_chain: true,
      best_header_timestamp: "1772366400",
      num_active_channels: 1,
    });
    const { bolt11 } = await bench.add();
    expect(decode(bolt11).payeeNodeKey).toBe(pubkey);
  });

  test("the channel balance starts with 50,000,000 sats on each side", async () => {
    const bench = new Bench();
    const [answer] = (await bench.get("/v1/balance/channels")).json;
    expect(answer).toEqual({
      balance: "50000000",
      pending_open_balance: "0",
      local_balance: { sat: "50000000", msat: "50000000000" },
      remote_balance: { sat: "50000000", msat: "50000000000" },
      unsettled_local_balance: { sat: "0", msat: "0" },
      unsettled_remote_balance: { sat: "0", msat: "0" },
      pending_open_local_balance: { sat: "0", msat: "0" },
      pending_open_remote_balance: { sat: "0", msat: "0" },
      custom_channel_data: "AQAA",
    });
  });

  test("an invoice message has every field of lnrpc.Invoice, int64 as text and bytes as standard base64", async () => {
    const bench = new Bench();
    const { hash, bolt11 } = await bench.add({ value: "1234", memo: "Order", expiry: "300" });
    const invoice = await bench.lookup(hash);
    expect(invoice).toEqual({
      memo: "Order",
      r_preimage: expect.stringMatching(BASE64_32_BYTES),
      r_hash: Buffer.from(hash, "hex").toString("base64"),
      value: "1234",
      value_msat: "1234000",
      settled: false,
      creation_date: String(Math.floor(START / 1000)),
      settle_date: "0",
      payment_request: bolt11,
      description_hash: "",
      expiry: "300",
      fallback_addr: "",
      cltv_expiry: "80",
      route_hints: [],
      private: false,
      add_index: "1",
      settle_index: "0",
      amt_paid: "0",
      amt_paid_sat: "0",
      amt_paid_msat: "0",
      state: "OPEN",
      htlcs: [],
      features: {
        8: { name: "tlv-onion", is_required: true, is_known: true },
        14: { name: "payment-addr", is_required: true, is_known: true },
        17: { name: "multi-path-payments", is_required: false, is_known: true },
      },
      is_keysend: false,
      payment_addr: expect.stringMatching(BASE64_32_BYTES),
      is_amp: false,
      amp_invoice_state: {},
      is_blinded: false,
      blinded_path_config: null,
    });
  });

  test("decodes a payment request", async () => {
    const bench = new Bench();
    const { bolt11, hash } = await bench.add({ value_msat: "1500", memo: "Half" });
    const [answer] = (await bench.get(`/v1/payreq/${bolt11}`)).json;
    expect(answer).toMatchObject({
      payment_hash: hash,
      num_satoshis: "1",
      num_msat: "1500",
      timestamp: String(Math.floor(START / 1000)),
      expiry: "86400",
      description: "Half",
      cltv_expiry: "80",
    });
    expect((await bench.get("/v1/payreq/lnbc1")).json[0]).toEqual({
      code: 2,
      message: "invoice not for current active network 'regtest'",
      details: [],
    });
  });

  test("a path outside the API is 404 and a wrong method 501, as grpc-gateway has it", async () => {
    const bench = new Bench();
    const missing = await bench.get("/v1/nothing");
    expect([missing.status, missing.json[0]]).toEqual([404, { code: 5, message: "Not Found", details: [] }]);
    const wrong = await bench.post("/v1/getinfo", {});
    expect([wrong.status, wrong.json[0]]).toEqual([501, { code: 12, message: "Method Not Allowed", details: [] }]);
    expect((await bench.get("/v2/router/track/%E0%A4%A")).status).toBe(400);
  });

  test("refuses a call without a macaroon, or with one that is none", async () => {
    const bench = new Bench();
    const refusal = async (headers: Record<string, string>) => {
      const { status, json } = await bench.get("/v1/getinfo", { headers });
      return [status, json[0]?.code, json[0]?.message];
    };
    expect(await refusal({})).toEqual([500, 2, "expected 1 macaroon, got 0"]);
    expect(await refusal({ "Grpc-Metadata-Macaroon": "xyz" })).toEqual([500, 2, "encoding/hex: invalid byte"]);
    expect(await refusal({ "Grpc-Metadata-Macaroon": "00" })).toEqual([
      500,
      2,
      "cannot determine data format of binary-encoded macaroon",
    ]);
    expect((await bench.get("/v1/getinfo", { headers: { "grpc-metadata-macaroon": "0201" } })).status).toBe(200);
    const stream = await bench.get("/v1/invoices/subscribe", { headers: {} });
    expect([stream.status, stream.text]).toEqual([
      500,
      '{"error":{"code":2,"message":"expected 1 macaroon, got 0","details":[]}}\n',
    ]);
  });

  test("takes field names in both cases, numbers as text or not, and refuses unknown fields and values", async () => {
    const bench = new Bench();
    expect((await bench.post("/v1/invoices", { valueMsat: 5000, cltvExpiry: "40" })).status).toBe(200);
    expect((await bench.post("/v1/invoices", "")).status).toBe(200);
    const refused = async (body: unknown) => {
      const { status, json } = await bench.post("/v1/invoices", body);
      return [status, json[0]?.code];
    };
    expect(await refused({ amount: "1" })).toEqual([400, 3]);
    expect(await refused({ value: "ten" })).toEqual([400, 3]);
    expect(await refused({ value: 1.5 })).toEqual([400, 3]);
    expect(await refused({ memo: 7 })).toEqual([400, 3]);
    expect(await refused({ r_preimage: "???" })).toEqual([400, 3]);
    expect(await refused("[1]")).toEqual([400, 3]);
    expect(await refused("{")).toEqual([400, 3]);
    expect(await refused(`{"memo":"${"x".repeat(70_000)}"}`)).toEqual([429, 8]);
  });

  test("bytes in a URL need padding, in the path and in the query", async () => {
    const bench = new Bench();
    const { hash } = await bench.add();
    const padded = pathHash(hash);
    expect((await bench.get(`/v2/invoices/lookup?payment_hash=${padded}`)).status).toBe(200);
    const standard = encodeURIComponent(Buffer.from(hash, "hex").toString("base64"));
    expect((await bench.get(`/v2/invoices/lookup?payment_hash=${standard}`)).status).toBe(200);

    const bare = padded.replace("%3D", "");
    const query = await bench.get(`/v2/invoices/lookup?payment_hash=${bare}`);
    expect([query.status, query.json[0]?.code]).toEqual([400, 3]);
    const path = await bench.get(`/v2/router/track/${bare}`);
    expect([path.status, path.json[0]]).toEqual([
      400,
      {
        code: 3,
        message: "type mismatch, parameter: payment_hash, error: illegal base64 data at input byte 40",
        details: [],
      },
    ]);
  });

  test("a slash of standard base64 tears the path apart, even escaped", async () => {
    const bench = new Bench();
    const slashes = encodeURIComponent(Buffer.alloc(32, 0xff).toString("base64"));
    const torn = await bench.get(`/v2/router/track/${slashes}`);
    expect([torn.status, torn.json[0]?.message]).toEqual([404, "Not Found"]);
    const whole = await bench.get(`/v2/router/track/${pathHash("ff".repeat(32))}`);
    expect([whole.status, whole.json[0]?.error]).toMatchObject([404, { message: "payment isn't initiated" }]);
  });

  test("bad booleans and integers in a query are refused, unknown names are not", async () => {
    const bench = new Bench();
    expect((await bench.get("/v1/invoices?pending_only=yes")).status).toBe(400);
    expect((await bench.get("/v1/invoices?index_offset=x")).status).toBe(400);
    expect((await bench.get("/v1/invoices?reversed=1&colour=red")).status).toBe(200);
  });

  test("two peers with the same seed say the same, with another seed something else", async () => {
    const life = async (seed: number) => {
      const bench = new Bench(seed);
      const { bolt11, hash } = await bench.add();
      await bench.peer.wallet.pay(bolt11);
      await bench.send(bench.peer.wallet.invoice().invoice, { amt: "900" });
      return JSON.stringify([await bench.lookup(hash), await bench.payments(), (await bench.get("/v1/getinfo")).text]);
    };
    expect(await life(7)).toBe(await life(7));
    expect(await life(7)).not.toBe(await life(8));
  });

  test("the macaroon is checked before anything happens", async () => {
    const bench = new Bench();
    await bench.post("/v1/invoices", { value: "1" }, { headers: {} });
    expect((await bench.get("/v1/invoices", { headers: MACAROON })).json[0]?.invoices).toEqual([]);
  });
});
