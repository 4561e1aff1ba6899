import { describe, expect, test } from "bun:test";
import type { Dialect } from "./bench.ts";
import { Bench, until } from "./bench.ts";
import { historyContract } from "./history.ts";
import { invoiceContract } from "./invoices.ts";
import { onceContract } from "./once.ts";
import { refundContract } from "./refunds.ts";
import { settlementContract } from "./settlements.ts";

const LND: Dialect = {
  kind: "lnd",
  calls: {
    create: "addinvoice",
    lookup: "lookupinvoice",
    list: "listinvoices",
    follow: "subscribe",
    cancel: "cancelinvoice",
    pay: "send",
    track: "track",
  },
  before: ["reset", "http500", "http503", "html502", "unauthorized", "not_found_html", "hang"],
  after: ["reset_after", "garbled", "empty", "hang_after"],
  reasons: {
    no_route: "no_route",
    insufficient_balance: "insufficient_balance",
    incorrect_details: "incorrect_payment_details",
    invoice_expired: "invoice_expired",
  },
  remembersReasons: true,
  replays: true,
};

invoiceContract(LND);
settlementContract(LND);
refundContract(LND);
onceContract(LND);
historyContract(LND);

describe("lnd's stream", () => {
  test("that is cut is opened again a second later and misses nothing", async () => {
    const bench = new Bench(LND);
    bench.fault("follow", "stream_cut");
    bench.feed.start();
    await until(() => bench.feed.status().connected);
    const [first, second] = [await bench.invoice(), await bench.invoice()];
    await bench.wallet.pay(first.bolt11);
    await until(() => !bench.feed.status().connected);
    await bench.wallet.pay(second.bolt11);
    bench.forward(1);
    await until(() => bench.cursor === "2" || (bench.has(second.paymentHash)() && bench.feed.status().connected));
    expect([bench.has(first.paymentHash)(), bench.has(second.paymentHash)()]).toEqual([true, true]);
    await bench.stop();
  });

  test("that tells twice may hand over twice, which the receiver must bear", async () => {
    const bench = new Bench(LND);
    bench.fault("follow", "duplicate_events");
    bench.feed.start();
    await until(() => bench.feed.status().connected);
    const { bolt11, paymentHash } = await bench.invoice();
    await bench.wallet.pay(bolt11);
    await until(() => bench.cursor === "1");
    expect(new Set(bench.taken.map(({ hash }) => hash))).toEqual(new Set([paymentHash]));
    await bench.stop();
  });
});
