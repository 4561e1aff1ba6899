/** What a node says of itself, and the network that it said: it never changes it, so one answer is enough to check every invoice it makes. */
import type { Network, NodeInfo } from "./port.ts";

export interface KnownNetwork {
  /** Asks. */
  info(): Promise<NodeInfo>;
  /** Asks only until there was an answer. */
  network(): Promise<Network>;
}

export function knownNetwork(ask: () => Promise<NodeInfo>): KnownNetwork {
  let known: Network | null = null;
  const info = async (): Promise<NodeInfo> => {
    const answer = await ask();
    known = answer.network;
    return answer;
  };
  return { info, network: async () => known ?? (await info()).network };
}
