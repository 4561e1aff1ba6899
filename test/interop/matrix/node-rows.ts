/** Rows of nodes: the outcome of the tests of whole lives over each kind of node (test/e2e/nodes, test/interop/ldk). */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Cells } from "./client-row.ts";

export const NODE_COLUMNS = ["invoice", "settle", "refund", "duplicate", "in flight", "restart"] as const;
export type NodeColumn = (typeof NODE_COLUMNS)[number];

export interface NodeRow {
  readonly node: string;
  readonly cells: Cells<NodeColumn>;
}

/** Which test stands for which column; a piece of its name. */
const LIVES: Readonly<Record<NodeColumn, string>> = {
  invoice: "an order is paid, gets its number and its code",
  settle: "an order is paid, gets its number and its code",
  refund: "a cancelled order's money comes back once",
  duplicate: "a refund whose answer is lost is found",
  "in flight": "a refund that the process died under",
  restart: "what is paid while the process is down",
};
const LDK: Readonly<Record<NodeColumn, string>> = {
  invoice: "an invoice of the service is paid by another implementation",
  settle: "an invoice of the service is paid by another implementation",
  refund: "a refund reaches an invoice without an amount",
  duplicate: "the network itself refuses to pay a refund twice",
  "in flight": "a refund that is stuck and then fails",
  restart: "a refund that is stuck stays pending for hours and through a restart",
};

const NAMES: Readonly<Record<string, string>> = {
  lnd: "LND (REST)",
  cln: "Core Lightning (clnrest)",
  phoenixd: "phoenixd",
  nwc: "Nostr Wallet Connect",
};

export async function nodeRows(root: string): Promise<NodeRow[]> {
  const folder = join(root, "test", "e2e", "nodes");
  const files = readdirSync(folder).filter((file) => basename(file, ".test.ts") in NAMES);
  const rows: NodeRow[] = [];
  for (const file of files) {
    const kind = basename(file, ".test.ts");
    rows.push({ node: NAMES[kind] ?? kind, cells: await outcome(root, join(folder, file), LIVES) });
  }
  const ldk = join(root, "test", "interop", "ldk", "real-lightning.test.ts");
  rows.push({ node: "LDK 0.1, real channels (behind the LND adapter)", cells: await outcome(root, ldk, LDK) });
  return rows;
}

async function outcome(
  root: string,
  file: string,
  names: Readonly<Record<NodeColumn, string>>,
): Promise<Cells<NodeColumn>> {
  const dir = mkdtempSync(join(tmpdir(), "l402-matrix-"));
  const report = join(dir, "junit.xml");
  try {
    const reporter = ["--reporter=junit", `--reporter-outfile=${report}`, "--path-ignore-patterns=none"];
    const child = Bun.spawn([process.execPath, "test", ...reporter, file], {
      cwd: root,
      stdout: "ignore",
      stderr: "ignore",
    });
    await child.exited;
    const xml = readFileSync(report, "utf8");
    const cell = (column: NodeColumn): string => verdict(xml, names[column]);
    return Object.fromEntries(NODE_COLUMNS.map((column) => [column, cell(column)])) as Record<NodeColumn, string>;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What the report says of the test whose name holds `piece`. */
function verdict(xml: string, piece: string): string {
  const escaped = piece.replace(/'/g, "&apos;");
  const cases = xml.split("<testcase ").filter((text) => text.includes(piece) || text.includes(escaped));
  const [found] = cases;
  if (!found) return "not run";
  return /<failure|<error|<skipped/.test(found.slice(0, found.indexOf("</testcase>") + 1)) ? "failed" : "yes";
}
