/** Imports point one way (docs/architecture.md, "Where to find what"), and no file grows past what one sitting reads. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

const ROOT = join(import.meta.dir, "..");

interface Source {
  /** From the root of the repository, e.g. "src/api/app.ts". */
  readonly path: string;
  /** Lines of code: neither blank nor comment. */
  readonly lines: number;
  /** Files of the repository by their path, packages by their name. */
  readonly imports: readonly string[];
}

/** Static, dynamic, re-exported, type-only and side-effect imports alike. */
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"'\n]+)["']/g;

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");

function read(path: string): Source {
  const code = withoutComments(readFileSync(join(ROOT, path), "utf8"));
  const imports = [...code.matchAll(IMPORT)].map(([, name = ""]) =>
    name.startsWith(".") ? relative(ROOT, join(ROOT, path, "..", name)) : name,
  );
  return { path, lines: code.split("\n").filter((line) => line.trim() !== "").length, imports };
}

const sources: readonly Source[] = ["actors", "src"].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => read(join(folder, name))),
);

/** "importer imports what" for every import of files under `from` that is not allowed. */
function offences(from: string, allowed: (imported: string, importer: string) => boolean): string[] {
  const files = sources.filter(({ path }) => path.startsWith(from));
  // A rule about nothing would hold for ever.
  expect(files.length).toBeGreaterThan(0);
  return files.flatMap(({ path, imports }) =>
    imports.filter((imported) => !allowed(imported, path)).map((imported) => `${path} imports ${imported}`),
  );
}

const isPackage = (imported: string): boolean => !/^(actors|src|data|test|scripts|package\.json)\b/.test(imported);

test("the reader of imports sees every way to import", () => {
  const text = `import a from "./a.ts"; import type { B } from './b.ts'; export * from "./c.ts"; import "./d.ts"; await import("./e.ts");`;
  expect([...text.matchAll(IMPORT)].map(([, name]) => name)).toEqual([
    "./a.ts",
    "./b.ts",
    "./c.ts",
    "./d.ts",
    "./e.ts",
  ]);
  expect(read("actors/runtime/journal.ts").imports).toContain("actors/order/state.ts");
  expect(read("actors/runtime/journal.ts").imports).toContain("bun:sqlite");
});

test("what an order is imports nothing but itself", () => {
  expect(offences("actors/order/", (imported) => imported.startsWith("actors/order/"))).toEqual([]);
});

test("what keeps it alive imports only actors, SQLite and a packer", () => {
  const known = (imported: string) => ["bun:sqlite", "msgpackr/pack"].includes(imported);
  expect(offences("actors/runtime/", (imported) => imported.startsWith("actors/") || known(imported))).toEqual([]);
});

test("nothing in actors knows the application", () => {
  expect(offences("actors/", (imported) => !imported.startsWith("src/"))).toEqual([]);
});

/** The files beside the folders put everything together, and may know everything but the sandbox. */
const assembles = (path: string): boolean => /^src\/[^/]+\.ts$/.test(path);

test("only HTTP, and what puts the service together, knows HTTP", () => {
  const http = (imported: string) => /^(src\/api\/|elysia$|@elysiajs\/)/.test(imported);
  const mayKnow = (importer: string) => importer.startsWith("src/api/") || assembles(importer);
  expect(offences("src/", (imported, importer) => !http(imported) || mayKnow(importer))).toEqual([]);
});

test("HTTP talks to the application, never to the engine or to a peer", () => {
  const engine = (imported: string) => imported.startsWith("actors/runtime/") && imported !== "actors/runtime/world.ts";
  const peer = (imported: string) => /^src\/(lightning|provider|effects|pricing|notices)\//.test(imported);
  const decides = (imported: string) => /^actors\/order\/(decide|moves|evolve|lifecycle)/.test(imported);
  expect(offences("src/api/", (imported) => !engine(imported) && !peer(imported) && !decides(imported))).toEqual([]);
});

test("an effect calls ports, never a vendor, HTTP or the application", () => {
  const vendor = /^src\/(lightning\/(lnd|cln|phoenixd|nwc)|provider\/herosms|notices\/nostr|pricing\/)/;
  const above = /^src\/(api|orders|ops|catalog|l402)\//;
  expect(offences("src/effects/", (imported) => !vendor.test(imported) && !above.test(imported))).toEqual([]);
});

test.each([
  ["lightning", "lnd"],
  ["lightning", "cln"],
  ["lightning", "phoenixd"],
  ["lightning", "nwc"],
  ["provider", "herosms"],
])("only what puts the service together knows which kind of %s it is", (port, vendor) => {
  const ofVendor = (path: string) => path.startsWith(`src/${port}/${vendor}/`) || path === `src/${port}/${vendor}.ts`;
  expect(
    offences("src/", (imported, importer) => !ofVendor(imported) || ofVendor(importer) || assembles(importer)),
  ).toEqual([]);
});

test("only the entry imports the sandbox", () => {
  const inside = (path: string) => path.startsWith("src/sandbox/");
  expect(
    offences("src/", (imported, importer) => !inside(imported) || inside(importer) || importer === "src/main.ts"),
  ).toEqual([]);
});

test("the sandbox is a peer: of the service it knows only the wire, faults apart", () => {
  const foreign = /^src\/(api|orders|effects|l402|ops|catalog|pricing|notices|provider)\//;
  expect(offences("src/sandbox/", (imported) => !foreign.test(imported))).toEqual([]);
});

test("only the world and the ends of the process touch the machine", () => {
  const machine = /^(node:)?(fs|net|http|https|child_process|timers|worker_threads|dns)\b/;
  expect(offences("actors/", (imported) => !machine.test(imported))).toEqual([]);
  expect(offences("src/orders/", (imported) => !machine.test(imported))).toEqual([]);
  expect(offences("src/effects/", (imported) => !machine.test(imported))).toEqual([]);
});

test("the shipped files import no test and no script", () => {
  expect(offences("src/", (imported) => isPackage(imported) || !/^(test|scripts)\//.test(imported))).toEqual([]);
});

const MAX_LINES = 260;
/** Files that are longer for a reason. */
const LONGER: Readonly<Record<string, number>> = {
  // One line for each part and one for each thread between two parts.
  "src/assembly.ts": 335,
  // One entry for each setting, with its limits and its error message.
  "src/config.ts": 520,
};

test("no file is longer than 260 lines, but for a short list with a reason", () => {
  const long = sources
    .filter(({ path, lines }) => lines > (LONGER[path] ?? MAX_LINES))
    .map(({ path, lines }) => `${path}: ${lines}`);
  expect(long).toEqual([]);
  expect(Object.keys(LONGER).length).toBeLessThan(6);
  // An exception that is no longer needed goes.
  const idle = Object.keys(LONGER).filter(
    (path) => (sources.find((source) => source.path === path)?.lines ?? 0) <= MAX_LINES,
  );
  expect(idle).toEqual([]);
});
