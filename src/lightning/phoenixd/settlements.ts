/**
 * Settlements of a phoenixd node as they happen. Its WebSocket tells what is paid from now on and repeats nothing, so after
 * connecting the list is read from the cursor on.
 */
import { hash32, parseObject } from "../answers.ts";
import { TimeCursor, type Told, ToldHashes } from "../told.ts";
import { settledFrom, settlementOf } from "./invoices.ts";
import type { Phoenixd } from "./rest.ts";

const CONNECT_MS = 15_000;
const MAX_FRAME = 64 * 1024;

/** @throws NodeUnavailable when the connection ends otherwise than by `signal`. @throws RangeError for a cursor that is none. */
export async function* settlements(api: Phoenixd, cursor: string | null, signal: AbortSignal): AsyncGenerator<Told> {
  const from = TimeCursor.parse(cursor);
  const hashes = new ToldHashes(signal, "websocket: the connection ended");
  const socket = listen(api, hashes, signal);
  try {
    await socket.opened;
    if (!hashes.isWanted()) return;
    const time = new TimeCursor(api.world, from);
    if (from !== null) {
      const missed = await settledFrom(api, time.overlap);
      for (const settlement of missed.sort((a, b) => a.settledAt - b.settledAt)) {
        if (signal.aborted) return;
        yield time.told(settlement);
      }
    }
    for (let hash = await hashes.next(); hash !== null; hash = await hashes.next()) {
      const settlement = await settlementOf(api, hash);
      if (settlement) yield time.told(settlement);
    }
  } finally {
    socket.close();
    hashes.close();
  }
}

interface Socket {
  /** Resolves when it is open, or never will be, or is not wanted any more. */
  readonly opened: Promise<void>;
  close(): void;
}

function listen({ world, baseUrl, authorization }: Phoenixd, hashes: ToldHashes, signal: AbortSignal): Socket {
  let settle: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const over = () => {
    hashes.end();
    settle();
  };
  const tooLate = world.at(world.now() + CONNECT_MS, over);
  const socket = world.connect(
    `${baseUrl.replace(/^http/, "ws")}/websocket`,
    {
      opened() {
        tooLate();
        settle();
      },
      received(text) {
        const event = text.length <= MAX_FRAME ? parseObject(text) : null;
        const hash = event?.type === "payment_received" ? hash32(event.paymentHash) : null;
        if (hash !== null) hashes.add(hash);
      },
      closed: over,
    },
    { headers: { Authorization: authorization } },
  );
  signal.addEventListener("abort", settle, { once: true });
  if (signal.aborted) settle();
  return {
    opened,
    close() {
      tooLate();
      signal.removeEventListener("abort", settle);
      socket.close();
    },
  };
}
