/**
 * Remembers credentials that were proven, because clients poll with the same one for minutes. What is remembered is that chain, caveats and
 * preimage hold, which a given text always does or never; revocation and expiry are asked at every hit.
 *
 * Only paid credentials get in, so nobody fills it for free. The key is a digest: neither tokens nor preimages lie here as keys, and how long
 * a look-up takes says nothing about them.
 */
import { type HeaderSource, presentedAlone, presentedIn } from "./authorization.ts";
import { bestOf, type Credential, type Judgement, type Proven, prove } from "./credential.ts";

const MOST = 10_000;
/** In characters. Clients send less than 1 KB; who pads a credential that was paid for fills at most 20 MB. */
const MAX_LENGTH = 2_048;

export class ProvenCredentials {
  /** Least recently used first. */
  readonly #known = new Map<string, readonly Proven[]>();
  readonly #most: number;

  constructor(most = MOST) {
    this.#most = most;
  }

  get size(): number {
    return this.#known.size;
  }

  /** As `readCredential` of everything presented in these headers. */
  read(headers: HeaderSource, judgement: Judgement): Credential {
    const alone = presentedAlone(headers);
    const key = alone === null || alone.length > MAX_LENGTH ? null : Bun.SHA256.hash(alone, "base64");
    const known = key === null ? undefined : this.#known.get(key);
    if (key !== null && known) {
      this.#known.delete(key);
      this.#known.set(key, known);
      return bestOf(known, false, judgement);
    }
    const { credentials, malformed } = presentedIn(headers);
    const proven = credentials.map((presented) => prove(presented, judgement.keys));
    const good = proven.filter((one): one is Proven => one?.paid === true);
    if (key !== null && !malformed && good.length === proven.length && good.length > 0) this.#keep(key, good);
    return bestOf(proven, malformed, judgement);
  }

  #keep(key: string, proven: readonly Proven[]): void {
    this.#known.set(key, proven);
    if (this.#known.size <= this.#most) return;
    const oldest = this.#known.keys().next();
    if (!oldest.done) this.#known.delete(oldest.value);
  }
}
