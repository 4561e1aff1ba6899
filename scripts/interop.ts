/**
 * Makes the published matrix of clients and nodes, docs/interop.md: every client buys from a running server, other libraries judge our
 * tokens and invoices, and the lives of orders over each kind of node are run as tests. Ends with exit code 1 when a cell says no.
 *
 *   bun scripts/interop.ts            everything; npm, and python3 and go where they are
 *   bun scripts/interop.ts --print    prints, and leaves the page as it is
 */
import { join } from "node:path";
import { RootKeys } from "../src/l402/keys.ts";
import { type Cells, CLIENT_COLUMNS, type Driver, openShop, tryClient } from "../test/interop/matrix/client-row.ts";
import { extraDrivers, installPackages, macaroonVerdicts, tool, type Verdict } from "../test/interop/matrix/extra.ts";
import { NODE_COLUMNS, type NodeRow, nodeRows } from "../test/interop/matrix/node-rows.ts";
import { PACKAGE_DRIVERS } from "../test/interop/matrix/packages.ts";
import { RULE_DRIVERS } from "../test/interop/matrix/rules.ts";
import { decoded } from "../test/l402/fixtures.ts";
import { commandLine } from "../test/support/command-line.ts";
import { startServer } from "../test/support/server.ts";

const root = join(import.meta.dir, "..");
const dir = join(root, "node_modules", ".cache", "interop");
const PAGE = join(root, "docs", "interop.md");
const KEY = "07".repeat(32);

interface ClientRow {
  readonly driver: Driver;
  readonly cells: Cells<(typeof CLIENT_COLUMNS)[number]>;
}

async function clientRows(drivers: readonly Driver[]): Promise<{ rows: ClientRow[]; verdicts: Verdict[] }> {
  const server = await startServer({ env: { ROOT_KEY: `0:${KEY}` } });
  const body = JSON.stringify({ service: "telegram", country: "US" });
  const rows: ClientRow[] = [];
  for (const driver of drivers) {
    const shop = openShop(`${server.origin}/v2/l402/order`, body, async (invoice) => {
      return (await server.control<{ preimage: string }>("POST", "/wallet/pay", { invoice })).preimage;
    });
    const cells = await tryClient(driver, shop);
    rows.push({ driver, cells });
    console.log(`${driver.client} ${driver.version}: ${CLIENT_COLUMNS.map((column) => cells[column]).join(", ")}`);
  }
  const { macaroon } = await server.challenge({});
  await server.stop();
  const { identifier, caveats } = decoded(macaroon);
  const rootKey = new RootKeys([{ kid: 0, key: new Uint8Array(Buffer.from(KEY, "hex")) }]).rootKeyOf(identifier);
  const verdicts = await macaroonVerdicts(dir, {
    base64: macaroon,
    rootKeyHex: Buffer.from(rootKey ?? []).toString("hex"),
    caveats: caveats.map(({ id }) => new TextDecoder().decode(id)),
  });
  for (const { library, version, verifies } of verdicts) console.log(`${library} ${version}: ${verifies}`);
  return { rows, verdicts };
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

function page(clients: readonly ClientRow[], verdicts: readonly Verdict[], nodes: readonly NodeRow[]): string {
  return `# Interoperability

Made by \`bun run interop\`; do not edit. Every cell was tried against a running server of this version.

## Clients

Each buys a number, repeats its purchase, polls its order, and comes back after it lost what it had in memory. "package" is the client as published;
"rules" is what its documentation and source say it does, written anew, for clients that no registry has.

${table(
  ["client", "version", "as", ...CLIENT_COLUMNS],
  clients.map(({ driver, cells }) => [
    driver.client,
    driver.version,
    driver.how,
    ...CLIENT_COLUMNS.map((column) => cells[column]),
  ]),
)}

"recovery" for a client that keeps nothing is a 409 that names its order and does not ask for money (\`Idempotency-Key\`).

## Macaroon libraries

They verify the chain of a token of ours, and meet each of its caveats.

${table(
  ["library", "version", "verifies"],
  verdicts.map(({ library, version, verifies }) => [library, version, verifies]),
)}

## Nodes

Whole lives of orders over each kind of node: the service against a loopback server of the node's protocol with faults, and over two LDK nodes with
a channel between them, where real HTLCs move.

${table(
  ["node", ...NODE_COLUMNS],
  nodes.map(({ node, cells }) => [node, ...NODE_COLUMNS.map((column) => cells[column])]),
)}

${NODE_COLUMNS_EXPLAINED}
`;
}

const NODE_COLUMNS_EXPLAINED = `"settle": paid and served. "refund": back to the sat. "duplicate": an answer is lost, and the refund is found instead of repeated; with LDK the
network itself refuses the second one. "in flight": the process dies while a refund is out. "restart": paid while the service was down.`;

const { print: isPrint } = commandLine(import.meta.path, { print: { type: "boolean", default: false } }).values;
const installed = await installPackages(dir);
if (!installed) console.log("npm could not install lsat-js and mppx: their rows are left out");
const { rows, verdicts } = await clientRows([
  ...PACKAGE_DRIVERS,
  ...(installed ? await extraDrivers(dir) : []),
  ...RULE_DRIVERS,
]);
console.log("\nlives of orders over each kind of node, some minutes");
const nodes = await nodeRows(root);
for (const { node, cells } of nodes) console.log(`${node}: ${NODE_COLUMNS.map((column) => cells[column]).join(", ")}`);
if (!isPrint) {
  await Bun.write(PAGE, page(rows, verdicts, nodes));
  console.log(`\nwritten: docs/interop.md (${await tool(["git", "rev-parse", "--short", "HEAD"], root)})`);
}
const cells = [
  ...rows.flatMap(({ cells }) => Object.values(cells)),
  ...nodes.flatMap(({ cells }) => Object.values(cells)),
];
const no = cells.filter((cell) => cell !== "yes" && cell !== "-").length;
const refused = verdicts.filter(({ verifies }) => verifies !== "yes" && verifies !== "not here").length;
console.log(`${cells.length + verdicts.length - no - refused} cells say yes, ${no + refused} say no`);
process.exit(no + refused === 0 ? 0 : 1);
