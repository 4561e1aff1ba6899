/**
 * WebSockets of the peers: each peer says what it does with a connection, apart from what carries it, so that the same peer
 * serves real sockets here and simulated ones in one process.
 */
import type { Server, ServerWebSocket, WebSocketHandler } from "bun";

/** The peer's end of a connection. */
export interface PeerSocket {
  send(text: string): void;
  /** Cuts the connection without a word. */
  cut(): void;
}

/** What a peer does with one connection. */
export interface Conversation {
  message(text: string): void;
  /** The connection is over, whoever ended it. */
  ended(): void;
}

/** Begins a conversation, or refuses it. */
export type Accept = (socket: PeerSocket) => Conversation;

export interface SocketData {
  readonly accept: Accept;
  conversation: Conversation | null;
}

const MAX_MESSAGE_BYTES = 64 * 1024;

/** For `Bun.serve({ websocket })`. */
export const websocket: WebSocketHandler<SocketData> = {
  maxPayloadLength: MAX_MESSAGE_BYTES,
  idleTimeout: 0,
  open(socket: ServerWebSocket<SocketData>) {
    socket.data.conversation = socket.data.accept({
      send: (text) => void socket.send(text),
      cut: () => socket.terminate(),
    });
  },
  message: (socket, message) => socket.data.conversation?.message(String(message)),
  close: (socket) => socket.data.conversation?.ended(),
};

/** Turns a request into a WebSocket; the answer for one that is none. Undefined when it worked, as `fetch` wants it. */
export function upgrade(
  server: Server<SocketData>,
  request: Request,
  accept: Accept,
  otherwise: () => Response,
): Response | undefined {
  return server.upgrade(request, { data: { accept, conversation: null } }) ? undefined : otherwise();
}
