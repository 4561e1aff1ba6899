/** All scenarios, those of the short form first. */
import type { Scenario } from "./scenario.ts";
import { BUYING_SCENARIOS } from "./scenarios-buying.ts";
import { DOOR_SCENARIOS } from "./scenarios-doors.ts";
import { MONEY_SCENARIOS } from "./scenarios-money.ts";
import { SMS_SCENARIOS } from "./scenarios-sms.ts";

export const SCENARIOS: readonly Scenario[] = [
  ...SMS_SCENARIOS,
  ...MONEY_SCENARIOS,
  ...BUYING_SCENARIOS,
  ...DOOR_SCENARIOS,
];
