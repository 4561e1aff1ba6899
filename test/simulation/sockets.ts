/**
 * WebSockets between the service and the node, for the kinds that have them: frames take their time, get lost while the weather is bad or
 * the node is down, and a process that dies takes its connections with it.
 */
import type { Connect } from "../../actors/runtime/sockets.ts";
import type { Accept } from "../../src/sandbox/sockets.ts";
import { connectInProcess } from "../support/sockets.ts";
import type { Fate } from "./chance.ts";
import type { SimWorld, Time } from "./time.ts";
import type { Weather } from "./weather.ts";

export interface SocketOptions {
  readonly time: Time;
  readonly fate: Fate;
  readonly weather: Weather;
  /** Probability that a frame is lost, when the weather is not fair. */
  readonly rate: number;
  /** What becomes of a connection; null when it is refused. */
  readonly accept: (request: Request) => Accept | Response | null;
  readonly isDown: () => boolean;
  /** A frame was lost. */
  readonly lost: () => void;
}

const LATENCY_MS = 5;

export const networkSockets =
  ({ time, fate, weather, rate, accept, isDown, lost }: SocketOptions) =>
  (world: SimWorld): Connect => {
    const connect = connectInProcess({
      later: (act) => void time.at(time.now + LATENCY_MS, act),
      accept: (request) => {
        const accepted = isDown() ? null : accept(request);
        return accepted instanceof Response ? null : accepted;
      },
      frame: (text) => {
        const isLost = isDown() || (!weather.fair && fate.draw("frame", time.now).hits(rate));
        if (isLost) lost();
        return isLost ? null : text;
      },
    });
    return (url, events, options) => {
      const ifAlive =
        <T extends unknown[]>(tell: (...what: T) => void) =>
        (...what: T) => {
          if (world.alive) tell(...what);
        };
      const socket = connect(
        url,
        {
          opened: ifAlive(() => events.opened()),
          received: ifAlive((text: string) => events.received(text)),
          closed: ifAlive(() => events.closed()),
        },
        options,
      );
      world.whenDead(() => socket.close());
      return socket;
    };
  };
