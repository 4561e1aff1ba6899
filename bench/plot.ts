/** Plots as SVG, drawn here: bars, and lines on a logarithmic or linear x axis. Small, readable in a diff, no library. */
import { number, type Plot } from "./report.ts";

const WIDTH = 720;
const LEFT = 250;
const BAR = 22;
const HEIGHT = 320;
const COLOURS = ["#2463a8", "#8a8a8a", "#b9b9b9", "#c77c3c", "#4f9a5b", "#8b5fa8"] as const;

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
      `<rect x="${LEFT}" y="${y}" width="${scale(value).toFixed(1)}" height="${BAR}" fill="${colour(name.startsWith("l402-numbers") ? 0 : 1)}"/>`,
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

/** Both axes begin at their least value, y at 0; x is logarithmic when it spans more than two powers of ten. */
export function lines({ title, x, y, series }: Plot): string {
  const points = series.flatMap((one) => one.points);
  const xs = points.map(([at]) => at);
  const [least, most] = [Math.min(...xs), Math.max(...xs)];
  const logarithmic = least > 0 && most / least > 99;
  const along = (at: number) =>
    logarithmic ? Math.log(at / least) / Math.log(most / least) : (at - least) / (most - least || 1);
  const top = Math.max(...points.map(([, value]) => value)) || 1;
  const px = (at: number) => (70 + along(at) * (WIDTH - 110)).toFixed(1);
  const py = (value: number) => (HEIGHT - 45 - (value / top) * (HEIGHT - 100)).toFixed(1);
  const marks = [...new Set(xs)].filter((_, index, all) => all.length <= 8 || index % Math.ceil(all.length / 8) === 0);
  return svg(HEIGHT, title, [
    `<line x1="70" y1="${HEIGHT - 45}" x2="${WIDTH - 30}" y2="${HEIGHT - 45}" stroke="#444444"/>`,
    `<line x1="70" y1="50" x2="70" y2="${HEIGHT - 45}" stroke="#444444"/>`,
    ...marks.map((at) => `<text x="${px(at)}" y="${HEIGHT - 28}" text-anchor="middle">${number(at)}</text>`),
    ...[0.25, 0.5, 0.75, 1].map(
      (part) => `<text x="64" y="${Number(py(top * part)) + 4}" text-anchor="end">${number(top * part)}</text>`,
    ),
    `<text x="${WIDTH - 30}" y="${HEIGHT - 10}" text-anchor="end">${escaped(x)}</text>`,
    `<text x="12" y="42">${escaped(y)}</text>`,
    ...series.flatMap(({ name, points: own }, index) => [
      `<polyline fill="none" stroke="${colour(index)}" stroke-width="2" points="${own.map(([at, value]) => `${px(at)},${py(value)}`).join(" ")}"/>`,
      ...own.map(([at, value]) => `<circle cx="${px(at)}" cy="${py(value)}" r="3" fill="${colour(index)}"/>`),
      `<text x="${WIDTH - 30}" y="${42 + index * 16}" text-anchor="end" fill="${colour(index)}">${escaped(name)}</text>`,
    ]),
  ]);
}
