import { expect, test } from "bun:test";
import { Metrics } from "../../src/ops/metrics.ts";

test("renders counters, gauges and histograms in the text format, byte for byte", () => {
  const metrics = new Metrics();
  const orders = metrics.counter("orders_total", "Orders opened", { type: ["sms", "rent"], result: ["ok", "refused"] });
  const sweeps = metrics.counter("sweeps_total", "Sweeps");
  metrics.gauge("residents", "Actors in memory", () => 42);
  metrics.gaugeBy("orders", "Orders by status", "status", ["paid", "done", "failed"], () => ({ paid: 2, done: 0 }));
  const latency = metrics.histogram("commit_seconds", "Commit time", [0.25, 1], { kind: ["group"] });
  orders.inc({ type: "sms", result: "ok" });
  orders.add(2.5, { type: "sms", result: "ok" });
  sweeps.inc();
  for (const value of [0.125, 0.25, 0.5, 8]) latency.observe(value, { kind: "group" });
  expect(metrics.render()).toBe(`# HELP orders_total Orders opened
# TYPE orders_total counter
orders_total{type="sms",result="ok"} 3.5
orders_total{type="sms",result="refused"} 0
orders_total{type="rent",result="ok"} 0
orders_total{type="rent",result="refused"} 0
# HELP sweeps_total Sweeps
# TYPE sweeps_total counter
sweeps_total 1
# HELP residents Actors in memory
# TYPE residents gauge
residents 42
# HELP orders Orders by status
# TYPE orders gauge
orders{status="paid"} 2
orders{status="done"} 0
# HELP commit_seconds Commit time
# TYPE commit_seconds histogram
commit_seconds_bucket{kind="group",le="0.25"} 2
commit_seconds_bucket{kind="group",le="1"} 3
commit_seconds_bucket{kind="group",le="+Inf"} 4
commit_seconds_sum{kind="group"} 8.875
commit_seconds_count{kind="group"} 4
`);
});

test("a histogram without labels is there before its first observation, and ignores what is no number", () => {
  const metrics = new Metrics();
  const size = metrics.histogram("size", "Size", [1]);
  size.observe(Number.NaN);
  size.observe(Number.POSITIVE_INFINITY);
  expect(metrics.render()).toContain('size_bucket{le="1"} 0\nsize_bucket{le="+Inf"} 0\nsize_sum 0\nsize_count 0\n');
});

test("help texts and label values are escaped", () => {
  const metrics = new Metrics();
  metrics.counter("odd_total", "Back\\slash and\nbreak", { path: ['a"b\\c\nd'] });
  expect(metrics.render()).toBe(
    '# HELP odd_total Back\\\\slash and\\nbreak\n# TYPE odd_total counter\nodd_total{path="a\\"b\\\\c\\nd"} 0\n',
  );
});

test("a label value outside its closed list counts as other, so that nobody can grow the number of series", () => {
  const metrics = new Metrics();
  const hits = metrics.counter("hits_total", "Hits", { route: ["/a"] });
  for (let visitor = 0; visitor < 1_000; visitor++) hits.inc({ route: `/${visitor}` as "/a" });
  expect(metrics.render()).toBe(
    '# HELP hits_total Hits\n# TYPE hits_total counter\nhits_total{route="/a"} 0\nhits_total{route="other"} 1000\n',
  );
});

test("special values read as Go's parser expects them", () => {
  const metrics = new Metrics();
  metrics.gauge("up", "x", () => Number.POSITIVE_INFINITY);
  metrics.gauge("down", "x", () => Number.NEGATIVE_INFINITY);
  metrics.gauge("none", "x", () => Number.NaN);
  metrics.gauge("large", "x", () => 1e21);
  expect(metrics.render().match(/^\w+ \S+$/gm)).toEqual(["up +Inf", "down -Inf", "none NaN", "large 1e+21"]);
});

test("a gauge that throws or has nothing to say is left out, and the others stay", () => {
  const metrics = new Metrics();
  metrics.gauge("broken", "x", () => {
    throw new Error("closed");
  });
  metrics.gauge("unknown", "x", () => null);
  metrics.gaugeBy("broken_by", "x", "kind", ["a"], () => {
    throw new Error("closed");
  });
  metrics.gauge("fine", "x", () => 1);
  expect(metrics.render().match(/^[^#].*$/gm)).toEqual(["fine 1"]);
});

test("a counter only grows", () => {
  const hits = new Metrics().counter("hits_total", "Hits");
  for (const amount of [-1, Number.NaN, Number.POSITIVE_INFINITY]) expect(() => hits.add(amount)).toThrow(RangeError);
});

test("mistakes at registration are refused", () => {
  const metrics = new Metrics();
  metrics.counter("taken_total", "x");
  const many = Array.from({ length: 40 }, (_, index) => `v${index}`);
  const mistakes = [
    () => metrics.counter("taken_total", "x"),
    () => metrics.counter("hits", "x"),
    () => metrics.gauge("9lives", "x", () => 1),
    () => metrics.gauge("with-dash", "x", () => 1),
    () => metrics.gauge("", "x", () => 1),
    () => metrics.counter("a_total", "x", { "bad-label": ["a"] }),
    () => metrics.counter("b_total", "x", { __reserved: ["a"] }),
    () => metrics.counter("c_total", "x", { empty: [] }),
    () => metrics.counter("d_total", "x", { a: many, b: many }),
    () => metrics.histogram("e", "x", []),
    () => metrics.histogram("f", "x", [1, 1]),
    () => metrics.histogram("g", "x", [2, 1]),
    () => metrics.histogram("h", "x", [1, Number.POSITIVE_INFINITY]),
    () => metrics.histogram("i", "x", [1], { le: ["a"] }),
  ];
  for (const mistake of mistakes) expect(mistake).toThrow(RangeError);
  expect(metrics.render()).toBe("# HELP taken_total x\n# TYPE taken_total counter\ntaken_total 0\n");
});
