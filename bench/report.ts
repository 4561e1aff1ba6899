/** What a run found: figures against their aims, and the servers behind them. */
import type { Measured } from "./rounds.ts";
import type { Spread } from "./statistics.ts";

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Absent when nothing is promised: the figure explains another one. */
  readonly aim?: { readonly atLeast: number } | { readonly atMost: number };
  /** Smallest and largest of the rounds. */
  readonly range?: readonly [number, number];
}

/** Points of one line of a plot. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [number, number])[];
}

export interface Plot {
  readonly file: string;
  readonly title: string;
  readonly x: string;
  readonly y: string;
  /** Never logarithmic along x, however far it reaches: time. */
  readonly linear?: boolean;
  readonly series: readonly Series[];
}

export interface Row {
  readonly id: string;
  readonly work: string;
  readonly figures: readonly Figure[];
  readonly servers?: readonly Measured[];
  readonly plot?: Plot;
  /** Of a row that was measured on its own. */
  readonly apart?: { readonly takenAt: string; readonly command: string; readonly loadBefore: number };
}

export interface Report {
  readonly takenAt: string;
  readonly quick: boolean;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memoryGb: number; readonly bun: string };
  /** One-minute load average when it began: above the number of cores, something else was running. */
  readonly loadBefore: number;
  readonly rows: readonly Row[];
}

export const met = ({ value, aim }: Figure): boolean | null =>
  aim === undefined ? null : "atLeast" in aim ? value >= aim.atLeast : value <= aim.atMost;

const ranged = (name: string, { median, min, max }: Spread, unit: string): Figure => ({
  name,
  value: median,
  unit,
  range: [min, max],
});

/**
 * Rate and processor time of the first server against each other one. Servers of one thread with the same load differ in rate as they
 * differ in processor time; the second is less moved by what else the machine does.
 */
export function ratios(servers: readonly Measured[], aims: Readonly<Record<string, number>>): Figure[] {
  const [own, ...others] = servers;
  if (!own) return [];
  return [
    ranged("rate", own.perSecond, "/s"),
    ranged("processor time a request", own.cpuMicros, "us"),
    ...others.flatMap(({ name, perSecond, cpuMicros }): Figure[] => {
      const atLeast = aims[name];
      return [
        {
          name: `rate / ${name}`,
          value: own.perSecond.median / perSecond.median,
          unit: "",
          ...(atLeast !== undefined && { aim: { atLeast } }),
        },
        { name: `${name}'s processor time / ours`, value: cpuMicros.median / own.cpuMicros.median, unit: "" },
      ];
    }),
  ];
}

export const number = (value: number): string => {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
};

const aimText = (aim: Figure["aim"]): string =>
  aim === undefined ? "" : "atLeast" in aim ? `>= ${number(aim.atLeast)}` : `<= ${number(aim.atMost)}`;

/** Columns of the table, on the terminal and on the page. */
export function cells(figure: Figure): string[] {
  const { name, value, unit, range, aim } = figure;
  const verdict = met(figure);
  return [
    name,
    `${number(value)} ${unit}`.trim(),
    range ? `${number(range[0])} to ${number(range[1])}` : "",
    aimText(aim),
    verdict === null ? "" : verdict ? "yes" : "no",
  ];
}

export function print(row: Row): void {
  console.log(row.work);
  for (const figure of row.figures) {
    const [name = "", value = "", range = "", aim = "", verdict = ""] = cells(figure);
    console.log(`  ${name.padEnd(46)} ${value.padStart(14)}  ${range.padEnd(20)} ${aim.padEnd(10)} ${verdict}`);
  }
}
