import { expect, test } from "bun:test";
import { startServer } from "../../support/server.ts";

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
  expect(performance.now() - asked).toBeLessThan(5_000);
  socket.end();
});

test("a clean stop says so and nothing else", async () => {
  const server = await startServer();
  const before = server.output().length;
  expect(await server.stop()).toBe(0);
  const said = server.output().slice(before).trim().split("\n");
  expect(said.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(["stopping", "stopped"]);
});

test("a port that is taken ends the start in order, with the reason", async () => {
  const other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const start = startServer({ env: { PORT: String(other.port) } });
  const error = await start.then(() => null, String);
  expect(error).toContain("in use");
  expect(error).not.toContain("closed database");
  await other.stop(true);
});
