/**
 * The compat protocol: `GET /stubs/handler_api.php?action=<name>&api_key=<key>`. Only `prolong` and `reactivate` are POST,
 * with their parameters in the query string all the same. The key is checked before the action is looked up.
 */
import { type Answer, BAD_ACTION, BAD_KEY, invalid } from "./answers.ts";
import { getNumber, getNumberV2 } from "./buying.ts";
import type { Desk } from "./desk.ts";
import type { Params } from "./params.ts";
import {
  getCountries,
  getNumbersStatus,
  getOperators,
  getPrices,
  getServicesList,
  getTopCountriesByService,
} from "./prices.ts";
import { reactivate, reactivateOptions } from "./reactivation.ts";
import { getActiveActivations, getAllSms, getBalance, getHistory, getStatus, getStatusV2 } from "./reading.ts";
import { cancelActivation, finishActivation, setStatus } from "./release.ts";
import { getRentNumber, getRentServicesAndCountries, prolong, serviceCountRent } from "./rentals.ts";

type Action = (desk: Desk, params: Params) => Answer;

const GET: ReadonlyMap<string, Action> = new Map<string, Action>(
  Object.entries({
    getBalance,
    getNumber,
    getNumberV2,
    getStatus,
    getStatusV2,
    setStatus,
    finishActivation,
    cancelActivation,
    getActiveActivations,
    getHistory,
    getAllSms,
    getPrices,
    getTopCountriesByService,
    getTopCountriesByServiceRank: getTopCountriesByService,
    getNumbersStatus,
    getCountries,
    getServicesList,
    getOperators,
    serviceCountRent,
    getRentServicesAndCountries,
    getRentNumber,
    reactivateOptions,
  }),
);
const POST: ReadonlyMap<string, Action> = new Map<string, Action>(Object.entries({ prolong, reactivate }));
const KEYLESS: ReadonlySet<string> = new Set(["getCountries", "getServicesList", "getOperators"]);

/** The one key that is wrong; every other non-empty one is right. */
export const WRONG_KEY = "bad";

/** Performs one action. Synchronous: the caller wraps it in a transaction. */
export function act(desk: Desk, method: string, name: string, params: Params): Answer {
  const key = params.get("api_key");
  if (!KEYLESS.has(name)) {
    if (!key) return invalid("api_key", "REQUIRED");
    if (key === WRONG_KEY) return BAD_KEY;
  }
  const action = (method === "POST" ? POST : GET).get(name);
  return action ? action(desk, params) : BAD_ACTION;
}
