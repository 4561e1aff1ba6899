import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gather } from "../../src/ops/log-output.ts";

function gathering() {
  const written: string[] = [];
  const waiting: (() => void)[] = [];
  const output = { write: (bytes: Buffer) => written.push(bytes.toString()) };
  return {
    ...gather(output, (run) => waiting.push(run)),
    written,
    later() {
      for (const run of waiting.splice(0)) run();
    },
  };
}

test("lines leave together, in their order, and only once", () => {
  const { write, later, written } = gathering();
  write("a\n");
  write("b\n");
  expect(written).toEqual([]);
  later();
  later();
  expect(written).toEqual(["a\nb\n"]);
  write("c\n");
  later();
  expect(written).toEqual(["a\nb\n", "c\n"]);
});

test("what must not wait takes what waits along", () => {
  const { write, flush, later, written } = gathering();
  write("a\n");
  write("urgent\n");
  flush();
  later();
  expect(written).toEqual(["a\nurgent\n"]);
});

test("what waits is bounded", () => {
  const { write, written } = gathering();
  const line = `${"x".repeat(999)}\n`;
  for (let n = 0; n < 100; n++) write(line);
  expect(written.join("").length).toBeGreaterThan(60_000);
});

test("a line longer than what may wait leaves at once, behind those that came before it, in every script", () => {
  const { write, later, written } = gathering();
  write("a\n");
  const long = `${"\u20ac\ud83d\ude00".repeat(20_000)}\n`;
  write(long);
  write("b\n");
  later();
  expect(written).toEqual(["a\n", long, "b\n"]);
});

test("what was handed on does not change when more is written", () => {
  const kept: Buffer[] = [];
  const { write, flush } = gather({ write: (bytes) => kept.push(bytes) }, () => {});
  write("first\n");
  flush();
  write("other\n");
  expect(String(kept[0])).toBe("first\n");
});

const LOGS = join(import.meta.dir, "../../src/ops");
const program = (end: string) => `
  import { createLog } from "${LOGS}/logs.ts";
  import { standardOutput } from "${LOGS}/log-output.ts";
  const log = createLog({ level: "info", pretty: false, name: "x", now: () => 0, destination: standardOutput((run) => setTimeout(run, 60_000)) });
  log.info("before the end");
  ${end}
`;

test.each([
  ["an exit", "process.exit(3)"],
  ["a crash", "setTimeout(() => { throw new Error('broken') }, 1)"],
])("%s loses no line", async (_, end) => {
  const child = Bun.spawn([process.execPath, "-e", program(end)], { stdout: "pipe", stderr: "ignore" });
  const text = await new Response(child.stdout).text();
  expect(await child.exited).not.toBe(0);
  expect(text).toContain("before the end");
});

test("a warning is written although the process is killed", async () => {
  const end = "log.warn('urgent'); process.kill(process.pid, 'SIGKILL')";
  const child = Bun.spawn([process.execPath, "-e", program(end)], { stdout: "pipe", stderr: "ignore" });
  const text = await new Response(child.stdout).text();
  await child.exited;
  expect(text.trim().split("\n")).toHaveLength(2);
});

test("a log that cannot be written is nobody's trouble but its reader's", async () => {
  const end = "log.error('urgent'); log.info('later'); console.error('alive'); process.exit(0)";
  const child = Bun.spawn(["sh", "-c", 'exec "$0" -e "$1" >/dev/full', process.execPath, program(end)], {
    stderr: "pipe",
  });
  expect(await new Response(child.stderr).text()).toBe("The log cannot be written: ENOSPC\nalive\n");
  expect(await child.exited).toBe(0);
});

test("while nothing can be written little is kept; once it can, whole lines go on", async () => {
  const file = join(mkdtempSync(join(tmpdir(), "l402-log-")), "log");
  // A limit on the size of files takes the place of a full disk; emptying it, as copytruncate does, of room.
  const end = `
    const { truncateSync } = await import("node:fs");
    const flood = (n) => { for (let k = 0; k < n; k++) log.error({ k }, "x ".repeat(1000)); };
    flood(1000);
    console.error("alive");
    truncateSync(process.argv[1], 0);
    log.error("room");
    process.exit(0);
  `;
  const words = `ulimit -f 64; exec "$0" -e "$1" "$2" >>"$2"`;
  const child = Bun.spawn(["sh", "-c", words, process.execPath, program(end), file], { stderr: "pipe" });
  const said = await new Response(child.stderr).text();
  expect(await child.exited).toBe(0);
  expect(said).toStartWith("The log cannot be written: EFBIG\nalive\nThe log is written again; lines are missing\n");
  const lines = readFileSync(file, "utf8").split("\n");
  rmSync(dirname(file), { recursive: true });
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines.slice(1, -2)) expect(JSON.parse(line)).toMatchObject({ level: "error" });
});
