/**
 * WebSockets as the service sees them: text frames and one end. Part of the world, so that a simulation can hand in its own.
 */

export interface Socket {
  /** Sends a text frame; nothing happens before `opened` and after the end. */
  send(text: string): void;
  /** Ends it at once; `closed` is told in a later turn, unless it has been. */
  close(): void;
}

export interface SocketEvents {
  opened(): void;
  received(text: string): void;
  /** The end, told once: it was closed, broke, could not be opened, or sent what is no text. */
  closed(): void;
}

export interface SocketOptions {
  readonly headers?: Readonly<Record<string, string>>;
}

/** Never tells anything before it has returned. */
export type Connect = (url: string, events: SocketEvents, options?: SocketOptions) => Socket;

/** Over the network. Without compression, so that a frame is never larger than what came over the wire. */
export const connectSocket: Connect = (url, events, options = {}) => {
  let socket: WebSocket;
  try {
    socket = new WebSocket(url, {
      perMessageDeflate: false,
      // Whatever the environment says of it (`NODE_TLS_REJECT_UNAUTHORIZED`).
      tls: { rejectUnauthorized: true },
      ...(options.headers && { headers: { ...options.headers } }),
    });
  } catch {
    queueMicrotask(() => events.closed());
    return { send() {}, close() {} };
  }
  let over = false;
  const end = () => {
    if (over) return;
    over = true;
    socket.terminate();
    events.closed();
  };
  socket.onopen = () => {
    if (!over) events.opened();
  };
  socket.onmessage = ({ data }) => {
    if (over) return;
    if (typeof data === "string") events.received(data);
    else end();
  };
  socket.onerror = end;
  socket.onclose = end;
  return {
    send: (text) => {
      if (!over && socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: () => {
      if (over) return;
      over = true;
      socket.terminate();
      queueMicrotask(() => events.closed());
    },
  };
};
