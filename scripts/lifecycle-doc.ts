/**
 * Prints the lifecycle table of `actors/order` as docs/lifecycle.md: `bun scripts/lifecycle-doc.ts` writes it, `--check` exits with 1
 * when the file is not what the code says.
 */
import { join } from "node:path";
import { COMMAND_TYPES, type CommandType } from "../actors/order/commands.ts";
import { LIFECYCLE } from "../actors/order/decide.ts";
import type { Kind, Order } from "../actors/order/state.ts";
import { status } from "../actors/order/status.ts";
import { commandLine } from "../test/support/command-line.ts";

const FILE = join(import.meta.dir, "..", "docs", "lifecycle.md");

const KINDS = Object.keys(LIFECYCLE) as Kind[];

/** Where a command comes from, in the order in which a reader meets them. */
const SOURCES: readonly (readonly [source: string, commands: readonly CommandType[]])[] = [
  ["The node", ["Settled", "SurelyUnpaid", "NodeAnswered", "RefundAnswered", "RefundSearched"]],
  [
    "The customer",
    [
      "PreimageShown",
      "CancelAsked",
      "DestinationGiven",
      "AddressGiven",
      "LinkAsked",
      "LinkUsed",
      "CodeRead",
      "FinishAsked",
    ],
  ],
  [
    "The provider",
    ["BuyAnswered", "BuySearched", "Hinted", "Looked", "CancelAnswered", "FinishAnswered", "ReleaseAnswered"],
  ],
  ["The doctor", ["Reconciled"]],
  ["The refund address", ["AddressAnswered"]],
  ["The engine", ["Due", "EffectInterrupted", "ClaimRefused", "NoticeHanded"]],
];

const INTRODUCTION = `# The life of an order

Generated from \`actors/order\` by \`bun scripts/lifecycle-doc.ts\`; do not edit.

An order is in one of ${KINDS.length} kinds, and ${COMMAND_TYPES.length} commands can reach it. Every cell of the table has a rule: the types of
\`actors/order/decide.ts\` leave none out, and \`bun run simulate:interleavings\` searches the lives of every type of order: each cell is
entered and does what it says, or says "never happens" and is not.

- \`Due\` is heard only when the deadline that the state names has passed: an alarm for an earlier deadline does nothing.
- \`EffectInterrupted\` is the lost answer of that effect, and runs the rule of that answer: what it asked is asked, never assumed. Only
  the search for a loose activation, and its release, are asked again at once.
- \`Reconciled\` is said only while nobody serves, by the doctor who compared our books with those of node and provider. The search
  leaves it out: after it, cells are possible that no other life leads to.
- \`ClaimRefused\` decides a command again after another order turned out to own what it wanted to claim.
`;

/** The public words of a kind: asked of the code with every fact that decides between them. */
function statusesOf(kind: Kind): string[] {
  const outcomes = ["completed", "refunded", "failed", "expired"] as const;
  const states = kind === "done" ? outcomes.map((as) => ({ kind, as })) : [{ kind }];
  const words = states.flatMap((state) =>
    // `status` reads nothing else of an order.
    [null, 0].map((provenAt) => status({ state, provenAt } as unknown as Order)),
  );
  return [...new Set(words)];
}

const quoted = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(", ");

const isIdle = (does: string): boolean => /^(stays|never happens)\b/.test(does);

/** One sign for a cell: what it does at a glance. */
function sign(does: string): string {
  if (/^never happens\b/.test(does)) return " ";
  if (isIdle(does)) return "·";
  return /^refused\b/.test(does) ? "×" : "●";
}

function overview(): string {
  const rows = SOURCES.flatMap(([, commands]) =>
    commands.map(
      (command) => `| ${command} | ${KINDS.map((kind) => sign(LIFECYCLE[kind][command].does)).join(" | ")} |`,
    ),
  );
  return [
    "## At a glance",
    "",
    "● does something, × refuses, · stays as it is; empty: nothing leads there.",
    "",
    `| | ${KINDS.join(" | ")} |`,
    `|---|${KINDS.map(() => ":-:").join("|")}|`,
    ...rows,
    "",
  ].join("\n");
}

function section(kind: Kind): string {
  const rows = SOURCES.flatMap(([source, commands]) =>
    commands.map((command) => `| ${source} | ${command} | ${cell(LIFECYCLE[kind][command].does)} |`),
  );
  return [
    `## \`${kind}\``,
    "",
    `Shown as ${quoted(statusesOf(kind))}.`,
    "",
    "| from | command | what happens |",
    "|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

/** A pipe would end the cell. */
const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("->", "→");

function page(): string {
  const named = SOURCES.flatMap(([, commands]) => commands);
  const missing = COMMAND_TYPES.filter((command) => !named.includes(command));
  if (missing.length > 0) throw new Error(`Commands without a source: ${missing.join(", ")}`);
  return [INTRODUCTION, overview(), ...KINDS.map(section)].join("\n");
}

const { values } = commandLine(import.meta.path, { check: { type: "boolean", default: false } });
const wanted = page();
if (!values.check) {
  await Bun.write(FILE, wanted);
} else if (
  (await Bun.file(FILE)
    .text()
    .catch(() => "")) !== wanted
) {
  console.error('File "docs/lifecycle.md" is not what the code says: run bun scripts/lifecycle-doc.ts');
  process.exit(1);
}
