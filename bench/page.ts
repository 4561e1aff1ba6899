/**
 * Writes `bench/results.json`, and `docs/performance.md` with its plots, from one run and from the rows that were measured apart. The words
 * about limits are in `limits.md`.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { bars, lines } from "./plot.ts";
import { cells, type Report, type Row } from "./report.ts";

const ROOT = join(import.meta.dir, "..");
const RESULTS = join(ROOT, "bench/results.json");
const PLOTS = "docs/performance";

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

/** Every aim at a glance. */
function aims(rows: readonly Row[]): string {
  const lines = rows.flatMap(({ work, figures }) =>
    figures
      .filter(({ aim }) => aim !== undefined)
      .map((figure) => {
        const [name = "", value = "", , aim = "", verdict = ""] = cells(figure);
        return [work, name, value, aim, verdict];
      }),
  );
  return table(["work", "figure", "measured", "aim", "met"], lines);
}

async function section(row: Row): Promise<string> {
  const { apart } = row;
  const taken = apart
    ? [`Measured apart: ${apart.takenAt}, \`${apart.command}\`, load average ${apart.loadBefore.toFixed(1)}.`]
    : [];
  const parts = [
    `## ${row.work}`,
    ...taken,
    table(["figure", "median or best", "spread", "aim", "met"], row.figures.map(cells)),
  ];
  const write = async (file: string, title: string, content: string) => {
    await Bun.write(join(ROOT, PLOTS, file), content);
    parts.push(`![${title}](performance/${file})`);
  };
  if (row.servers) {
    const rates = row.servers.map(({ name, perSecond: { median, min, max } }) => ({
      name,
      value: median,
      range: [min, max] as const,
    }));
    await write(`${row.id}.svg`, "Requests per second", bars("Requests per second", "/s", rates));
    const title = "Time to an answer by percentile, ms";
    const series = row.servers.map(({ name, p50, p90, p99, p999 }) => ({
      name,
      points: [
        [50, p50],
        [90, p90],
        [99, p99],
        [99.9, p999],
      ] as const,
    }));
    await write(`${row.id}-latency.svg`, title, lines({ file: "", title, x: "percentile", y: "ms", series }));
  }
  if (row.plot) await write(row.plot.file, row.plot.title, lines(row.plot));
  return parts.join("\n\n");
}

/** What was written last. @throws Error when there is nothing */
export async function lastReport(): Promise<Report> {
  return (await Bun.file(RESULTS).json()) as Report;
}

export async function writePage(report: Report): Promise<void> {
  mkdirSync(join(ROOT, PLOTS), { recursive: true });
  await Bun.write(RESULTS, `${JSON.stringify(report, null, 2)}\n`);
  const { machine, takenAt, loadBefore } = report;
  const limits = await Bun.file(join(import.meta.dir, "limits.md")).text();
  const sections: string[] = [];
  for (const row of report.rows) sections.push(await section(row));
  const page = [
    "# Performance",
    "Written by `bun run bench`; the numbers are in `bench/results.json`. Run it to measure your own machine: it takes some minutes.",
    `Taken ${takenAt} with Bun ${machine.bun} on ${machine.cores} cores (${machine.cpu}), ${machine.memoryGb} GB. One-minute load average when it began: ${loadBefore.toFixed(1)}. Above ${machine.cores} other work ran beside it: then rates and times are too bad, ratios and processor time say more.`,
    "## Aims",
    aims(report.rows),
    limits.trim(),
    ...sections,
  ].join("\n\n");
  await Bun.write(join(ROOT, "docs/performance.md"), `${page}\n`);
}
