/** A provider that says what the test lets it say; purchases wait until they are answered. */
import { microUsd } from "../../actors/order/money.ts";
import {
  type ActiveActivation,
  type Bought,
  type BuyOutcome,
  type Listing,
  type NumberProvider,
  type PastActivation,
  ProviderUnavailable,
} from "../../src/provider/port.ts";

export interface Sent {
  readonly what: "activation" | "rental" | "reactivation";
  readonly request: unknown;
  answer(outcome: BuyOutcome): void;
  fail(error: Error): void;
}

export class ScriptedProvider
  implements Pick<NumberProvider, "listing" | "history" | "buyActivation" | "buyRental" | "reactivate">
{
  /** What the active list shows; null when it cannot be read. */
  listed: ActiveActivation[] | null = [];
  /** What the history shows; null when it cannot be read. */
  past: PastActivation[] | null = [];
  /** Purchases that were sent. */
  readonly sent: Sent[] = [];
  /** Called when a purchase goes out, before it is answered. */
  onSend: () => void = () => {};
  looks = 0;
  now: () => number | null;
  readonly ours: () => number;

  /**
   * @param ours our clock
   * @param now its own; null is a provider that tells no time
   */
  constructor(ours: () => number, now: () => number | null = ours) {
    this.ours = ours;
    this.now = now;
  }

  async listing(): Promise<Listing> {
    this.looks++;
    if (!this.listed) throw new ProviderUnavailable("no list");
    return { at: this.ours(), toldAt: this.now(), rows: [...this.listed] };
  }

  async history(from: number, to: number): Promise<PastActivation[]> {
    if (!this.past) throw new ProviderUnavailable("no history");
    return this.past.filter(({ at }) => at === null || (at >= from && at <= to));
  }

  buyActivation = (request: unknown): Promise<BuyOutcome> => this.#send("activation", request);
  buyRental = (request: unknown): Promise<BuyOutcome> => this.#send("rental", request);
  reactivate = (request: unknown): Promise<BuyOutcome> => this.#send("reactivation", request);

  #send(what: Sent["what"], request: unknown): Promise<BuyOutcome> {
    this.onSend();
    return new Promise((resolve, reject) => this.sent.push({ what, request, answer: resolve, fail: reject }));
  }
}

export const bought = (activationId: string, changes: Partial<Bought> = {}): BuyOutcome => ({
  kind: "bought",
  bought: {
    activationId,
    phoneNumber: `+1555${activationId}`,
    cost: microUsd(200_000),
    currency: 840,
    country: 187,
    service: "tg",
    endsAt: null,
    ...changes,
  },
});

export const activeRow = (activationId: string, changes: Partial<ActiveActivation> = {}): ActiveActivation => ({
  activationId,
  service: "tg",
  country: 187,
  phoneNumber: `+1555${activationId}`,
  cost: microUsd(200_000),
  boughtAt: null,
  endsAt: null,
  rental: false,
  newest: null,
  message: null,
  ...changes,
});

export const pastRow = (
  activationId: string,
  at: number | null,
  changes: Partial<PastActivation> = {},
): PastActivation => ({
  activationId,
  phoneNumber: `+1555${activationId}`,
  cost: microUsd(200_000),
  at,
  service: "tg",
  country: 187,
  standing: "ended",
  ...changes,
});
