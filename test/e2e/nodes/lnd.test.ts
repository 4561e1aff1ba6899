import { nodeLife } from "./life.ts";

nodeLife({ kind: "lnd", pay: "send", lost: ["reset_after", "garbled", "hang_after"], lapsesAfter: 0 });
