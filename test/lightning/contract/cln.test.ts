import { describe, expect, test } from "bun:test";
import { Bench, type Dialect } from "./bench.ts";
import { historyContract } from "./history.ts";
import { invoiceContract } from "./invoices.ts";
import { onceContract } from "./once.ts";
import { refundContract } from "./refunds.ts";
import { settlementContract } from "./settlements.ts";

const CLN: Dialect = {
  kind: "cln",
  calls: {
    create: "invoice",
    lookup: "listinvoices",
    list: "listinvoices",
    follow: "waitanyinvoice",
    cancel: "delinvoice",
    pay: "xpay",
    track: "listpays",
  },
  before: ["reset", "http500", "http503", "html502", "unauthorized", "not_found_html", "hang"],
  after: ["reset_after", "garbled", "empty", "hang_after"],
  reasons: {
    no_route: "no_route",
    insufficient_balance: "insufficient_balance",
    incorrect_details: "incorrect_payment_details",
    invoice_expired: "invoice_expired",
  },
  remembersReasons: false,
  replays: true,
  payFaults: ["early_failure"],
};

invoiceContract(CLN);
settlementContract(CLN);
refundContract(CLN);
onceContract(CLN);
historyContract(CLN);

describe("Core Lightning", () => {
  test("a failure that is reported while another part is out is not the end of the payment", async () => {
    const bench = new Bench(CLN);
    const payment = await bench.refund();
    bench.fault("pay", "early_failure", { resolveAfterSeconds: 60 });
    expect(await bench.node.pay(payment)).toEqual({ kind: "in_flight" });
    bench.forward(60);
    expect(await bench.node.lookupPayment(payment.paymentHash)).toMatchObject({ kind: "succeeded" });
    await bench.stop();
  });

  test("the same key makes the same invoice, also in another call", async () => {
    const bench = new Bench(CLN);
    const first = await bench.invoice(100, "order:a");
    expect(await bench.invoice(100, "order:a")).toEqual(first);
    // Under one key there is one price.
    await expect(bench.invoice(101, "order:a")).rejects.toThrow("another amount");
    await bench.wallet.pay(first.bolt11);
    await expect(bench.invoice(100, "order:a")).rejects.toThrow("the label is taken");
    await bench.stop();
  });

  test("replays from the very first settlement, unlike lnd", async () => {
    const bench = new Bench(CLN);
    const { bolt11, paymentHash } = await bench.invoice();
    await bench.wallet.pay(bolt11);
    const stop = new AbortController();
    const events = bench.node.settlements("0", stop.signal)[Symbol.asyncIterator]();
    expect((await events.next()).value).toMatchObject({ settlement: { paymentHash }, cursor: "1" });
    stop.abort();
    await events.return?.();
    await bench.stop();
  });

  test("an idle wait is renewed before a proxy would cut it", async () => {
    const bench = new Bench(CLN);
    const stop = new AbortController();
    const events = bench.node.settlements(null, stop.signal)[Symbol.asyncIterator]();
    const next = events.next();
    for (let turn = 0; turn < 4; turn++) {
      await Bun.sleep(30);
      bench.forward(51);
    }
    await Bun.sleep(30);
    const { bolt11, paymentHash } = await bench.invoice();
    await bench.wallet.pay(bolt11);
    expect((await next).value).toMatchObject({ settlement: { paymentHash } });
    stop.abort();
    await events.return?.();
    await bench.stop();
  });
});
