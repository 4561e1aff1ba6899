/** What a node of the most capable kind can do, for tests that make one up. */
import { DEFAULT_FEE_CAP } from "../../actors/order/policy.ts";
import type { NodeTraits } from "../../src/lightning/port.ts";

export const TRAITS: NodeTraits = {
  name: "test",
  provenBy: "invoices",
  settlesAfterExpiryMs: 0,
  feeLimit: "node",
  timeLimit: true,
  feeCap: DEFAULT_FEE_CAP,
};
