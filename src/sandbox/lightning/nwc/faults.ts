/** The methods under whose names a wallet's answers can be made to fail, and how. */
import { PAYMENT_FAULTS } from "../payments.ts";
import { METHODS } from "./methods.ts";

export const NWC_ACTIONS = [...METHODS, "notification"] as const;
export type NwcAction = (typeof NWC_ACTIONS)[number];

/** The wallet does nothing: it says nothing, or why not. */
export const BEFORE = ["hang", "unauthorized", "internal_error", "rate_limited"] as const;
/** The wallet has acted; its answer does not come, or makes no sense. */
export const AFTER = ["hang_after", "garbled", "empty"] as const;

const OWN: Partial<Record<NwcAction, readonly string[]>> = {
  /** `late`: the wallet was away, and acts on the request after `afterSeconds`. */
  pay_invoice: [...PAYMENT_FAULTS, "forbidden", "late"],
  /** `no_pay`: the connection may only receive. `lnbits`: the wallet behind it is one. */
  get_info: ["no_pay", "lnbits"],
};

/** The faults that `action` knows, for those who plan them. */
export function nwcFaults(action: NwcAction): readonly string[] {
  return action === "notification" ? ["silent_stream"] : [...BEFORE, ...AFTER, ...(OWN[action] ?? [])];
}
