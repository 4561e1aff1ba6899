/** From what a customer wrote to what is wanted: defaults, names, nearest matches. Pure. */
import type { OrderType } from "../../actors/order/terms.ts";
import type { Countries } from "../catalog/countries.ts";
import type { CountryRow, ServiceRow } from "../catalog/rows.ts";
import type { Services } from "../catalog/services.ts";
import { parseNpub } from "../notices/keys.ts";
import { sha256Hex } from "../sha256.ts";
import type { OrderRequest } from "./desk.ts";
import { type Problem, problem } from "./problem.ts";

export interface Wanted {
  readonly type: OrderType;
  readonly service: string;
  /** null leaves the choice to us. */
  readonly country: number | null;
  readonly refundInvoice: string | null;
  readonly refundAddress: string | null;
  readonly maxPriceSats: number | null;
  /** rent-number: always set. */
  readonly durationMinutes: number;
  /** receive-sms-reactivate: always set. */
  readonly parentOrderId: string;
  readonly notifyNpub: string | null;
  readonly digest: string;
}

export interface Names {
  readonly countries: Countries;
  readonly services: Services;
  /** Codes and ids that the operator does not sell. */
  readonly blockedServices: ReadonlySet<string>;
  readonly blockedCountries: ReadonlySet<number>;
}

const DEFAULT_SERVICE = "other";

export function interpret(asked: OrderRequest, names: Names): Wanted | Problem {
  const type = asked.type ?? "receive-sms";
  const digest = digestOf(asked);
  // A reactivation is for the service and country of the earlier order, whatever else it says; they are checked with the offer.
  const again = type === "receive-sms-reactivate";
  const { service: _, country: __, ...rest } = asked;
  const request: OrderRequest = again ? rest : asked;
  const service = names.services.resolve(request.service ?? DEFAULT_SERVICE);
  if (!service.ok) return unknownService(service.nearest);
  const country = names.countries.resolve(request.country ?? "auto");
  if (!country.ok) return unknownCountry(country.nearest);
  const { code } = service.service;
  const countryId = country.country === "auto" ? null : country.country.id;
  if (!again && names.blockedServices.has(code))
    return problem("UNAVAILABLE", "This service is not sold here", { retryable: false });
  if (countryId !== null && names.blockedCountries.has(countryId)) {
    return problem("UNAVAILABLE", "Numbers of this country are not sold here", { retryable: false });
  }
  const notifyNpub = request.notify?.nostr ?? null;
  if (notifyNpub !== null && parseNpub(notifyNpub) === null) {
    return problem("VALIDATION_ERROR", 'Field "notify.nostr" must be an npub', { details: { field: "notify.nostr" } });
  }
  const misplaced = missingField(type, request) ?? strayField(type, request);
  if (misplaced) return misplaced;
  return {
    type,
    service: code,
    country: countryId,
    refundInvoice: request.refundInvoice ?? null,
    refundAddress: request.refundAddress ?? null,
    maxPriceSats: request.maxPriceSats ?? null,
    durationMinutes: request.durationMinutes ?? 0,
    parentOrderId: request.orderId ?? "",
    notifyNpub,
    digest,
  };
}

function missingField(type: OrderType, request: OrderRequest): Problem | null {
  if (type === "rent-number" && request.durationMinutes === undefined) {
    return problem("VALIDATION_ERROR", 'Field "durationMinutes" is required for rent-number', {
      details: { field: "durationMinutes" },
    });
  }
  if (type === "receive-sms-reactivate" && request.orderId === undefined) {
    return problem("VALIDATION_ERROR", 'Field "orderId" is required for receive-sms-reactivate', {
      suggestion: "Name the earlier order whose number you want again",
      details: { field: "orderId" },
    });
  }
  return null;
}

/** Fields of another type: whoever names a duration or an earlier order and forgets the type would pay for something else. */
function strayField(type: OrderType, { durationMinutes, orderId }: OrderRequest): Problem | null {
  if (durationMinutes !== undefined && type !== "rent-number") return stray("durationMinutes", "rent-number", type);
  if (orderId !== undefined && type !== "receive-sms-reactivate")
    return stray("orderId", "receive-sms-reactivate", type);
  return null;
}

const stray = (field: string, of: OrderType, type: OrderType): Problem =>
  problem("VALIDATION_ERROR", `Field "${field}" is for ${of}, and the type of this order is ${type}`, {
    suggestion: `Add "type": "${of}", or leave "${field}" out`,
    details: { field },
  });

export const unknownService = (nearest: readonly ServiceRow[]): Problem =>
  problem("VALIDATION_ERROR", "Unknown service", {
    suggestion: nearestText(
      nearest.map((row) => `${row.name} (${row.code})`),
      "GET /v2/l402/services lists all",
    ),
    details: { field: "service", nearest: nearest.map(({ code, name }) => ({ code, name })) },
  });

export const unknownCountry = (nearest: readonly CountryRow[]): Problem =>
  problem("INVALID_COUNTRY", "Unknown country", {
    suggestion: nearestText(
      nearest.map((row) => `${row.name} (${row.id})`),
      "GET /v2/l402/catalog lists all",
    ),
    details: { field: "country", nearest: nearest.map(({ id, iso, name }) => ({ id, iso, name })) },
  });

const nearestText = (nearest: readonly string[], otherwise: string): string =>
  nearest.length > 0 ? `Did you mean ${nearest.join(", ")}?` : otherwise;

/** The same request has the same digest, whatever the order of its fields. */
export function digestOf(request: OrderRequest): string {
  const { type, country, service, refundInvoice, refundAddress, maxPriceSats, durationMinutes, orderId, notify } =
    request;
  // The type asks for every field: a repeated key must never answer for a request that says something else.
  const fields: Record<keyof OrderRequest, unknown> = {
    type,
    country,
    service,
    refundInvoice,
    refundAddress,
    maxPriceSats,
    durationMinutes,
    orderId,
    notify: notify?.nostr,
  };
  return sha256Hex(JSON.stringify(Object.values(fields).map((field) => field ?? null)));
}
