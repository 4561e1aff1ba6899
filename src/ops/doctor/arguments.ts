/** What the doctor was asked to do. */
import { parseArgs } from "node:util";
import type { Decision } from "../peers/decide.ts";

export const DOCTOR_USAGE = `Usage: doctor [--quick] [--json] [--file BACKUP]
       doctor --peers [--days N] [--repair] [--quick] [--json] [--file BACKUP]
       doctor find <order id | payment hash | invoice | activation id> [--json] [--file BACKUP]
       doctor paid ORDER PAYMENT_HASH | bought ORDER ACTIVATION | served ORDER | release ORDER

  --peers   compare with the node's payments and the provider's history as well
  --days    how far back, 7 if not given; after a restore from before the backup on
  --repair  put right what is proven, put in doubt what is not, and end the pause after a restore. The server must be stopped
  --file    a backup instead of the database in DATA_DIR
  --json    one JSON object
  --quick   leave out SQLite's integrity check of the file, which reads all of it

  paid      the node paid this order's refund with that payment: it is looked up there, and booked
  bought    this activation of the provider was bought for the order, which goes on with it
  served    the customer got what was sold: nothing is owed any more
  release   none of these: the order goes on by itself, and may be refunded
            For orders in doubt. The server must be stopped

Exit code: 0 clean, found or done; 1 findings, orders that wait for you, not found or refused; 2 could not run`;

export interface Wanted {
  readonly json: boolean;
  readonly quick: boolean;
  readonly file: string | null;
  readonly find: string | null;
  readonly peers: { readonly days: number; readonly repair: boolean } | null;
  readonly decide: { readonly orderId: string; readonly decision: Decision } | null;
}

const MAX_DAYS = 400;
const USUAL_DAYS = 7;

/** Null for arguments that make no sense. */
export function readArguments(args: readonly string[]): Wanted | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        days: { type: "string" },
        file: { type: "string" },
        json: { type: "boolean" },
        peers: { type: "boolean" },
        quick: { type: "boolean" },
        repair: { type: "boolean" },
      },
    });
    const { json = false, quick = false, file = null, repair = false, days = String(USUAL_DAYS) } = values;
    const asked = command(positionals);
    const isCommand = positionals.length > 0;
    const isDays = /^\d{1,3}$/.test(days) && Number(days) >= 1 && Number(days) <= MAX_DAYS;
    if (asked === null || !isDays) return null;
    if (values.peers ? isCommand : repair || values.days !== undefined) return null;
    if (file !== null && (repair || asked.decide !== null)) return null;
    return { json, quick, file, ...asked, peers: values.peers ? { days: Number(days), repair } : null };
  } catch {
    return null;
  }
}

/** Null for words that make no sense. */
function command([name, id, hash, ...rest]: readonly string[]): Pick<Wanted, "find" | "decide"> | null {
  if (rest.length > 0) return null;
  if (name === undefined) return { find: null, decide: null };
  if (id === undefined) return null;
  if (name === "find") return hash === undefined ? { find: id, decide: null } : null;
  const orderId = id.toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(orderId)) return null;
  if (name === "paid") {
    const paymentHash = hash?.toLowerCase() ?? "";
    if (!/^[0-9a-f]{64}$/.test(paymentHash)) return null;
    return { find: null, decide: { orderId, decision: { kind: "paid", paymentHash } } };
  }
  if (name === "bought") {
    if (hash === undefined || !/^\d{1,20}$/.test(hash)) return null;
    return { find: null, decide: { orderId, decision: { kind: "bought", activationId: hash } } };
  }
  if ((name !== "served" && name !== "release") || hash !== undefined) return null;
  return { find: null, decide: { orderId, decision: { kind: name } } };
}
