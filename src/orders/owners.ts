/** Who opens orders, by pseudonym: limits need to tell clients apart, not to know their addresses. */
import type { RootKeys } from "../l402/keys.ts";
import type { CreateInput } from "./desk.ts";
import type { Owner } from "./holders.ts";

/** Who comes, comes again: two HMACs less for each order. */
const MAX_REMEMBERED = 1_000;

export class Owners {
  readonly #keys: Pick<RootKeys, "pseudonym">;
  /** By client, which alone says what its network is. */
  readonly #known = new Map<string, Owner>();

  constructor(keys: Pick<RootKeys, "pseudonym">) {
    this.#keys = keys;
  }

  of({ client, network = client }: Pick<CreateInput, "client" | "network">): Owner {
    const known = this.#known.get(client);
    if (known) return known;
    const owner = { client: this.#keys.pseudonym(client), network: this.#keys.pseudonym(network) };
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.set(client, owner);
    return owner;
  }
}
