/** Every cell of the published matrix of clients says yes (docs/interop.md; `bun run interop` writes it). */
import { expect, test } from "bun:test";
import { documentedServer } from "../../support/openapi.ts";
import { CLIENT_COLUMNS, openShop, tryClient } from "./client-row.ts";
import { PACKAGE_DRIVERS } from "./packages.ts";
import { RULE_DRIVERS } from "./rules.ts";

const server = documentedServer();

test.each(
  [...PACKAGE_DRIVERS, ...RULE_DRIVERS].map((driver) => [`${driver.client} ${driver.version}`, driver] as const),
)("%s buys, repeats, polls, comes back, and pays once", async (_, driver) => {
  const shop = openShop(
    `${server().origin}/v2/l402/order`,
    JSON.stringify({ service: "telegram", country: "US" }),
    async (invoice) => (await server().control<{ preimage: string }>("POST", "/wallet/pay", { invoice })).preimage,
  );
  expect(await tryClient(driver, shop)).toEqual(
    Object.fromEntries(CLIENT_COLUMNS.map((column) => [column, "yes"])) as never,
  );
});
