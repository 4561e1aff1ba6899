import type { Dialect } from "./bench.ts";
import { historyContract } from "./history.ts";
import { invoiceContract } from "./invoices.ts";
import { onceContract } from "./once.ts";
import { refundContract } from "./refunds.ts";
import { settlementContract } from "./settlements.ts";

const NWC: Dialect = {
  kind: "nwc",
  calls: {
    create: "make_invoice",
    lookup: "lookup_invoice",
    list: "list_transactions",
    follow: "notification",
    cancel: null,
    pay: "pay_invoice",
    track: "lookup_invoice",
  },
  before: ["unauthorized", "internal_error", "rate_limited", "hang"],
  after: ["garbled", "empty", "hang_after"],
  reasons: {
    no_route: "failed",
    insufficient_balance: "insufficient_balance",
    incorrect_details: "failed",
    invoice_expired: "invoice_expired",
  },
  remembersReasons: false,
  replays: true,
  page: 10,
  payFaults: ["late"],
  receiveOnly: { call: "get_info", fault: "no_pay" },
  refusals: ["unauthorized", "rate_limited"],
  // A relay may hand over a request long after it was published.
  mayComeLate: 600,
};

invoiceContract(NWC);
settlementContract(NWC);
refundContract(NWC);
onceContract(NWC);
historyContract(NWC);
