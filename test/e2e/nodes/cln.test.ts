import { nodeLife } from "./life.ts";

nodeLife({ kind: "cln", pay: "xpay", lost: ["reset_after", "garbled", "hang_after"], lapsesAfter: 0 });
