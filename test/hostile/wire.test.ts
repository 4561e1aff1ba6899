/**
 * Bytes that two readers could understand differently. A proxy in front and the server behind it must see the same requests in a
 * connection, or one customer's bytes become the beginning of another's request (RFC 9112, section 11.2): whatever is ambiguous is
 * refused, and the connection with it.
 */
import { describe, expect, test } from "bun:test";
import { hostileServer, ORDER } from "./server.ts";

const server = hostileServer();
const BODY = '{"service":"tg"}';
const NEXT = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

const post = (headers: string, body: string, line = `POST ${ORDER} HTTP/1.1`): string =>
  `${line}\r\nHost: x\r\n${headers}\r\n${body}`;
const chunked = (chunks: string, more = ""): string => post(`Transfer-Encoding: chunked\r\n${more}`, chunks);
const CHUNKS = `10\r\n${BODY}\r\n0\r\n\r\n`;

describe("a body whose length can be read in two ways opens no order, and ends the connection", () => {
  const ambiguous: Record<string, string> = {
    "Content-Length and chunks": post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${NEXT}`),
    "chunks and Content-Length": post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", `0\r\n\r\n${NEXT}`),
    "two lengths": post("Content-Length: 16\r\nContent-Length: 50\r\n", `${BODY}${NEXT}`),
    "two lengths, the larger first": post("Content-Length: 50\r\nContent-Length: 16\r\n", `${BODY}${NEXT}`),
    "a list of lengths": post("Content-Length: 16, 16\r\n", BODY),
    "a length with a sign": post("Content-Length: +16\r\n", BODY),
    "a negative length": post("Content-Length: -1\r\n", BODY),
    "a hexadecimal length": post("Content-Length: 0x10\r\n", BODY),
    "an empty length": post("Content-Length: \r\n", BODY),
    "a length with a fraction": post("Content-Length: 16.0\r\n", BODY),
    "a length past 64 bits": post("Content-Length: 18446744073709551632\r\n", BODY),
    "a blank before the colon of the length": post("Content-Length : 16\r\n", BODY),
    "a coding that only looks like chunked": post("Transfer-Encoding: xchunked\r\n", CHUNKS),
    "chunked that is not the last coding": post("Transfer-Encoding: chunked, identity\r\n", CHUNKS),
    "chunked behind another coding": post("Transfer-Encoding: gzip, chunked\r\n", CHUNKS),
    "chunked behind identity": post("Transfer-Encoding: identity, chunked\r\n", CHUNKS),
    "identity beside a length": post("Transfer-Encoding: identity\r\nContent-Length: 16\r\n", BODY),
    "an empty coding": post("Transfer-Encoding: \r\nContent-Length: 16\r\n", BODY),
    "two codings": post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", CHUNKS),
    "two codings, chunked last": post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", CHUNKS),
    "chunked in quotes": post('Transfer-Encoding: "chunked"\r\n', CHUNKS),
    "chunked after a vertical tab": post("Transfer-Encoding: \vchunked\r\n", CHUNKS),
    "chunked on a folded line": post("Transfer-Encoding:\r\n chunked\r\n", CHUNKS),
    "chunked after a bare line feed": post("X: y\nTransfer-Encoding: chunked\r\n", CHUNKS),
    "chunked after a bare carriage return": post("X: y\rTransfer-Encoding: chunked\r\n", CHUNKS),
    "a blank before the colon of the coding": post("Transfer-Encoding : chunked\r\n", CHUNKS),
    "a NUL in the coding": post("Transfer-Encoding: chunked\0\r\n", CHUNKS),
    "chunks in HTTP/1.0": post("Transfer-Encoding: chunked\r\n", CHUNKS, `POST ${ORDER} HTTP/1.0`),
    "a chunk of a size in 0x": chunked(`0x10\r\n${BODY}\r\n0\r\n\r\n`),
    "a chunk of a negative size": chunked(`-10\r\n${BODY}\r\n0\r\n\r\n`),
    "a chunk of a size with a blank": chunked(`10 \r\n${BODY}\r\n0\r\n\r\n`),
    "a chunk of a size past 64 bits": chunked(`10000000000000010\r\n${BODY}\r\n0\r\n\r\n`),
    "a chunk of no size": chunked(`\r\n${BODY}\r\n0\r\n\r\n`),
    "a chunk that is longer than it says": chunked(`0f\r\n${BODY}\r\n0\r\n\r\n`),
    "a chunk that is shorter than it says": chunked(`11\r\n${BODY}\r\n0\r\n\r\n`),
    "chunks that end in bare line feeds": chunked(`10\n${BODY}\n0\n\n`),
    "a chunk extension that hides a line feed": chunked(`10;\nxx\r\n${BODY}\r\n0\r\n\r\n`),
    "a chunk extension without end": chunked(`10;${"a".repeat(70_000)}\r\n${BODY}\r\n0\r\n\r\n`),
  };
  for (const [what, bytes] of Object.entries(ambiguous)) {
    test(what, async () => {
      const { answers, closed } = await server.send(bytes, ["POST"]);
      expect(answers.map(({ status }) => [400, 413].includes(status))).not.toContain(false);
      expect({ closed, answers: answers.length <= 1 }).toEqual({ closed: true, answers: true });
    });
  }

  test("not even late", async () => {
    // Whatever was taken of the above would be open by the time that an order was.
    await server().challenge({ service: "tg" });
    expect(await server.opened()).toBe(1);
  });
});

test("trailers are read as the end of the connection: what came before them may be taken, what follows is not", async () => {
  const before = await server.opened();
  for (const trailer of ["Content-Length: 99", "Authorization: L402 x:y", "X: y"]) {
    const { answers, closed } = await server.send(chunked(`10\r\n${BODY}\r\n0\r\n${trailer}\r\n\r\n${NEXT}`), [
      "POST",
      "GET",
    ]);
    expect(closed).toBe(true);
    expect(answers.map(({ status }) => status)).not.toContain(200);
  }
  await server().challenge({ service: "tg" });
  expect((await server.opened()) - before).toBeLessThanOrEqual(4);
});

describe("what is no request is no request", () => {
  const nonsense: Record<string, string | Uint8Array> = {
    "bare line feeds": "GET /livez HTTP/1.1\nHost: x\n\n",
    "bare carriage returns": "GET /livez HTTP/1.1\rHost: x\r\r",
    "empty lines first": `\r\n\r\n${NEXT}`,
    "no Host": "GET /livez HTTP/1.1\r\n\r\n",
    "a folded first header": "GET /livez HTTP/1.1\r\n Host: x\r\n\r\n",
    "a header without a colon": "GET /livez HTTP/1.1\r\nHost: x\r\nXXXX\r\n\r\n",
    "a header without a name": "GET /livez HTTP/1.1\r\nHost: x\r\n: v\r\n\r\n",
    "a NUL in a header": "GET /livez HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
    "a NUL in a header's name": "GET /livez HTTP/1.1\r\nHost: x\r\nX\0: a\r\n\r\n",
    "a NUL in the target": `GET ${ORDER}/a\0b HTTP/1.1\r\nHost: x\r\n\r\n`,
    "a blank in the target": `GET ${ORDER}/a b HTTP/1.1\r\nHost: x\r\n\r\n`,
    "a target without a slash": "GET livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "an asterisk": "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP/0.9": "GET /livez\r\n\r\n",
    "HTTP/2 by prior knowledge": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": "GET /livez HTTP/9.9\r\nHost: x\r\n\r\n",
    "a method of letters": "FOO /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method in lower case": "get /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method without end": `${"A".repeat(5_000)} /livez HTTP/1.1\r\nHost: x\r\n\r\n`,
    "a TLS greeting": Buffer.from("16030100c8010000c40303", "hex"),
    "random bytes": Buffer.from(Array.from({ length: 4_096 }, (_, index) => (index * 167 + 13) % 256)),
    "more headers than anybody has": `GET /livez HTTP/1.1\r\nHost: x\r\n${"X: y\r\n".repeat(400)}\r\n`,
    "headers of 17 KiB": `GET /livez HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(17 * 1024)}\r\n\r\n`,
    "a target of 17 KiB": `GET /${"y".repeat(17 * 1024)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  };
  for (const [what, bytes] of Object.entries(nonsense)) {
    test(what, async () => {
      const { answers, closed } = await server.send(bytes);
      expect(closed).toBe(true);
      for (const { status } of answers) expect([400, 431, 505]).toContain(status);
    });
  }
});

describe("what can be read in one way only is read that way", () => {
  test("a length twice the same, with zeros in front; chunks in any case, with extensions", async () => {
    for (const bytes of [
      post("Content-Length: 16\r\nContent-Length: 16\r\n", BODY),
      post("Content-Length: 0016\r\n", BODY),
      post("Transfer-Encoding:\tCHUNKED\r\n", CHUNKS),
      chunked(`10;a=b\r\n${BODY}\r\n0;x\r\n\r\n`),
      chunked(`1\r\n{\r\n000f\r\n${BODY.slice(1)}\r\n0\r\n\r\n`),
    ]) {
      const { answers } = await server.send(bytes, ["POST"]);
      expect(answers.map(({ status }) => status)).toEqual([402]);
    }
  });

  test("a body is never the beginning of a request, whether or not anybody reads it", async () => {
    const inside = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    for (const [line, status] of [
      [`POST ${ORDER} HTTP/1.1`, 400],
      [`POST ${ORDER}/abc/cancel HTTP/1.1`, 403],
      ["POST /nope HTTP/1.1", 404],
      ["GET /livez HTTP/1.1", 200],
      [`GET ${ORDER}/abc HTTP/1.1`, 403],
      ["DELETE /livez HTTP/1.1", 404],
      ["OPTIONS /livez HTTP/1.1", 204],
    ] as const) {
      const bytes = `${post(`Content-Length: ${inside.length}\r\n`, inside, line)}`;
      const one = await server.send(bytes, [line.split(" ")[0] ?? ""]);
      expect([line, one.answers.map((answer) => answer.status)]).toEqual([line, [status]]);
    }
  });

  test("the rest of a body that was refused is passed over, and the next request is itself", async () => {
    const inside = "GET /health HTTP/1.1\r\nHost: xy\r\n\r\n";
    for (const count of [600, 3_000]) {
      const body = inside.repeat(count);
      const bytes = post(`Content-Length: ${body.length}\r\n`, `${body}${NEXT}`);
      const { answers, rest } = await server.send(bytes, ["POST", "GET"]);
      expect(answers.map(({ status, body }) => [status, body === '{"status":"ok"}'])).toEqual([
        [413, false],
        [200, true],
      ]);
      expect(rest).toBe("");
    }
  });

  test("requests in a row on one connection are answered in their order, or not at all", async () => {
    const many = await server.send(NEXT.repeat(50), new Array(50).fill("GET"));
    expect(many.answers.map(({ status }) => status)).toEqual(new Array(50).fill(200));
    // A request behind one that is still being answered is not taken: nothing of it happens, and the client sees the end.
    const before = await server.opened();
    const posts = await server.send(post(`Content-Length: ${BODY.length}\r\n`, BODY).repeat(3), [
      "POST",
      "POST",
      "POST",
    ]);
    const taken = posts.answers.filter(({ status }) => status === 402).length;
    expect(posts.answers).toHaveLength(taken);
    expect((await server.opened()) - before).toBeLessThanOrEqual(Math.max(1, taken));
    if (taken < 3) expect(posts.closed).toBe(true);
  });
});

describe("where a request goes", () => {
  test("a Host that is none, or two, changes nothing but the addresses in documents", async () => {
    for (const host of [
      "",
      "a b[",
      "[::1",
      "a:99999999",
      "http://evil.example/",
      "user:pass@evil.example/..",
      "x?y",
      "x#y",
      "x/y?z",
      "\u00e9",
      "x\r\nHost: y",
      "x".repeat(4_000),
    ]) {
      const to = async (target: string) =>
        (await server.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).answers.map(({ status }) => status);
      expect([host, await to("/livez")]).toEqual([host, [200]]);
      expect([host, await to("/nope")]).toEqual([host, [404]]);
      expect([host, await to("/v2/l402/catalog?type=x")]).toEqual([host, [400]]);
      expect([host, await to(`${ORDER}/abc`)]).toEqual([host, [403]]);
      expect([host, await to("/v2/l402")]).toEqual([host, [200]]);
    }
  });

  test("a foreign Host is in no document but its own answer, and never as markup or another address", async () => {
    for (const host of ["evil.example", 'x"><script>', "x\\", "a@b", "evil.example/x"]) {
      const { answers } = await server.send(`GET /skill.md HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      const [answer] = answers;
      expect(answer?.status).toBe(200);
      expect(answer?.headers.get("cache-control")).toBe("no-store");
      if (host !== "evil.example") expect(answer?.body).not.toContain(host);
    }
  });

  test("a target in absolute form, climbing, with fragments, in raw or broken escapes finds what its path says", async () => {
    for (const [target, status] of [
      ["http://evil.example/livez", 200],
      ["http://evil.example/nope", 404],
      ["http://[/livez", 200],
      ["/docs/../livez", 200],
      ["//livez", 404],
      ["/\\livez", 404],
      ["/livez/../../../etc/passwd", 404],
      ["/livez%2f..%2fmetrics", 404],
      ["/livez#fragment", 404],
      ["/livez?a=%zz&b=%", 200],
      ["/v2/l402/catalog?type=%zz", 400],
      ["/v2/l402/catalog?type=rent-number&type=x", 200],
      [`${ORDER}/%`, 403],
      [`${ORDER}/%E0%A4%A`, 403],
      [`${ORDER}/%00`, 403],
      [`${ORDER}/${"%2e%2e%2f".repeat(50)}metrics`, 403],
      [`${ORDER}/\u00e9`, 403],
      [`${ORDER}/${"a".repeat(9_000)}`, 403],
      [`${ORDER}/__proto__`, 403],
      [`${ORDER}/constructor/cancel`, 404],
      ["/v2/l402/webhooks/rent/%00", 404],
    ] as const) {
      const { answers } = await server.send(`GET ${target} HTTP/1.1\r\nHost: host.example\r\n\r\n`);
      expect([target, answers.map((answer) => answer.status)]).toEqual([target, [status]]);
    }
  });

  test("methods that are not offered do nothing, under whatever name they are asked for", async () => {
    for (const method of ["CONNECT", "TRACE", "PUT", "PATCH", "DELETE"]) {
      const { answers } = await server.send(`${method} ${ORDER} HTTP/1.1\r\nHost: x\r\n\r\n`, [method]);
      expect([method, answers.map(({ status }) => status)]).toEqual([method, [404]]);
    }
    for (const override of ["X-HTTP-Method-Override: DELETE", "X-HTTP-Method: PUT", "X-Original-URL: /metrics"]) {
      const { answers } = await server.send(`GET ${ORDER}/abc HTTP/1.1\r\nHost: x\r\n${override}\r\n\r\n`);
      expect(answers.map(({ status }) => status)).toEqual([403]);
    }
  });

  test("an upgrade that is not offered is answered as the request it is", async () => {
    for (const upgrade of [
      "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13",
      "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
      "Upgrade: TLS/1.2",
    ]) {
      const { answers } = await server.send(
        `GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n${upgrade}\r\n\r\n`,
      );
      expect(answers.map(({ status }) => status)).toEqual([200]);
    }
  });
});
