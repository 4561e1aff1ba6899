/**
 * Who may do what with which order. Reads the credentials of a request and decides everything that can be decided
 * without looking at an order, so that "no such order" and "not yours" cannot be told apart (docs/architecture.md, invariant 17).
 */
import type { World } from "../../actors/runtime/world.ts";
import { type HeaderSource, presentedAs } from "../l402/authorization.ts";
import { allows, type Capability } from "../l402/caveats.ts";
import { type Credential, type Grant, type Judgement, readCredential } from "../l402/credential.ts";
import type { RootKeys } from "../l402/keys.ts";
import { ProvenCredentials } from "../l402/proven.ts";
import type { Revocations } from "../l402/revocations.ts";
import type { PaymentFault, PaymentProof } from "../mpp/credential.ts";
import type { Bearer, CreateInput } from "../orders/desk.ts";
import { type Problem, problem } from "../orders/problem.ts";
import type { PaymentScheme } from "./payment-scheme.ts";

/** Who opens an order; `proof` when that was shown with the `Payment` scheme. */
export interface Opened {
  readonly bearer: Bearer;
  readonly proof: PaymentProof | null;
}

/** What came with a purchase. At most one of the three is there. */
export type Holder = Pick<CreateInput, "bearer" | "unpaidBearer"> & {
  readonly proof: PaymentProof | null;
  /** Why a `Payment` credential was not taken. */
  readonly fault: PaymentFault | null;
};

/** How a credential stands to the order that a path names. */
export type Opening =
  | ({ readonly kind: "open" } & Opened)
  /** Ours and of this order, but without proof of payment: it may still pay. */
  | { readonly kind: "unpaid"; readonly macaroon: string };

const HOW = "Send Authorization: L402 <macaroon>:<preimage> of this order";
const NONE = problem("INVALID_MACAROON", "This needs the L402 credential of the order", { suggestion: HOW });
const INVALID = problem("INVALID_MACAROON", "The credential does not open this order", { suggestion: HOW });
const EXPIRED = problem("EXPIRED_MACAROON", "The credential has expired", {
  suggestion: "Contact the operator if sats of this order are still owed to you",
});
const NOT_FOUND = problem("NOT_FOUND", "No such order");

export class Access {
  readonly #keys: RootKeys;
  readonly #world: World;
  readonly #payments: PaymentScheme;
  readonly #revocations: Revocations;
  readonly #proven = new ProvenCredentials();

  constructor(keys: RootKeys, world: World, payments: PaymentScheme, revocations: Revocations) {
    this.#revocations = revocations;
    this.#keys = keys;
    this.#world = world;
    this.#payments = payments;
  }

  /** For what is done with one order. */
  open(headers: HeaderSource, orderId: string, capability: Capability): Opening | Problem {
    const payment = this.#payments.judge(headers);
    // It names its own order: of another one it is as foreign as a macaroon would be.
    if (payment.kind === "proven" && payment.proof.orderId === orderId)
      return { kind: "open", ...openedBy(payment.proof) };
    const credential = this.#judge(headers, orderId);
    if (payment.kind === "proven" && credential.kind !== "paid") return NOT_FOUND;
    if (credential.kind === "none") return payment.kind === "none" ? NONE : INVALID;
    if (credential.kind === "invalid") return INVALID;
    if (credential.orderId !== orderId) return credential.kind === "paid" && !credential.expired ? NOT_FOUND : INVALID;
    if (credential.expired) return EXPIRED;
    if (credential.kind === "unpaid") return { kind: "unpaid", macaroon: credential.macaroon };
    if (!allows(credential.capabilities, capability)) {
      return problem("INVALID_MACAROON", `The credential was restricted and lacks the capability "${capability}"`, {
        suggestion: "Ask whoever gave you the credential for a wider one",
      });
    }
    return { kind: "open", bearer: bearerOf(credential), proof: null };
  }

  /**
   * For a purchase: whatever is wrong with a credential, it is as if none had come, because clients recover from nothing
   * but a fresh 402. `orderId` is the earlier order that the purchase names.
   */
  forPurchase(headers: HeaderSource, orderId: string | undefined): Holder {
    const payment = this.#payments.judge(headers);
    const nobody = { bearer: null, unpaidBearer: null, proof: null, fault: null };
    if (payment.kind === "proven") return { ...nobody, ...openedBy(payment.proof) };
    const credential = this.#judge(headers, orderId);
    if (credential.kind === "paid" && !credential.expired) return { ...nobody, bearer: bearerOf(credential) };
    if (credential.kind === "unpaid" && !credential.expired) {
      const { orderId, macaroon } = credential;
      return { ...nobody, unpaidBearer: { orderId, macaroon } };
    }
    return { ...nobody, fault: payment.kind === "refused" ? payment.fault : null };
  }

  /** The owner of the earlier order, from `parentCredential` in the body. */
  parent(text: string, orderId: string | undefined): Bearer | null {
    const credential = readCredential(presentedAs(text), this.#judgement(orderId));
    return credential.kind === "paid" && !credential.expired ? bearerOf(credential) : null;
  }

  #judge(headers: HeaderSource, orderId: string | undefined): Credential {
    return this.#proven.read(headers, this.#judgement(orderId));
  }

  #judgement(orderId: string | undefined): Judgement {
    return {
      keys: this.#keys,
      now: this.#world.now(),
      revocations: this.#revocations,
      ...(orderId !== undefined && { orderId }),
    };
  }
}

/** A challenge has no caveats: who answers it holds the order with full rights. */
function openedBy(proof: PaymentProof): Opened {
  return { bearer: { orderId: proof.orderId, paymentHash: proof.paymentHash, capabilities: "all" }, proof };
}

function bearerOf({ orderId, paymentHash, capabilities }: Grant): Bearer {
  return { orderId, paymentHash, capabilities };
}
