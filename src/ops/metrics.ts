/**
 * A small registry of metrics in the Prometheus text format (version 0.0.4). Label values come from closed lists given
 * at registration, so that no caller can grow the number of series: anything else counts as `other`.
 */

export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Label names with every value they can take. */
export type Labels = Readonly<Record<string, readonly string[]>>;
type LabelValues<L extends Labels> = { readonly [Name in keyof L]: L[Name][number] };
/** Nothing for a metric without labels, else one value per label. */
type LabelArguments<L extends Labels> = keyof L extends never ? [] : [labels: LabelValues<L>];

export interface Counter<L extends Labels> {
  inc(...labels: LabelArguments<L>): void;
  /** @throws RangeError when `amount` is negative or not finite: a counter only grows. */
  add(amount: number, ...labels: LabelArguments<L>): void;
  /** One series, looked up once, for what counts at every request. */
  series(...labels: LabelArguments<L>): { inc(): void };
}

export interface Histogram<L extends Labels> {
  observe(value: number, ...labels: LabelArguments<L>): void;
  /** As that of a counter. */
  series(...labels: LabelArguments<L>): { observe(value: number): void };
}

/** More series than this in one metric is a mistake at registration. */
const MAX_SERIES = 1_000;
const OTHER = "other";

/** How often a value fell into each bucket, how often there was one, and their sum. */
interface Distribution {
  readonly counts: number[];
  count: number;
  sum: number;
}

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** Sample lines without the metric's comments. */
  lines(): string[];
}

export class Metrics {
  readonly #metrics = new Map<string, Metric>();

  /**
   * Registers a count that only grows; its name ends in `_total`. Every series exists from the start, at 0.
   * @throws RangeError when the name, a label or the number of series is not allowed, or the name is taken.
   */
  counter<const L extends Labels = Record<never, never>>(name: string, help: string, labels?: L): Counter<L> {
    if (!name.endsWith("_total")) throw new RangeError(`Counter name must end in "_total": "${name}"`);
    const series = new SeriesMap(labels ?? {}, () => ({ count: 0 }));
    series.fill();
    this.#register({
      name,
      help,
      type: "counter",
      lines: () => series.list().map(([text, { count }]) => sample(name, text, count)),
    });
    const add = (amount: number, chosen: Readonly<Record<string, string>> | undefined) => {
      if (!(amount >= 0 && Number.isFinite(amount))) throw new RangeError(`Counter cannot grow by ${amount}`);
      series.get(chosen).count += amount;
    };
    return {
      inc: (...[chosen]) => add(1, chosen),
      add: (amount, ...[chosen]) => add(amount, chosen),
      series(...[chosen]) {
        const one = series.get(chosen);
        return { inc: () => void one.count++ };
      },
    };
  }

  /**
   * Registers a value that is read when the metrics are; one that throws or is null is left out of that reading.
   * @throws RangeError as `counter`.
   */
  gauge(name: string, help: string, collect: () => number | null): void {
    this.#register({ name, help, type: "gauge", lines: () => gaugeLine(name, "", attempt(collect)) });
  }

  /**
   * Registers a gauge with one label: `collect` gives a value for each of `values`; a missing one is left out.
   * @throws RangeError as `counter`.
   */
  gaugeBy<const V extends string>(
    name: string,
    help: string,
    label: string,
    values: readonly V[],
    collect: () => Readonly<Partial<Record<V, number>>>,
  ): void {
    checkLabels({ [label]: values });
    const lines = () => {
      const read = attempt(collect);
      return values.flatMap((value) => gaugeLine(name, `${label}="${escapeValue(value)}"`, read?.[value] ?? null));
    };
    this.#register({ name, help, type: "gauge", lines });
  }

  /**
   * Registers a distribution over fixed buckets (upper bounds, ascending; `+Inf` is added).
   * @throws RangeError as `counter`, or when the bounds do not ascend.
   */
  histogram<const L extends Labels = Record<never, never>>(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: L,
  ): Histogram<L> {
    checkBuckets(buckets);
    const series = new SeriesMap(
      labels ?? {},
      (): Distribution => ({ counts: buckets.map(() => 0), count: 0, sum: 0 }),
    );
    if (!labels) series.fill();
    if ("le" in (labels ?? {})) throw new RangeError('Label "le" belongs to the histogram');
    const lines = () =>
      series.list().flatMap(([text, { counts, count, sum }]) => {
        let below = 0;
        const bounded = buckets.map((bound, index) => {
          below += counts[index] ?? 0;
          return sample(`${name}_bucket`, join(text, `le="${number(bound)}"`), below);
        });
        const total = sample(`${name}_bucket`, join(text, 'le="+Inf"'), count);
        return [...bounded, total, sample(`${name}_sum`, text, sum), sample(`${name}_count`, text, count)];
      });
    this.#register({ name, help, type: "histogram", lines });
    const observe = (distribution: Distribution, value: number) => {
      // NaN would poison the sum for good.
      if (!Number.isFinite(value)) return;
      const index = buckets.findIndex((bound) => value <= bound);
      if (index >= 0) distribution.counts[index] = (distribution.counts[index] ?? 0) + 1;
      distribution.count++;
      distribution.sum += value;
    };
    return {
      observe: (value, ...[chosen]) => observe(series.get(chosen), value),
      series(...[chosen]) {
        const one = series.get(chosen);
        return { observe: (value) => observe(one, value) };
      },
    };
  }

  /** All metrics in the text format, in order of registration. */
  render(): string {
    const blocks = [...this.#metrics.values()].map(({ name, help, type, lines }) =>
      [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...lines()].map((line) => `${line}\n`).join(""),
    );
    return blocks.join("");
  }

  #register(metric: Metric): void {
    if (!/^[a-zA-Z_:][a-zA-Z0-9_:]{0,127}$/.test(metric.name))
      throw new RangeError(`Bad metric name: "${metric.name}"`);
    if (this.#metrics.has(metric.name)) throw new RangeError(`Metric "${metric.name}" is registered twice`);
    this.#metrics.set(metric.name, metric);
  }
}

/** The series of one metric, by their label text. At most the product of the closed lists. */
class SeriesMap<S> {
  readonly #labels: Labels;
  readonly #make: () => S;
  readonly #values: readonly (readonly [string, ReadonlySet<string>])[];
  readonly #series = new Map<string, S>();

  constructor(labels: Labels, make: () => S) {
    checkLabels(labels);
    this.#labels = labels;
    this.#values = Object.entries(labels).map(([name, values]) => [name, new Set(values)] as const);
    this.#make = make;
  }

  get(chosen: Readonly<Record<string, string>> = {}): S {
    const text = this.#values
      .map(([name, values]) => {
        const value = chosen[name];
        return `${name}="${escapeValue(value !== undefined && values.has(value) ? value : OTHER)}"`;
      })
      .join(",");
    const known = this.#series.get(text);
    if (known) return known;
    const made = this.#make();
    this.#series.set(text, made);
    return made;
  }

  /** Makes every series of the closed lists. */
  fill(): void {
    let combinations: Record<string, string>[] = [{}];
    for (const [name, values] of Object.entries(this.#labels)) {
      combinations = combinations.flatMap((chosen) => values.map((value) => ({ ...chosen, [name]: value })));
    }
    for (const chosen of combinations) this.get(chosen);
  }

  list(): [string, S][] {
    return [...this.#series];
  }
}

function checkLabels(labels: Labels): void {
  let series = 1;
  for (const [name, values] of Object.entries(labels)) {
    if (!/^[a-zA-Z][a-zA-Z0-9_]{0,63}$/.test(name)) throw new RangeError(`Bad label name: "${name}"`);
    if (values.length === 0) throw new RangeError(`Label "${name}" has no values`);
    series *= values.length + 1;
  }
  if (series > MAX_SERIES) throw new RangeError(`Labels make more than ${MAX_SERIES} series`);
}

function checkBuckets(buckets: readonly number[]): void {
  const ascend = buckets.every((bound, index) => Number.isFinite(bound) && bound > (buckets[index - 1] ?? -Infinity));
  if (!ascend || buckets.length === 0 || buckets.length > 50) throw new RangeError("Buckets must ascend");
}

function attempt<T>(collect: () => T): T | null {
  try {
    return collect();
  } catch {
    // One broken gauge must not hide all other metrics.
    return null;
  }
}

function gaugeLine(name: string, labels: string, value: number | null): string[] {
  return value === null ? [] : [sample(name, labels, value)];
}

function sample(name: string, labels: string, value: number): string {
  return labels === "" ? `${name} ${number(value)}` : `${name}{${labels}} ${number(value)}`;
}

const join = (labels: string, more: string): string => (labels === "" ? more : `${labels},${more}`);

/** As Go's ParseFloat reads it. */
function number(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return value === Infinity ? "+Inf" : value === -Infinity ? "-Inf" : String(value);
}

const escapeHelp = (text: string): string => text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
const escapeValue = (text: string): string => escapeHelp(text).replace(/"/g, '\\"');
