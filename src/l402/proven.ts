/**
 * Remembers credentials that were proven, because clients poll with the same one for minutes. What is remembered is that chain, caveats and
 * preimage hold, which a given text always does or never; revocation and expiry are asked at every hit.
 *
 * Only paid credentials get in, so nobody fills it for free. The key is a digest: neither tokens nor preimages lie here as keys, and how long
 * a look-up takes says nothing about them.
 */
import { Recent } from "../recent.ts";
import { type HeaderSource, presentedAlone, presentedIn } from "./authorization.ts";
import { bestOf, type Credential, type Judgement, type Proven, prove } from "./credential.ts";

const MOST = 10_000;
/** Clients poll every few seconds while they wait: who pauses for longer pays for one more check. */
const REMEMBERED_MS = 10 * 60_000;
/** In characters. Clients send less than 1 KB; who pads a credential that was paid for fills at most 20 MB. */
const MAX_LENGTH = 2_048;

export class ProvenCredentials {
  readonly #known: Recent<string, readonly Proven[]>;

  constructor(most = MOST) {
    this.#known = new Recent({ most, forMs: REMEMBERED_MS });
  }

  get size(): number {
    return this.#known.size;
  }

  /** As `readCredential` of everything presented in these headers. */
  read(headers: HeaderSource, judgement: Judgement): Credential {
    const alone = presentedAlone(headers);
    const key = alone === null || alone.length > MAX_LENGTH ? null : Bun.SHA256.hash(alone, "base64");
    const known = key === null ? undefined : this.#known.get(key, judgement.now);
    if (known) return bestOf(known, false, judgement);
    const { credentials, malformed } = presentedIn(headers);
    const proven = credentials.map((presented) => prove(presented, judgement.keys));
    const good = proven.filter((one): one is Proven => one?.paid === true);
    const isWhole = !malformed && good.length === proven.length && good.length > 0;
    if (key !== null && isWhole) this.#known.set(key, good, judgement.now);
    return bestOf(proven, malformed, judgement);
  }
}
