/** A process whose descriptors are all taken by others, and which buys a number all the same. Prints the outcome. */
import { openSync } from "node:fs";
import { adapterFor, PURCHASE, start, stopServers, usd } from "./fake.ts";

const { provider, baseUrl } = start({ getNumberV2: PURCHASE, getBalance: "ACCESS_BALANCE:12.50" });
// A process that runs has asked before.
await provider.balance();
try {
  for (;;) openSync("/dev/null", "r");
} catch {
  // Now they are.
}
const { provider: later } = adapterFor(baseUrl);
console.log(JSON.stringify(await later.buyActivation({ service: "vk", country: 6, maxCost: usd(20) })));
stopServers();
process.exit(0);
