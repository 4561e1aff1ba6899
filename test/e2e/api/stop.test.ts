/** The end of a process, asked for at any moment of its life: always in order, with exit code 0. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "../../support/raw.ts";
import { startServer } from "../../support/server.ts";
import { outcomeOf } from "../../support/spawn.ts";

setDefaultTimeout(30_000);

test("a client that never finishes its request does not hold up the stop", async () => {
  const server = await startServer();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: Number(new URL(server.origin).port),
    socket: { data() {} },
  });
  socket.write(
    "POST /v2/l402/order HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
  );
  await Bun.sleep(50);
  const asked = performance.now();
  expect(await server.stop()).toBe(0);
  expect(performance.now() - asked).toBeLessThan(7_000);
  socket.end();
  // Neither a client that is cut off nor one that hangs up is an error of ours.
  expect(server.output()).not.toContain('"level":"error"');
});

test("a client that hangs up in the middle of its request is no error of ours", async () => {
  const server = await startServer();
  const client = await connect(server.origin);
  client.send("POST /v2/l402/order HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{");
  await fetch(`${server.origin}/livez`);
  client.close();
  while (!server.output().includes('"route":"POST /v2/l402/order","status":400')) await Bun.sleep(5);
  expect(server.output()).not.toContain('"level":"error"');
  expect(await server.stop()).toBe(0);
});

test("a clean stop says so and nothing else", async () => {
  const server = await startServer();
  while (!server.output().includes("settlements_connected")) await Bun.sleep(5);
  const before = server.output().length;
  expect(await server.stop()).toBe(0);
  const said = server.output().slice(before).trim().split("\n");
  expect(said.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(["stopping", "stopped"]);
});

test("a port that is taken ends the start in order, with the reason", async () => {
  const other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const start = startServer({ env: { PORT: String(other.port) } });
  const error = await start.then(() => null, String);
  expect(error).toContain(`Cannot listen at HOST "127.0.0.1", PORT ${other.port}`);
  expect(error).toContain("in use");
  expect(error).not.toContain("closed database");
  await other.stop(true);
});

test("a stop that is asked for while the start waits for its node is in order, and does not wait for it", async () => {
  const silent = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Promise<Response>(() => {}) });
  const dataDir = mkdtempSync(join(tmpdir(), "l402-stop-"));
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../../src/main.ts")], {
    cwd: dataDir,
    env: {
      PATH: process.env.PATH ?? "",
      PORT: "0",
      DATA_DIR: dataDir,
      LOG_FORMAT: "json",
      LIGHTNING_URL: `lnd+http://127.0.0.1:${silent.port}`,
      LIGHTNING_MACAROON: "5a4d".repeat(8),
      HEROSMS_API_KEY: "key-of-nobody",
      HEROSMS_URL: `http://127.0.0.1:${silent.port}`,
    },
    stdout: "pipe",
    stderr: "pipe",
  });
  // The database is opened just before the node is asked.
  while (!existsSync(join(dataDir, "orders.sqlite"))) await Bun.sleep(5);
  const asked = performance.now();
  child.kill("SIGTERM");
  const { out, err, code } = await outcomeOf(child);
  expect(performance.now() - asked).toBeLessThan(7_000);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const said = out.trim().split("\n");
  expect(said.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(["stopping", "stopped"]);
  await silent.stop(true);
  rmSync(dataDir, { recursive: true, force: true });
});
