import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SHIPPED_COUNTRIES } from "../../src/catalog/countries.ts";
import { SHIPPED_SERVICES } from "../../src/catalog/services.ts";
import { outcomeOf } from "../support/spawn.ts";

const ROOT = join(import.meta.dir, "../..");

interface Lists {
  countries: { id: number; eng: string }[];
  services: { code: string; name: string }[];
}
const shippedLists = (): Lists => ({
  countries: SHIPPED_COUNTRIES.rows.map(({ id, name }) => ({ id, eng: name })),
  services: SHIPPED_SERVICES.rows.map(({ code, name }) => ({ code, name })),
});

/** What the provider would answer now; `null` breaks every call. */
let lists: Lists | null = shippedLists();
/** A stand-in for the provider's two keyless calls, in the shapes of the live service. */
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    if (!lists) return new Response("<html>Bad gateway</html>", { status: 502 });
    const action = new URL(request.url).searchParams.get("action");
    if (action === "getCountries") {
      const rows = lists.countries.map(({ id, eng }) => ({
        id,
        rus: eng,
        eng,
        chn: eng,
        visible: 1,
        retry: 1,
        rent: 0,
      }));
      return Response.json(Object.fromEntries(rows.map((row) => [row.id, row])));
    }
    if (action === "getServicesList") return Response.json({ status: "success", services: lists.services });
    return Response.json({ title: "BAD_ACTION", details: "Method Not Found" }, { status: 404 });
  },
});
afterAll(() => server.stop(true));

let directory = "";
beforeEach(async () => {
  lists = shippedLists();
  directory = await mkdtemp(join(tmpdir(), "catalog-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function refresh(args: string[], url = `http://127.0.0.1:${server.port}`) {
  const command = [process.execPath, join(ROOT, "scripts/refresh-catalog.ts"), ...args];
  const child = Bun.spawn(command, { env: { ...process.env, HEROSMS_URL: url }, stdout: "pipe", stderr: "pipe" });
  const { out: stdout, err: stderr, code } = await outcomeOf(child);
  return { stdout, stderr, code };
}

const fileOf = (name: string) => readFile(join(directory, name), "utf8");
const shippedFile = (name: string) => readFile(join(ROOT, "data", name), "utf8");

describe("refresh:catalog", () => {
  test("writes both files where there were none, equal to the shipped ones when nothing is new", async () => {
    const { stdout, stderr, code } = await refresh(["--out", directory]);
    expect([stderr, code]).toEqual(["", 0]);
    expect(stdout).toContain("countries: 205 rows, 0 added, 0 renamed, 0 not listed now");
    for (const name of ["countriesList.json", "servicesList.json"])
      expect(await fileOf(name)).toBe(await shippedFile(name));
    expect((await refresh(["--out", directory])).stdout).toContain("servicesList.json is up to date");
    expect((await readdir(directory)).sort()).toEqual(["countriesList.json", "servicesList.json"]);
  });

  test("says what is new and puts it into the files", async () => {
    lists = shippedLists();
    lists.countries = [...lists.countries.filter(({ id }) => id !== 12), { id: 900, eng: "Atlantis" }];
    lists.services = [{ code: "zzz9", name: "Zed " }, ...lists.services];
    const { stdout, code } = await refresh(["--out", directory]);
    expect(code).toBe(0);
    expect(stdout).toContain("  added: 900 Atlantis\n");
    expect(stdout).toContain("  not listed now: 12 USA (virtual)\n");
    expect(stdout).toContain("  added: zzz9 Zed\n");
    expect(await fileOf("countriesList.json")).toEndWith('{"id":900,"iso":null,"name":"Atlantis","aliases":[]}\n]\n');
    expect(await fileOf("servicesList.json")).toStartWith('[\n{"code":"zzz9","name":"Zed"},\n');
  });

  test("writes nothing in a dry run", async () => {
    const { stdout, code } = await refresh(["--dry-run", "--out", directory]);
    expect(code).toBe(0);
    expect(stdout).toContain("countriesList.json would change");
    expect(await readdir(directory)).toEqual([]);
  });

  test("leaves both files alone when one list is broken", async () => {
    await writeFile(join(directory, "countriesList.json"), await shippedFile("countriesList.json"));
    lists = {
      countries: [...shippedLists().countries, { id: 900, eng: "Atlantis" }],
      services: [{ code: "tg", name: "Telegram" }],
    };
    const { stderr, code } = await refresh(["--out", directory]);
    expect(code).toBe(1);
    expect(stderr).toBe(
      "The provider's services look broken: The list has 1 rows, the file 2034; no file was changed\n",
    );
    expect(await fileOf("countriesList.json")).toBe(await shippedFile("countriesList.json"));
    expect(await readdir(directory)).toEqual(["countriesList.json"]);
  });

  test("stops with one line when the provider is broken or away", async () => {
    lists = null;
    const gone = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
    const unused = `http://127.0.0.1:${gone.port}`;
    await gone.stop(true);
    for (const { stderr, code } of [await refresh(["--out", directory]), await refresh(["--out", directory], unused)]) {
      expect(code).toBe(1);
      expect(stderr).toMatch(/^Provider unavailable: [^\n]+; no file was changed\n$/);
    }
    expect(await readdir(directory)).toEqual([]);
  });

  test("stops at a broken file, a missing directory and a wrong argument", async () => {
    await writeFile(join(directory, "servicesList.json"), "[");
    expect(await refresh(["--out", directory])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("is not JSON"),
    });
    expect(await fileOf("servicesList.json")).toBe("[");
    const missing = await refresh(["--out", join(directory, "none")]);
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining("cannot be written: ENOENT") });
    expect(await refresh(["--outt", directory])).toMatchObject({ code: 2 });
  });
});
