import { nodeLife } from "./life.ts";

nodeLife({ kind: "phoenixd", pay: "payinvoice", lost: ["reset_after", "garbled", "hang_after"], lapsesAfter: 600 });
