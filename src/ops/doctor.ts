/**
 * `doctor`: are the books sound, and who waits for whom? It reads the database beside a running server and changes nothing.
 * `doctor find` shows one order for support, without its secrets. Exit codes: 0 clean (or found), 1 findings or something
 * that waits for the operator (or not found), 2 could not run.
 */
import { parseArgs } from "node:util";
import type { Millis } from "../../actors/runtime/world.ts";
import { type BanRules, DEFAULT_BAN_RULES } from "../provider/guard.ts";
import { isSqliteError, openFileReadOnly, openReadOnly, sqliteCode } from "./doctor/database.ts";
import { examine } from "./doctor/examine.ts";
import { find, foundText, readSearch } from "./doctor/find.ts";
import { examinationJson, examinationText, isClean } from "./doctor/print.ts";

export interface DoctorOptions {
  readonly dataDir: string;
  readonly now: Millis;
  /** When the provider bans. */
  readonly rules?: BanRules;
  /** Prints one line, or several at once. */
  readonly out: (line: string) => void;
}

export const DOCTOR_USAGE = `Usage: doctor [--quick] [--json] [--file BACKUP]
       doctor find <order id | payment hash | invoice | activation id> [--json] [--file BACKUP]

  --file   a backup instead of the database in DATA_DIR
  --json   one JSON object
  --quick  leave out SQLite's integrity check of the file, which reads all of it

Exit code: 0 clean or found, 1 findings or orders that wait for you or not found, 2 could not run`;

interface Wanted {
  readonly json: boolean;
  readonly quick: boolean;
  readonly find: string | null;
  readonly file: string | null;
}

/** @returns the exit code. */
export async function runDoctor(args: readonly string[], options: DoctorOptions): Promise<number> {
  const { dataDir, now, out, rules = DEFAULT_BAN_RULES } = options;
  const wanted = readArguments(args);
  if (typeof wanted === "string") {
    out(DOCTOR_USAGE);
    return wanted === "help" ? 0 : 2;
  }
  const refuse = (problem: string): number => {
    out(wanted.json ? JSON.stringify({ problem }) : problem);
    return 2;
  };
  const search = wanted.find === null ? null : readSearch(wanted.find);
  if (search?.kind === "unknown") return refuse("Not an order id, payment hash, invoice or activation id");
  const opened = wanted.file === null ? openReadOnly(dataDir) : openFileReadOnly(wanted.file);
  if (!opened.ok) return refuse(opened.problem);
  const { db } = opened;
  try {
    if (search) {
      const found = find(db, search);
      if (wanted.json) out(JSON.stringify(found));
      else out(found ? foundText(found).join("\n") : "No such order. Lapsed ones are forgotten after a month");
      return found ? 0 : 1;
    }
    const progress = wanted.json ? () => {} : out;
    const examination = examine({ db, now, quick: wanted.quick, rules, progress });
    out(wanted.json ? examinationJson(examination, now) : examinationText(examination, now).join("\n"));
    return isClean(examination) ? 0 : 1;
  } catch (error) {
    if (!isSqliteError(error)) throw error;
    return refuse(`The database cannot be read: ${sqliteCode(error)}`);
  } finally {
    db.close();
  }
}

function readArguments(args: readonly string[]): Wanted | "help" | "wrong" {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        file: { type: "string" },
        json: { type: "boolean" },
        quick: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (values.help) return "help";
    const [command, words, ...rest] = positionals;
    if (rest.length > 0 || (command !== undefined && command !== "find")) return "wrong";
    if ((command === "find") !== (words !== undefined)) return "wrong";
    const { json = false, quick = false, file = null } = values;
    return { json, quick, file, find: words ?? null };
  } catch {
    return "wrong";
  }
}
