/** HTTP/1.1 by hand, for requests that `fetch` would not send. */

export interface RawConnection {
  send(bytes: string | Uint8Array): void;
  /** Everything that came, once the server has closed the connection. */
  readonly answer: Promise<string>;
  /** What came so far, one character a byte. */
  received(): string;
  close(): void;
}

/** `reads: false` takes nothing of what the server sends. */
export async function connect(origin: string, { reads = true }: { reads?: boolean } = {}): Promise<RawConnection> {
  const { hostname, port } = new URL(origin);
  const { promise, resolve } = Promise.withResolvers<string>();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = "";
  /** What the system did not take at once. */
  let unsent = new Uint8Array();
  const flush = (socket: Bun.Socket) => {
    if (unsent.length > 0) unsent = unsent.subarray(Math.max(0, socket.write(unsent)));
  };
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_, more) => {
        text += decoder.decode(more, { stream: true });
        bytes += Buffer.from(more).toString("latin1");
      },
      drain: flush,
      close: () => resolve(text),
      error: () => resolve(text),
    },
  });
  if (!reads) socket.pause();
  return {
    send: (more) => {
      unsent = new Uint8Array(Buffer.concat([unsent, typeof more === "string" ? Buffer.from(more) : more]));
      flush(socket);
    },
    answer: promise,
    received: () => bytes,
    close: () => socket.terminate(),
  };
}

/** One whole request, and its answer. */
export async function raw(origin: string, request: string): Promise<string> {
  const connection = await connect(origin);
  connection.send(request);
  return connection.answer;
}

/** One answer as it stood on the wire. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** The answers in a stream of bytes (one character a byte), and what is left of one that is not complete. */
export function readAnswers(bytes: string, methods: readonly string[]): { answers: RawAnswer[]; rest: string } {
  const answers: RawAnswer[] = [];
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf("\r\n\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(rest)?.[1]);
    if (end < 0 || !status) return { answers, rest };
    const headers = new Headers();
    for (const line of rest.slice(0, end).split("\r\n").slice(1)) {
      const colon = line.indexOf(":");
      headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    const after = rest.slice(end + 4);
    const bare = status < 200 || status === 204 || status === 304 || methods[answers.length] === "HEAD";
    const length = bare ? 0 : Number(headers.get("content-length") ?? 0);
    if (after.length < length) return { answers, rest };
    rest = after.slice(length);
    if (status >= 200) answers.push({ status, headers, body: after.slice(0, length) });
  }
}

export interface Exchange {
  readonly answers: readonly RawAnswer[];
  /** Whether the server closed the connection. */
  readonly closed: boolean;
  /** Bytes that are no complete answer. */
  readonly rest: string;
}

/**
 * Sends exactly these bytes and waits until as many answers have come as there are `methods`, or the server has closed, or `limitMs` is over;
 * then a moment more, in which nothing else may come.
 */
export async function exchange(
  origin: string,
  bytes: string | Uint8Array,
  { methods = ["GET"], limitMs = 3_000 }: { methods?: readonly string[]; limitMs?: number } = {},
): Promise<Exchange> {
  const connection = await connect(origin);
  let closed = false;
  connection.answer.then(() => {
    closed = true;
  });
  connection.send(bytes);
  const giveUp = performance.now() + limitMs;
  const read = () => readAnswers(connection.received(), methods);
  while (!closed && read().answers.length < methods.length && performance.now() < giveUp) await Bun.sleep(1);
  // Whatever would come unasked is there by the time another connection was served.
  if (!closed) await fetch(`${origin}/livez`);
  const { answers, rest } = read();
  // What the HTTP parser itself refuses has no name, and the end of the connection comes right behind it.
  const isEnding = answers.some(({ headers }) => !headers.has("x-request-id"));
  while (isEnding && !closed && performance.now() < giveUp) await Bun.sleep(1);
  connection.close();
  return { answers, closed, rest };
}
