/**
 * A peer with a key to it: what the tests of the provider peer share.
 */
import { Database } from "bun:sqlite";
import { Faults } from "../../../src/sandbox/faults.ts";
import { ProviderPeer, type ProviderPeerOptions } from "../../../src/sandbox/provider/peer.ts";
import { ManualWorld } from "./manual-world.ts";

export type Query = Record<string, string | number>;

export function openDesk(options: Partial<ProviderPeerOptions> & { world?: ManualWorld } = {}) {
  const world = options.world ?? new ManualWorld();
  const faults = options.faults ?? new Faults();
  const books = options.books ?? new Database(":memory:");
  const peer = new ProviderPeer({ smsAfterMs: null, webhooks: () => [], ...options, world, faults, books });

  const send = async (path: string, init: RequestInit = {}) => {
    const response = await peer.fetch(new Request(`http://provider.test${path}`, init));
    const text = await response.text();
    // JSON stays untyped: what it holds is what the tests are about.
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
  };
  const ask = (action: string, query: Query = {}, init: RequestInit = {}) => {
    const params = new URLSearchParams({ action, api_key: "key" });
    for (const [name, value] of Object.entries(query)) params.set(name, String(value));
    return send(`/stubs/handler_api.php?${params}`, init);
  };
  const v1 = (path: string, method = "GET", key: string | null = "key") =>
    send(`/api/v1/${path}`, { method, ...(key && { headers: { authorization: `ApiKey ${key}` } }) });
  /** Buys an activation and returns its id and number. */
  const buy = async (query: Query = {}): Promise<{ id: string; phone: string; cost: number }> => {
    const bought = (await ask("getNumberV2", { country: 187, service: "tg", ...query })).json();
    return { id: bought.activationId, phone: bought.phoneNumber, cost: bought.activationCost };
  };
  const status = async (id: string): Promise<string> => (await ask("getStatus", { id })).text;
  const plan = (action: string, fault: string, detail: Record<string, unknown> = {}, times = 1): void =>
    faults.plan({ peer: "provider", action, fault, detail }, times);
  const row = (id: string) => {
    const found = peer.view().activations.find(({ activationId }) => activationId === id);
    if (!found) throw new Error(`No activation ${id} in the books`);
    return found;
  };
  return { world, faults, books, peer, send, ask, v1, buy, status, plan, row };
}

/** An answer of the peer; `json()` fails the test when the body is none. */
export type Heard = Awaited<ReturnType<ReturnType<typeof openDesk>["send"]>>;
