/** Plots as SVG, drawn here: bars, and lines on a logarithmic or linear x axis. Small, readable in a diff, no library. */
import { number, type Plot } from "./report.ts";

const WIDTH = 720;
const LEFT = 270;
const BAR = 22;
/** More points than this are a line without dots. */
const MOST_DOTS = 40;
const COLOURS = ["#2463a8", "#c77c3c", "#4f9a5b", "#8b5fa8", "#6b6b6b", "#b9a23c"] as const;

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (char) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[char] ?? char);

const colour = (index: number): string => COLOURS[index % COLOURS.length] ?? COLOURS[0];

const svg = (height: number, title: string, inside: readonly string[]): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="12" y="22" font-size="15" font-weight="bold">${escaped(title)}</text>`,
    ...inside,
    "</svg>",
    "",
  ].join("\n");

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** Smallest and largest of the rounds, drawn as a whisker. */
  readonly range?: readonly [number, number];
}

export function bars(title: string, unit: string, values: readonly Bar[]): string {
  const most = Math.max(...values.map(({ value, range }) => range?.[1] ?? value));
  const scale = (value: number) => (value / most) * (WIDTH - LEFT - 110);
  const inside = values.flatMap(({ name, value, range }, index) => {
    const y = 40 + index * (BAR + 8);
    const middle = y + BAR / 2;
    const end = LEFT + Math.max(scale(value), scale(range?.[1] ?? 0));
    return [
      `<text x="${LEFT - 8}" y="${middle + 4}" text-anchor="end">${escaped(name)}</text>`,
      `<rect x="${LEFT}" y="${y}" width="${scale(value).toFixed(1)}" height="${BAR}" fill="${name.startsWith("l402-numbers") ? colour(0) : "#8a8a8a"}"/>`,
      ...(range
        ? [
            `<line x1="${(LEFT + scale(range[0])).toFixed(1)}" y1="${middle}" x2="${(LEFT + scale(range[1])).toFixed(1)}" y2="${middle}" stroke="#000000"/>`,
          ]
        : []),
      `<text x="${(end + 6).toFixed(1)}" y="${middle + 4}">${number(value)} ${escaped(unit)}</text>`,
    ];
  });
  return svg(50 + values.length * (BAR + 8), title, inside);
}

interface Axis {
  /** Position of a value, 0 to 1. */
  readonly at: (value: number) => number;
  readonly marks: readonly number[];
}

const STEPS = [1, 2, 5, 10] as const;
const MARKS = 5;
const PERCENTILE = "percentile";

/** Round values from `least` to at least `most`, evenly apart. */
function even(least: number, most: number): Axis {
  const rough = (most - least) / MARKS || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (STEPS.find((one) => one * power >= rough) ?? 1);
  const first = Math.ceil(least / step);
  const marks = Array.from({ length: Math.floor(most / step) - first + 1 }, (_, n) => (first + n) * step);
  return { at: (value) => (value - least) / (most - least || 1), marks };
}

/** As far from each value to its double, wherever it stands; marked at 1, 2 and 5 of each power of ten, or at powers alone. */
function doubling(least: number, most: number): Axis {
  const powers = Array.from({ length: Math.ceil(Math.log10(most)) - Math.floor(Math.log10(least)) + 1 }, (_, n) => {
    return 10 ** (Math.floor(Math.log10(least)) + n);
  });
  const all = powers.flatMap((power) => (powers.length > 4 ? [power] : [power, 2 * power, 5 * power]));
  const from = all.findLast((mark) => mark <= least) ?? least;
  const to = all.find((mark) => mark >= most) ?? most;
  const at = (value: number) => Math.log(value / from) / Math.log(to / from || 1);
  return { at, marks: all.filter((mark) => mark >= from && mark <= to) };
}

/** Of percentiles, as far from 90 to 99 as from 99 to 99.9: what is rare is what they are drawn for. */
function nines(percentiles: readonly number[]): Axis {
  const depth = (percentile: number) => -Math.log10(1 - percentile / 100);
  const [least, most] = [depth(Math.min(...percentiles)), depth(Math.max(...percentiles))];
  return { at: (value) => (depth(value) - least) / (most - least || 1), marks: percentiles };
}

function xAxis(xs: readonly number[], { x, linear = false }: Plot): Axis {
  const [least, most] = [Math.min(...xs), Math.max(...xs)];
  if (x === PERCENTILE) return nines(xs);
  if (linear || least <= 0 || most / least <= 99) return even(least, most);
  return { at: (value) => Math.log(value / least) / Math.log(most / least), marks: xs };
}

/**
 * Lines over percentiles, which are times and drawn with a logarithmic y axis; else from 0. x is logarithmic when it spans more than two powers
 * of ten, unless it is to be linear.
 */
export function lines(plot: Plot): string {
  const { title, x, y, series } = plot;
  const xs = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b);
  const values = series.flatMap(({ points }) => points.map(([, value]) => value));
  const isPercentile = x === PERCENTILE;
  const across = xAxis(xs, plot);
  const most = Math.max(...values) || 1;
  const up = isPercentile && Math.min(...values) > 0 ? doubling(Math.min(...values), most) : even(0, most);
  const top = 66 + series.length * 16;
  const bottom = top + 220;
  const px = (at: number) => (70 + across.at(at) * (WIDTH - 110)).toFixed(1);
  const py = (value: number) => (bottom - up.at(value) * (bottom - top)).toFixed(1);
  return svg(bottom + 45, title, [
    `<text x="12" y="${top - 12}">${escaped(y)}</text>`,
    ...up.marks.flatMap((mark) => [
      `<line x1="70" y1="${py(mark)}" x2="${WIDTH - 40}" y2="${py(mark)}" stroke="#e4e4e4"/>`,
      `<text x="62" y="${Number(py(mark)) + 4}" text-anchor="end">${number(mark)}</text>`,
    ]),
    `<line x1="70" y1="${bottom}" x2="${WIDTH - 40}" y2="${bottom}" stroke="#444444"/>`,
    `<line x1="70" y1="${top}" x2="70" y2="${bottom}" stroke="#444444"/>`,
    ...across.marks.map((at) => `<text x="${px(at)}" y="${bottom + 17}" text-anchor="middle">${number(at)}</text>`),
    `<text x="${WIDTH - 40}" y="${bottom + 35}" text-anchor="end">${escaped(x)}</text>`,
    ...series.flatMap(({ name, points }, index) => [
      `<line x1="70" y1="${38 + index * 16}" x2="94" y2="${38 + index * 16}" stroke="${colour(index)}" stroke-width="3"/>`,
      `<text x="102" y="${42 + index * 16}">${escaped(name)}</text>`,
      `<polyline fill="none" stroke="${colour(index)}" stroke-width="2" points="${points.map(([at, value]) => `${px(at)},${py(value)}`).join(" ")}"/>`,
      ...(points.length > MOST_DOTS ? [] : points).map(
        ([at, value]) => `<circle cx="${px(at)}" cy="${py(value)}" r="3" fill="${colour(index)}"/>`,
      ),
    ]),
  ]);
}
