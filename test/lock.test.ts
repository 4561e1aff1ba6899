import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AlreadyRunning, lockDataDir } from "../src/lock.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "l402-lock-"));
});
const children: Bun.Subprocess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

/** Another process that takes the lock and keeps it, or says why it could not. */
async function otherProcess() {
  const code = `
    import { lockDataDir } from ${JSON.stringify(join(import.meta.dir, "../src/lock.ts"))};
    try { lockDataDir(${JSON.stringify(dir)}); console.log("locked"); setInterval(() => {}, 1000); }
    catch (error) { console.log(error.name); }`;
  const child = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe", stderr: "inherit" });
  children.push(child);
  const { value } = await child.stdout.getReader().read();
  return { child, said: new TextDecoder().decode(value).trim() };
}

describe("the data directory", () => {
  test("is held by one server, and free again when that lets go", () => {
    const unlock = lockDataDir(dir);
    expect(() => lockDataDir(dir)).toThrow(AlreadyRunning);
    unlock();
    lockDataDir(dir)();
  });

  test("held by another process is refused, and free the moment that process is killed", async () => {
    const first = await otherProcess();
    expect(first.said).toBe("locked");
    expect(() => lockDataDir(dir)).toThrow("Another server uses this DATA_DIR");
    const second = await otherProcess();
    expect(second.said).toBe("AlreadyRunning");
    await second.child.exited;
    first.child.kill("SIGKILL");
    await first.child.exited;
    lockDataDir(dir)();
  });

  test("stays held by a server that forgot how to let go", async () => {
    lockDataDir(dir);
    for (let round = 0; round < 3; round++) {
      Bun.gc(true);
      await Bun.sleep(1);
    }
    expect(() => lockDataDir(dir)).toThrow(AlreadyRunning);
  });

  test("that cannot be used is not called locked", () => {
    expect(() => lockDataDir(join(dir, "missing"))).toThrow("unable to open database file");
  });
});
