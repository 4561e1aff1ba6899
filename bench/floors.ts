/** Starts floors that answer with the very bytes of the service. */
import type { FloorAnswer } from "./floor.ts";
import { type Running, scratch, start } from "./processes.ts";

/** Headers that the listener writes by itself. */
const OWN = new Set(["date", "content-length", "connection", "keep-alive", "transfer-encoding"]);

let files = 0;

export async function floorOf(
  kind: "bun" | "elysia" | "duties" | "stored" | "relay" | "alby" | "alby-express",
  answer: FloorAnswer,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly process: Running; readonly port: number }> {
  const file = scratch(`answer-${files++}.json`);
  await Bun.write(file, JSON.stringify(answer));
  const process = await start(["bench/floor.ts", kind, file], env, /^Floor on port (\d+)/m);
  return { process, port: Number(process.found[1]) };
}

/** One answer of the service as it goes over the wire, still compressed if it is. */
export async function sampleOf(url: string, init: RequestInit): Promise<Omit<FloorAnswer, "route">> {
  const response = await fetch(url, { ...init, decompress: false });
  const headers = Object.fromEntries([...response.headers].filter(([name]) => !OWN.has(name)));
  return {
    status: response.status,
    headers,
    body: Buffer.from(await response.arrayBuffer()).toString("base64"),
  };
}
