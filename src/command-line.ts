/**
 * What is answered to the command line alone, before anything is read or done: whoever asks what a command does, or mistypes it, has not said
 * that it shall be done.
 */
import { BACKUP_USAGE } from "./ops/backup.ts";
import { CHECK_USAGE } from "./ops/check-lightning.ts";
import { DOCTOR_USAGE } from "./ops/doctor/arguments.ts";
import { MACAROON_USAGE } from "./ops/macaroon.ts";
import { RESTORE_USAGE } from "./ops/restore.ts";
import { VERSION } from "./version.ts";

const HELP = `l402-numbers ${VERSION}: phone numbers for AI agents, paid over Lightning

  l402-numbers                 serve (the sandbox, unless a node and a provider are configured)
  l402-numbers check-config    check the environment and exit
  l402-numbers check-lightning try the Lightning node step by step and say what is wrong; see check-lightning --help
  l402-numbers healthcheck     ask the running server whether it is ready
  l402-numbers doctor          compare journals, states and ledger; list what waits for a person
  l402-numbers doctor --peers  compare with node and provider as well; with --repair put right what is safe; see doctor --help
  l402-numbers doctor find ID  one order, by order id, payment hash, invoice or activation id
  l402-numbers backup DEST     copy the database while the server runs, without SMS texts and keys
  l402-numbers restore BACKUP  put a backup in place of the database; money is paused until doctor --peers --repair has run
  l402-numbers macaroon ...    inspect, narrow, mint again or revoke a credential; see macaroon --help
  l402-numbers rebind-provider after the HeroSMS key of the same account was changed
  l402-numbers --version | --help

Settings are environment variables; .env.example lists them.
`;

/** What each command says of itself; one that HELP says everything of takes no arguments. */
const USAGES: Readonly<Record<string, string>> = {
  "--version": HELP,
  "check-config": HELP,
  "check-lightning": CHECK_USAGE,
  healthcheck: HELP,
  doctor: DOCTOR_USAGE,
  backup: BACKUP_USAGE,
  restore: RESTORE_USAGE,
  macaroon: MACAROON_USAGE,
  "rebind-provider": HELP,
};

/** @returns the whole answer and the exit code; null when the command is to be run. */
export function readCommandLine([command, ...rest]: readonly string[]): { text: string; code: 0 | 2 } | null {
  if (command === undefined) return null;
  if (command === "--help" || command === "-h") return { text: HELP, code: 0 };
  const usage = Object.hasOwn(USAGES, command) ? USAGES[command] : undefined;
  if (usage === undefined) return mistyped(`Unknown command "${command}"`);
  if (rest.includes("--help") || rest.includes("-h")) return { text: usage, code: 0 };
  if (usage === HELP && rest.length > 0) return mistyped(`"${command}" takes no arguments`);
  return command === "--version" ? { text: VERSION, code: 0 } : null;
}

const mistyped = (problem: string) => ({ text: `${problem}\n\n${HELP}`, code: 2 }) as const;
