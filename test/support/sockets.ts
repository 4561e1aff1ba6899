/** WebSockets to peers in this process, for worlds without a network. */
import type { Connect } from "../../actors/runtime/sockets.ts";
import type { Accept, Conversation } from "../../src/sandbox/sockets.ts";

export interface InProcess {
  /** Runs `act` later, as if it had come over a wire. */
  readonly later: (act: () => void) => void;
  /** What becomes of a connection, or null when it is refused. */
  readonly accept: (request: Request) => Accept | null;
  /** A frame of the peer on its way; null loses it. */
  readonly frame?: (text: string) => string | null;
}

/** Never tells anything before it has returned, and nothing after its end, as the real one. */
export function connectInProcess({ later, accept, frame = (text) => text }: InProcess): Connect {
  return (url, events, options = {}) => {
    let over = false;
    let peer: Conversation | null = null;
    const end = () => {
      if (over) return;
      over = true;
      peer?.ended();
      later(() => events.closed());
    };
    later(() => {
      if (over) return;
      const request = new Request(url.replace(/^ws/, "http"), { headers: { ...options.headers } });
      const accepted = accept(request);
      if (!accepted) return end();
      peer = accepted({
        send: (text) => {
          const sent = frame(text);
          if (sent === null) return;
          later(() => {
            if (!over) events.received(sent);
          });
        },
        cut: () => later(end),
      });
      events.opened();
    });
    return {
      send: (text) => {
        later(() => {
          if (!over) peer?.message(text);
        });
      },
      close: end,
    };
  };
}
