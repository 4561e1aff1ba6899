/** Rows of clients that no registry has, by the rules of `clients.ts`. */
import { type Challenge, CLIENTS, type Client } from "../clients.ts";
import { type Driver, purchase, type Session, type Shop } from "./client-row.ts";

function start(client: Client, shop: Shop): Session {
  let challenge: Challenge | null = null;
  const read = async (): Promise<Challenge> => {
    const response = await purchase(shop);
    return client.read(response, await response.text());
  };
  const shown = async (): Promise<Headers> => {
    if (!challenge) throw new Error("there is no challenge");
    const headers = new Headers();
    for (const [name, value] of client.show(challenge, await shop.pay(challenge.invoice))) headers.append(name, value);
    return headers;
  };
  const show = async (): Promise<Response> =>
    client.dropsBody
      ? fetch(shop.orderUrl, { method: "POST", headers: await shown() })
      : purchase(shop, Object.fromEntries(await shown()));
  return {
    async buy() {
      challenge = await read();
      if (client.asksAgain) challenge = await read();
      return show();
    },
    replay: show,
    // A client that knows only the URL it bought at repeats the purchase instead.
    poll: async (url) => (client.repeats ? show() : fetch(url, { headers: await shown() })),
    // Challenges are kept by all of them until they are paid; the wallet has the preimage.
    recover: show,
  };
}

export const RULE_DRIVERS: readonly Driver[] = CLIENTS.map((client) => ({
  client: client.name,
  version: "documented behaviour",
  how: "rules" as const,
  start: (shop: Shop) => start(client, shop),
}));
