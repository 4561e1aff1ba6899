/** The files that only an engine elsewhere will run: read the way that engine reads them. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { createRequire } from "node:module";
import { join } from "node:path";
import { migrate } from "../actors/runtime/schema.ts";
import { systemOf } from "../scripts/build.ts";
import { SETTINGS } from "../src/config.ts";
import { DEFAULT_RETENTION } from "../src/orders/retention.ts";

const ROOT = join(import.meta.dir, "..");
const read = (path: string): Promise<string> => Bun.file(join(ROOT, path)).text();
const settingNames: ReadonlySet<string> = new Set(SETTINGS.map(({ name }) => name));

interface Stage {
  readonly from: string;
  readonly name: string | null;
  readonly steps: { readonly word: string; readonly rest: string }[];
}

/** Instructions by stage, continuation lines joined, comments left out (Dockerfile reference, "Format"). */
async function stages(): Promise<Stage[]> {
  const lines = (await read("Dockerfile")).replace(/^\s*#.*\n/gm, "").replace(/\\\n\s*/g, " ");
  const found: Stage[] = [];
  for (const line of lines.split("\n").filter((line) => line.trim() !== "")) {
    const [, word = "", rest = ""] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (word === "FROM") {
      const [from = "", , name = null] = rest.split(/\s+/);
      found.push({ from, name, steps: [] });
    } else {
      found.at(-1)?.steps.push({ word, rest });
    }
  }
  return found;
}

const all = (stage: Stage | undefined, word: string): string[] =>
  (stage?.steps ?? []).filter((step) => step.word === word).map(({ rest }) => rest);

describe("the container image", () => {
  test("is built in one stage and runs in another that holds nothing but the executable and a place for data", async () => {
    const [build, run, ...more] = await stages();
    expect(more).toEqual([]);
    const { dependencies } = JSON.parse(await read("package.json")) as { dependencies: Record<string, string> };
    expect(build?.from).toBe(`oven/bun:${dependencies.bun}-slim`);
    expect(run?.from).toBe("gcr.io/distroless/cc-debian12:nonroot");
    expect(all(run, "COPY").map((rest) => rest.split(" ").slice(-2).join(" "))).toEqual([
      "/build/dist/l402-numbers /l402-numbers",
      "/empty /data",
    ]);
    expect(all(run, "COPY").every((rest) => rest.startsWith(`--from=${build?.name} `))).toBe(true);
    // There is no shell in it.
    expect(all(run, "RUN")).toEqual([]);
  });

  test("has the C++ library that libsecp256k1's addon asks the loader for: `base` has glibc alone", async () => {
    const addon = await read("node_modules/secp256k1/prebuilds/linux-x64/secp256k1.glibc.node");
    expect(["libstdc++.so.6", "libgcc_s.so.1"].filter((name) => addon.includes(`\0${name}\0`))).toHaveLength(2);
    const [, run] = await stages();
    expect(run?.from).toStartWith("gcr.io/distroless/cc-");
  });

  test("installs what the lock file says, before the sources come in, and builds by the project's own script", async () => {
    const [build] = await stages();
    const steps = (build?.steps ?? []).map(({ word, rest }) => `${word} ${rest}`);
    const at = (text: string) => steps.findIndex((step) => step.includes(text));
    expect(at("bun install --frozen-lockfile")).toBeGreaterThan(at("COPY package.json bun.lock"));
    expect(at("COPY src")).toBeGreaterThan(at("bun install"));
    expect(at("bun scripts/build.ts")).toBeGreaterThan(at("COPY src"));
    const { scripts } = JSON.parse(await read("package.json")) as { scripts: Record<string, string> };
    expect(scripts.build).toEndWith("bun scripts/build.ts");
  });

  test("is given everything that the build reads, and nothing that is secret", async () => {
    const [build] = await stages();
    const copied = all(build, "COPY").flatMap((rest) => rest.split(" ").slice(0, -1));
    const ignore = (await read(".dockerignore")).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    expect(ignore[0]).toBe("*");
    const allowed = ignore.slice(1).map((line) => line.replace(/^!/, ""));
    expect(ignore.slice(1).every((line) => line.startsWith("!"))).toBe(true);
    expect(copied.toSorted()).toEqual(allowed.toSorted());
    for (const path of allowed)
      expect([path, await Bun.file(join(ROOT, path)).stat().then(Boolean)]).toEqual([path, true]);
    // What is imported must be among them.
    for await (const path of new Bun.Glob("{src,actors}/**/*.ts").scan(ROOT)) {
      for (const [, target = ""] of (await read(path)).matchAll(/from "(\.[^"]+)"/g)) {
        const imported = join(path, "..", target);
        const isThere = allowed.some((root) => imported === root || imported.startsWith(`${root}/`));
        expect([path, imported, isThere]).toEqual([path, imported, true]);
      }
    }
  });

  test("runs as nobody, keeps its data in a volume of that user, and refuses the sandbox", async () => {
    const [, run] = await stages();
    const [user = ""] = all(run, "USER");
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(all(run, "COPY")[1]).toContain(`--chown=${user} --chmod=0700`);
    expect(all(run, "VOLUME")).toEqual(['["/data"]']);
    const env = Object.fromEntries(
      all(run, "ENV").flatMap((rest) =>
        rest
          .trim()
          .split(/\s+/)
          .map((pair) => pair.split("=") as [string, string]),
      ),
    );
    expect(env).toEqual({ HOST: "0.0.0.0", PORT: "3000", DATA_DIR: "/data", LOG_FORMAT: "json", REFUSE_SANDBOX: "1" });
    expect(all(run, "EXPOSE")).toEqual(["3000"]);
    expect(all(run, "STOPSIGNAL")).toEqual(["SIGTERM"]);
  });

  test("asks itself whether it is healthy, without a shell, and for longer than the check may take", async () => {
    const [, run] = await stages();
    const [check = ""] = all(run, "HEALTHCHECK");
    expect(JSON.parse(/CMD (\[.*\])$/.exec(check)?.[1] ?? "null")).toEqual(["/l402-numbers", "healthcheck"]);
    expect(Number(/--timeout=(\d+)s/.exec(check)?.[1])).toBeGreaterThan(4);
    expect(all(run, "ENTRYPOINT")).toEqual(['["/l402-numbers"]']);
  });

  test("has no setting that is a secret, in any stage", async () => {
    const secret = SETTINGS.filter((setting) => "secret" in setting).map(({ name }) => name);
    const text = (await stages()).flatMap(({ steps }) => steps.map(({ rest }) => rest)).join("\n");
    expect(secret.filter((name) => text.includes(name))).toEqual([]);
  });
});

test.each([
  ["bun-linux-x64", "linux-x64"],
  ["bun-linux-x64-baseline", "linux-x64"],
  ["bun-linux-baseline-x64", "linux-x64"],
  ["bun-linux-amd64-modern", "linux-x64"],
  ["bun-linux-x64-v1.4.4", "linux-x64"],
  ["bun-v1.4.4-linux-x64", "linux-x64"],
  ["bun-x64-linux", "linux-x64"],
  ["bun-linux", "linux-x64"],
  ["", `${process.platform}-${process.arch}`],
  ["bun-baseline", `${process.platform}-${process.arch}`],
  ["bun-linux-x64-musl-baseline", "linux-x64-musl"],
  ["bun-linux-x64-baseline-musl", "linux-x64-musl"],
  ["bun-musl-linux-x64", "linux-x64-musl"],
  ["bun-darwin-arm64", "darwin-arm64"],
  ["bun-darwin-aarch64", "darwin-arm64"],
  ["bun-macOS-arm64", "darwin-arm64"],
  ["bun-darwin", "darwin-x64"],
  ["bun-linux-arm64", "linux-arm64"],
])("an executable for %p gets the libsecp256k1 of %p", (target, system) => expect(systemOf(target)).toBe(system));

test("PM2 starts exactly one instance of the executable, and gives it time to stop", async () => {
  const { apps } = createRequire(import.meta.url)(join(ROOT, "ecosystem.config.cjs")) as {
    apps: { env: Record<string, string>; [key: string]: unknown }[];
  };
  expect(apps).toHaveLength(1);
  expect(apps[0]).toMatchObject({
    exec_mode: "fork",
    instances: 1,
    interpreter: "none",
    script: "dist/l402-numbers",
    cwd: ROOT,
    watch: false,
    env: { REFUSE_SANDBOX: "1" },
  });
  expect(apps[0]?.kill_timeout).toBeGreaterThan(30_000);
  expect(Object.keys(apps[0]?.env ?? {}).filter((name) => !settingNames.has(name))).toEqual([]);
});

describe("the systemd unit", () => {
  /** Values by section and key (systemd.syntax). */
  async function unit(): Promise<Map<string, string[]>> {
    const values = new Map<string, string[]>();
    let section = "";
    for (const line of (await read("packaging/l402-numbers.service")).split("\n")) {
      if (line === "" || line.startsWith("#")) continue;
      const header = /^\[(\w+)\]$/.exec(line)?.[1];
      const [, key, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
      if (header) section = header;
      else if (key === undefined || value === undefined) throw new Error(`Not a line of a unit: "${line}"`);
      else values.set(`${section}.${key}`, [...(values.get(`${section}.${key}`) ?? []), value]);
    }
    return values;
  }

  const hardening: [directive: string, value: string][] = [
    ["DynamicUser", "yes"],
    ["NoNewPrivileges", "yes"],
    ["LimitCORE", "0"],
    ["CapabilityBoundingSet", ""],
    ["ProtectSystem", "strict"],
    ["ProtectHome", "yes"],
    ["PrivateTmp", "yes"],
    ["PrivateDevices", "yes"],
    ["ProtectKernelTunables", "yes"],
    ["ProtectKernelModules", "yes"],
    ["ProtectControlGroups", "yes"],
    ["RestrictNamespaces", "yes"],
    ["RestrictSUIDSGID", "yes"],
    ["LockPersonality", "yes"],
    ["SystemCallArchitectures", "native"],
    ["StateDirectoryMode", "0700"],
    ["UMask", "0077"],
  ];
  test.each(hardening)("is hardened: %s=%s", async (directive, value) => {
    expect((await unit()).get(`Service.${directive}`)).toEqual([value]);
  });

  test("lets the engine compile, which MemoryDenyWriteExecute= would forbid", async () => {
    expect((await unit()).has("Service.MemoryDenyWriteExecute")).toBe(false);
  });

  test("checks the settings, restarts what fails, gives up on what always fails, and waits for a clean stop", async () => {
    const values = await unit();
    expect(values.get("Service.ExecStartPre")).toEqual(["/usr/local/bin/l402-numbers check-config"]);
    expect(values.get("Service.ExecStart")).toEqual(["/usr/local/bin/l402-numbers"]);
    expect(values.get("Service.Restart")).toEqual(["on-failure"]);
    expect(Number(values.get("Unit.StartLimitBurst")?.[0])).toBeGreaterThan(0);
    expect(values.get("Service.KillSignal")).toEqual(["SIGTERM"]);
    expect(Number(values.get("Service.TimeoutStopSec")?.[0])).toBeGreaterThan(30);
  });

  test("sets only settings that exist, secrets by file alone", async () => {
    const pairs = ((await unit()).get("Service.Environment") ?? []).flatMap((line) => line.split(" "));
    const set = Object.fromEntries(pairs.map((pair) => pair.split("=") as [string, string]));
    const secret = SETTINGS.filter((setting) => "secret" in setting).map(({ name }): string => name);
    for (const name of Object.keys(set)) {
      const isFile = secret.includes(name.replace(/_FILE$/, "")) && name.endsWith("_FILE");
      expect([name, isFile || (settingNames.has(name) && !secret.includes(name))]).toEqual([name, true]);
    }
    expect(set).toMatchObject({ REFUSE_SANDBOX: "1", DATA_DIR: "%S/l402-numbers" });
    const credentials = ((await unit()).get("Service.LoadCredential") ?? []).map((line) => line.split(":")[0] ?? "");
    const used = Object.values(set).flatMap((value) => /^%d\/(.+)$/.exec(value)?.[1] ?? []);
    expect(used.toSorted()).toEqual(credentials.toSorted());
  });
});

describe("docs/privacy.md", () => {
  test("speaks of every table of the database", async () => {
    const db = new Database(":memory:", { strict: true });
    migrate(db);
    const tables = db
      .query<{ name: string }, []>("SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main'")
      .all()
      .flatMap(({ name }) => (name.startsWith("sqlite_") ? [] : name));
    const rows = (await read("docs/privacy.md")).split("\n").filter((line) => line.startsWith("| `"));
    const named = rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => name));
    expect(named.toSorted()).toEqual(tables.toSorted());
  });

  test("states the times that the code keeps", async () => {
    const text = (await read("docs/privacy.md")).replace(/\s+/g, " ");
    const [minute, day] = [60_000, 86_400_000];
    const stated = {
      eraseMessagesMs: Number(/erased \*\*(\d+) minutes\*\*/.exec(text)?.[1]) * minute,
      scrubMs: Number(/client address of an order go \*\*(\d+) days\*\*/.exec(text)?.[1]) * day,
      buryLapsedMs: Number(/unpaid orders (\d+) day after their invoice lapsed/.exec(text)?.[1]) * day,
      tombstoneMs: Number(/late money finds its order \| (\d+) days/.exec(text)?.[1]) * day,
      idempotencyMs: Number(/idempotency keys (\d+) days/.exec(text)?.[1]) * day,
      hintMs: Number(/strangers' numbers \| (\d+) day/.exec(text)?.[1]) * day,
    };
    expect(stated).toEqual({ ...DEFAULT_RETENTION });
    const setting = SETTINGS.find(({ name }) => name === "ERASE_AFTER_MINUTES");
    expect(Number(setting?.fallback) * minute).toBe(DEFAULT_RETENTION.eraseMessagesMs);
  });
});
