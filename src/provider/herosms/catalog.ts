/**
 * The provider's lists of countries and services, and the account's balance.
 */
import { type MicroUsd, parseMicroUsd } from "../../../actors/order/money.ts";
import type { ProviderCountry, ProviderService } from "../port.ts";
import type { Client } from "./client.ts";
import * as field from "./fields.ts";
import { unavailable } from "./trouble.ts";

const MAX_NAME = 200;

/** getBalance: `ACCESS_BALANCE:12.4422`. @throws ProviderUnavailable */
export async function readBalance(client: Client): Promise<MicroUsd> {
  const told = await client.ask({ action: "getBalance", priority: "poll" });
  const balance = told.kind === "text" ? parseMicroUsd(/^ACCESS_BALANCE:(.*)$/.exec(told.text)?.[1]) : null;
  if (balance === null) throw unavailable("getBalance", told);
  return balance;
}

/** getCountries: an object by id live, an array in the documentation. @throws ProviderUnavailable */
export async function readCountries(client: Client): Promise<ProviderCountry[]> {
  const told = await client.ask({ action: "getCountries", priority: "catalog" });
  const list = told.kind === "json" ? field.rows(told.value) : null;
  const countries = (list ?? []).flatMap((value) => {
    const row = field.fields(value) ?? {};
    const id = field.country(row.id);
    const name = field.text(row.eng, MAX_NAME);
    return id === null || name === null ? [] : { id, name, visible: isSet(row.visible), rent: isSet(row.rent) };
  });
  // There is always some country; an empty list is a broken answer.
  if (countries.length === 0) throw unavailable("getCountries", told);
  return countries;
}

/** getServicesList; names come with stray blanks. @throws ProviderUnavailable */
export async function readServices(client: Client): Promise<ProviderService[]> {
  const told = await client.ask({ action: "getServicesList", priority: "catalog" });
  const list = told.kind === "json" ? field.rows(field.fields(told.value)?.services) : null;
  const services = (list ?? []).flatMap((value) => {
    const row = field.fields(value) ?? {};
    const code = field.service(row.code);
    const name = field.text(row.name, MAX_NAME);
    return code === null || name === null ? [] : { code, name };
  });
  if (services.length === 0) throw unavailable("getServicesList", told);
  return services;
}

const isSet = (value: unknown): boolean => value === true || field.whole(value) === 1;
