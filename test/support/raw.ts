/** HTTP/1.1 by hand, for requests that `fetch` would not send. */

export interface RawConnection {
  send(text: string): void;
  /** Everything that came, once the server has closed the connection. */
  readonly answer: Promise<string>;
}

export async function connect(origin: string): Promise<RawConnection> {
  const { hostname, port } = new URL(origin);
  const { promise, resolve } = Promise.withResolvers<string>();
  const decoder = new TextDecoder();
  let text = "";
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_, bytes) => {
        text += decoder.decode(bytes, { stream: true });
      },
      close: () => resolve(text),
      error: () => resolve(text),
    },
  });
  return { send: (more) => void socket.write(more), answer: promise };
}

/** One whole request, and its answer. */
export async function raw(origin: string, request: string): Promise<string> {
  const connection = await connect(origin);
  connection.send(request);
  return connection.answer;
}
