/** The rules of time must fit together, or the server does not start. */
import { expect, test } from "bun:test";
import { DEFAULT_POLICY, policyFault } from "../../../actors/order/policy.ts";
import { MINUTE, SECOND } from "./orders.ts";

test("the default policy fits, with nothing to spare", () => {
  expect(policyFault(DEFAULT_POLICY)).toBeNull();
  expect(policyFault({ ...DEFAULT_POLICY, invoiceExpiryMs: DEFAULT_POLICY.invoiceExpiryMs + SECOND })).toContain(
    "1801 s",
  );
  expect(policyFault({ ...DEFAULT_POLICY, smsTimeoutMs: DEFAULT_POLICY.smsTimeoutMs + 1 })).not.toBeNull();
});

test("the customer cannot be kept shorter than the provider keeps us", () => {
  expect(policyFault({ ...DEFAULT_POLICY, minActivationMs: 20 * MINUTE })).toContain("minimum activation");
});

test("buying ends before the wait for the SMS does", () => {
  expect(policyFault({ ...DEFAULT_POLICY, buyWindowMs: 20 * MINUTE })).toContain("buying window");
});
