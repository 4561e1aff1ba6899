/** What a peer can do to a call: hang, flood, lie about lengths, redirect. Real sockets, and the bytes as they go over the wire. */
import { afterAll, describe, expect, test } from "bun:test";
import { RealWorld } from "../actors/runtime/world.ts";
import { AnswerLost, type Call, call } from "../src/wire.ts";

const world = new RealWorld();
const LIMIT = 1_000;
const SOON_MS = 150;
const LATER_MS = 5_000;

/** Sends these bytes to whoever connects and asks, and then keeps the connection open. */
const servers: { stop(now: boolean): void }[] = [];
function peer(...parts: readonly (string | Uint8Array)[]): string {
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        for (const part of parts) socket.write(part);
      },
    },
  });
  servers.push(server);
  return `http://127.0.0.1:${server.port}/`;
}
afterAll(() => {
  for (const server of servers) server.stop(true);
});

const head = (...lines: readonly string[]) => ["HTTP/1.1 200 OK", ...lines, "", ""].join("\r\n");
const announced = (length: number) => head(`Content-Length: ${length}`);
const CHUNKED = head("Transfer-Encoding: chunked");
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const END = "0\r\n\r\n";

const asked = (url: string, more: Partial<Call> = {}) =>
  call(world, { url, timeoutMs: LATER_MS, maxBytes: LIMIT, ...more });

async function lost(url: string, more: Partial<Call> = {}): Promise<string> {
  const outcome = await asked(url, more).catch((error: unknown) => error);
  if (!(outcome instanceof AnswerLost)) throw new Error(`Not lost: ${JSON.stringify(outcome)}`);
  return outcome.why;
}

describe("an answer", () => {
  test.each([
    ["of announced length", [announced(5), "hello"]],
    ["of announced length that comes in parts", [announced(5), "he", "llo"]],
    ["in chunks", [CHUNKED, chunk("he"), chunk("llo"), END]],
    [
      "in chunks, whatever length it says besides",
      [head("Content-Length: 2", "Transfer-Encoding: chunked"), chunk("hello"), END],
    ],
    ["behind a byte order mark", [announced(8), "\ufeffhello"]],
  ])("%s is its text", async (_, parts) => {
    expect(await asked(peer(...parts))).toMatchObject({ status: 200, text: "hello" });
  });

  test("without a body has no text", async () => {
    expect(await asked(peer(announced(0)))).toMatchObject({ status: 200, text: "" });
    expect(await asked(peer("HTTP/1.1 204 No Content\r\n\r\n"))).toMatchObject({ status: 204, text: "" });
  });

  test("ends where it said it would", async () => {
    expect((await asked(peer(announced(5), "hello and more"))).text).toBe("hello");
  });

  test("that redirects is an answer, and nobody is asked there", async () => {
    const elsewhere = peer(announced(5), "wrong");
    const url = peer(`HTTP/1.1 302 Found\r\nLocation: ${elsewhere}\r\nContent-Length: 0\r\n\r\n`);
    expect(await asked(url)).toMatchObject({ status: 302, text: "" });
  });

  test("as long as may be is taken", async () => {
    const text = "x".repeat(LIMIT);
    expect((await asked(peer(announced(LIMIT), text))).text).toBe(text);
    expect((await asked(peer(CHUNKED, chunk(text), END))).text).toBe(text);
  });
});

describe("an answer that is too large is lost", () => {
  const text = "x".repeat(LIMIT + 1);

  test("when it says so, before it is read", async () => {
    expect(await lost(peer(announced(1_000_000_000)))).toBe("too_large");
    expect(await lost(peer(announced(LIMIT + 1), text))).toBe("too_large");
  });

  test("when it comes in chunks, whatever length it says besides", async () => {
    expect(await lost(peer(CHUNKED, chunk(text)))).toBe("too_large");
    expect(await lost(peer(head("Content-Length: 5", "Transfer-Encoding: chunked"), chunk(text)))).toBe("too_large");
  });

  test("when it has no length and ends with the connection", async () => {
    expect(await lost(peer(head("Connection: close"), text))).toBe("too_large");
  });

  test("when it was small before it was unpacked", async () => {
    const packed = Bun.gzipSync(Buffer.from("x".repeat(100_000)));
    expect(packed.length).toBeLessThan(LIMIT);
    expect(await lost(peer(head(`Content-Length: ${packed.length}`, "Content-Encoding: gzip"), packed))).toBe(
      "too_large",
    );
  });
});

describe("an answer that does not end in time is lost", () => {
  test.each([
    ["before its head", []],
    ["in its head", ["HTTP/1.1 200 OK\r\nContent-Le"]],
    ["in a body of announced length", [announced(5), "he"]],
    ["in a body in chunks", [CHUNKED, chunk("he")]],
  ])("%s", async (_, parts) => {
    expect(await lost(peer(...parts), { timeoutMs: SOON_MS })).toBe("timeout");
  });

  test("also when the caller has enough of it", async () => {
    const enough = new AbortController();
    const outcome = lost(peer(announced(5), "he"), { signal: enough.signal });
    enough.abort();
    expect(await outcome).toBe("timeout");
  });
});

test("an answer is lost when nobody is there, or the connection ends within it", async () => {
  expect(await lost("http://127.0.0.1:1/")).toBe("network");
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        socket.write(`${announced(5)}he`);
        socket.end();
      },
    },
  });
  servers.push(server);
  expect(await lost(`http://127.0.0.1:${server.port}/`)).toBe("network");
});
