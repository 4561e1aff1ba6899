import { nodeLife } from "./life.ts";

nodeLife({ kind: "nwc", pay: "pay_invoice", lost: ["garbled", "empty", "hang_after"], lapsesAfter: 600 });
