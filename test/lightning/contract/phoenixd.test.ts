import type { Dialect } from "./bench.ts";
import { historyContract } from "./history.ts";
import { invoiceContract } from "./invoices.ts";
import { onceContract } from "./once.ts";
import { refundContract } from "./refunds.ts";
import { settlementContract } from "./settlements.ts";

const PHOENIXD: Dialect = {
  kind: "phoenixd",
  calls: {
    create: "createinvoice",
    lookup: "getincoming",
    list: "listincoming",
    follow: "websocket",
    cancel: null,
    pay: "payinvoice",
    track: "getoutgoing",
  },
  before: ["reset", "http503", "html502", "unauthorized", "http500", "not_found_html", "hang"],
  after: ["reset_after", "garbled", "empty", "hang_after"],
  reasons: {
    no_route: "no_route",
    insufficient_balance: "insufficient_balance",
    incorrect_details: "incorrect_payment_details",
    // The node does not look: the recipient refuses.
    invoice_expired: "incorrect_payment_details",
  },
  remembersReasons: false,
  replays: true,
};

invoiceContract(PHOENIXD);
settlementContract(PHOENIXD);
refundContract(PHOENIXD);
onceContract(PHOENIXD);
historyContract(PHOENIXD);
