import { afterEach, describe, expect, test } from "bun:test";
import { runHealthcheck } from "../../src/ops/healthcheck.ts";
import { urlHost } from "../../src/service.ts";
import { ManualWorld } from "../sandbox/provider/manual-world.ts";
import { runToEnd } from "../support/server.ts";

let server: Bun.Server<undefined> | null = null;
afterEach(() => server?.stop(true));

function listening(answer: (path: string) => Response | Promise<Response>): string {
  server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => answer(new URL(request.url).pathname) });
  return `http://127.0.0.1:${server.port}`;
}

describe("the health check", () => {
  test("is 0 when /readyz says 200", async () => {
    const paths: string[] = [];
    const url = listening((path) => {
      paths.push(path);
      return Response.json({ ready: true, reasons: [] });
    });
    expect([await runHealthcheck({ url }), await runHealthcheck({ url: `${url}/` })]).toEqual([0, 0]);
    expect(paths).toEqual(["/readyz", "/readyz"]);
  });

  test.each([503, 500, 404, 302, 204])("is 1 when it says %d", async (status) => {
    const headers = { location: "/livez" };
    const url = listening((path) =>
      path === "/readyz" ? new Response(null, { status, headers }) : new Response("ok"),
    );
    expect(await runHealthcheck({ url })).toBe(1);
  });

  test("is 1 when nobody listens", async () => {
    const url = listening(() => new Response("ok"));
    await server?.stop(true);
    expect(await runHealthcheck({ url })).toBe(1);
  });

  test("is 1 after 4 seconds without an answer", async () => {
    const { promise: asked, resolve: noteAsked } = Promise.withResolvers<void>();
    const url = listening(() => {
      noteAsked();
      return new Promise<Response>(() => {});
    });
    const world = new ManualWorld();
    const code = runHealthcheck({ url, world });
    await asked;
    world.fire(3_999);
    expect(await Promise.race([code, Bun.sleep(20).then(() => "waits")])).toBe("waits");
    world.fire(1);
    expect(await code).toBe(1);
  });

  test("is 1 for an answer without an end", async () => {
    const url = listening(() => new Response("x".repeat(20 * 1024)));
    expect(await runHealthcheck({ url })).toBe(1);
  });

  test.each(["127.0.0.1", " 127.0.0.1 ", "0.0.0.0", "[::]", ""])("finds the server whose HOST is %p", async (HOST) => {
    const url = listening(() => Response.json({ ready: true, reasons: [] }));
    expect((await runToEnd({ HOST, PORT: ` ${new URL(url).port} ` }, ["healthcheck"])).code).toBe(0);
  });

  test.each([
    ["::", "127.0.0.1"],
    ["[::]", "127.0.0.1"],
    ["*", "127.0.0.1"],
    ["::1", "[::1]"],
    ["[::1]", "[::1]"],
    ["numbers.example", "numbers.example"],
  ])("goes where the server says it is: HOST %p is %p", (host, name) => expect(urlHost(host)).toBe(name));
});
