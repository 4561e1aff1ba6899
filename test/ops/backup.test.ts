/** The copy itself: what is in it, what is not, and what it refuses to do. Under load it is tried in test/e2e. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manifestPath, parseManifest } from "../../src/ops/backup/manifest.ts";
import { runBackup } from "../../src/ops/backup.ts";
import { runDoctor } from "../../src/ops/doctor.ts";
import { outcomeOf } from "../support/spawn.ts";
import { Lives, SECRETS } from "./doctor-life.ts";

let lives: Lives;
let room: string;
beforeEach(async () => {
  lives = await new Lives().all();
  room = mkdtempSync(join(tmpdir(), "l402-backup-"));
});
afterEach(() => {
  lives.remove();
  rmSync(room, { recursive: true, force: true });
});

function backup(...args: string[]) {
  const lines: string[] = [];
  const code = runBackup(args, { dataDir: lives.dataDir, now: lives.world.now(), out: (line) => lines.push(line) });
  return { code, text: lines.join("\n") };
}

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);

describe("a backup", () => {
  test("holds every row of every table, but no text, code or sender of an SMS, also not in a corner of the file", () => {
    const file = join(room, "it's #1.sqlite");
    expect(backup(file).code).toBe(0);
    const copy = new Database(file, { readonly: true });
    const { db } = lives.journal;
    const tables = db
      .query<{ name: string }, []>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all();
    expect(tables.length).toBeGreaterThan(14);
    for (const { name } of tables.filter((table) => !["messages", "meta"].includes(table.name))) {
      const rows = (of: Database) => of.query(`SELECT * FROM "${name}"`).all();
      expect({ name, rows: rows(copy) }).toEqual({ name, rows: rows(db) });
    }
    const messages = copy.query<Record<string, unknown>, []>("SELECT * FROM messages").all();
    expect(messages).toHaveLength(db.query("SELECT 1 FROM messages").all().length);
    for (const row of messages) expect(row).toMatchObject({ code: null, text: null, sender: null });
    const indexes = (of: Database) => of.query("SELECT name, sql FROM sqlite_schema ORDER BY name").all();
    expect(indexes(copy)).toEqual(indexes(db));
    copy.close();
    const bytes = readFileSync(file);
    for (const secret of [SECRETS.code, SECRETS.text]) expect(bytes.includes(secret)).toBe(false);
    expect(bytes.includes(SECRETS.phone)).toBe(true);
  });

  test("has a manifest that says what it is and by which digest it is known", () => {
    const file = join(room, "a.sqlite");
    backup(file);
    const bytes = readFileSync(file);
    const manifest = parseManifest(readFileSync(manifestPath(file), "utf8"));
    expect(manifest).toMatchObject({
      format: 1,
      network: "bcrt",
      nodePubkey: expect.stringMatching(/^02/),
      providerAccount: "account",
      sandbox: true,
      orders: 9,
      bytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    });
    expect(Date.parse(manifest?.newestAt ?? "")).toBeLessThanOrEqual(Date.parse(manifest?.takenAt ?? ""));
    expect([modeOf(file), modeOf(manifestPath(file))]).toEqual(["600", "600"]);
    expect(readdirSync(room).sort()).toEqual(["a.sqlite", "a.sqlite.manifest.json"]);
  });

  test("is sound to the doctor, who says what it is", async () => {
    const file = join(room, "a.sqlite");
    backup(file);
    const lines: string[] = [];
    const options = { dataDir: room, now: lives.world.now(), out: (line: string) => lines.push(line) };
    await runDoctor(["--file", file], options);
    expect(lines.join("\n")).toContain(
      `Backup of ${new Date(lives.world.now()).toISOString()}: sandbox, network bcrt; 9 orders`,
    );
    expect(lines.join("\n")).not.toContain("BAD");
    lines.length = 0;
    await runDoctor(["--json", "--file", file], options);
    expect(JSON.parse(lines.join(""))).toMatchObject({ findings: { total: 0 } });
  });

  test("into a directory is named by the time", () => {
    expect(backup(room).code).toBe(0);
    expect(readdirSync(room).sort()[0]).toMatch(/^l402-numbers-\d{4}-\d\d-\d\dT\d{6}Z\.sqlite$/);
  });

  test("can be made while nobody serves, and changes nothing", () => {
    const before = readdirSync(lives.dataDir).map((name) => [name, statSync(join(lives.dataDir, name)).size]);
    lives.journal.close();
    const main = readFileSync(join(lives.dataDir, "orders.sqlite"));
    expect(backup(join(room, "a.sqlite")).code).toBe(0);
    expect(readFileSync(join(lives.dataDir, "orders.sqlite")).equals(main)).toBe(true);
    expect(before.length).toBeGreaterThan(0);
  });
});

describe("a backup is refused", () => {
  test("over anything that exists, and nothing is touched", () => {
    const file = join(room, "a.sqlite");
    writeFileSync(file, "mine");
    expect(backup(file)).toEqual({ code: 2, text: `"${file}" exists; nothing is written over` });
    expect(readFileSync(file, "utf8")).toBe("mine");
    rmSync(file);
    writeFileSync(manifestPath(file), "mine");
    expect(backup(file).code).toBe(2);
    expect(existsSync(file)).toBe(false);
  });

  test("where there is no directory, no database, and without a destination", () => {
    expect(backup(join(room, "missing", "a.sqlite")).text).toContain("No directory");
    expect(backup().text).toContain("Usage: backup DESTINATION");
    expect(backup("a", "b").code).toBe(2);
    const lines: string[] = [];
    expect(runBackup([room], { dataDir: room, now: 0, out: (line) => lines.push(line) })).toBe(2);
    expect(lines[0]).toContain("No database at");
  });

  test("of what is no database, and leaves nothing behind", () => {
    const dataDir = join(room, "broken");
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, "orders.sqlite"), "this is not SQLite, not at all, however long one looks at it");
    const lines: string[] = [];
    const file = join(room, "a.sqlite");
    expect(runBackup([file], { dataDir, now: 0, out: (line) => lines.push(line) })).toBe(2);
    expect(lines).toEqual(["No backup was made: SQLITE_NOTADB"]);
    expect(readdirSync(room)).toEqual(["broken"]);
  });

  test("that the disk has no room for leaves nothing behind", async () => {
    // More than is kept in memory until the end.
    for (let n = 0; n < 40; n++)
      lives.journal.db.run("INSERT INTO meta VALUES (?, hex(zeroblob(500000)))", [`much ${n}`]);
    lives.journal.close();
    const main = join(import.meta.dir, "../../src/main.ts");
    const words = 'ulimit -f "$1"; exec "$2" "$3" backup "$4"';
    const blocks = String(Math.floor(statSync(join(lives.dataDir, "orders.sqlite")).size / 2 / 512));
    const child = Bun.spawn(["sh", "-c", words, "sh", blocks, process.execPath, main, join(room, "a.sqlite")], {
      env: { PATH: process.env.PATH ?? "", DATA_DIR: lives.dataDir },
      stdout: "pipe",
      stderr: "pipe",
    });
    const { out, code } = await outcomeOf(child);
    expect({ code, out }).toEqual({ code: 2, out: expect.stringMatching(/^No backup was made: SQLITE_/) });
    expect(readdirSync(room)).toEqual([]);
  });
});
