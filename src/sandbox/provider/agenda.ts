/**
 * What happens by itself: SMS that arrive, activations that run out, webhooks that are due. The books say when; one timer
 * is armed at the earliest time, so that nothing is lost when the process restarts.
 */
import type { Cancel, Millis } from "../../../actors/runtime/world.ts";
import { type Activation, type Due, STATUS, SUBTYPE } from "./books.ts";
import { type Desk, end, greeting, receive } from "./desk.ts";

export class Agenda {
  readonly #desk: Desk;
  #armed: { at: Millis; cancel: Cancel } | null = null;
  #stopped = false;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  /**
   * Does all that is due, in the order of its time and as of that time, sends due webhooks and arms the timer. Called
   * before and after every request, so that no answer is older than the clock.
   */
  settle(): void {
    if (this.#stopped) return;
    const { world, webhooks, books } = this.#desk;
    const now = world.now();
    while (this.#step(now));
    webhooks.send();
    const never = Number.POSITIVE_INFINITY;
    const due = Math.min(books.nextSms()?.at ?? never, books.nextEnd()?.at ?? never, webhooks.nextDue() ?? never);
    this.#arm(due === never ? null : due);
  }

  stop(): void {
    this.#stopped = true;
    this.#arm(null);
  }

  /** @returns whether something was due. */
  #step(now: Millis): boolean {
    const sms = this.#desk.books.nextSms();
    const over = this.#desk.books.nextEnd();
    if (sms && sms.at <= now && (!over || sms.at <= over.at)) {
      this.#desk.books.atomically(() => this.#arrive(sms));
      return true;
    }
    if (over && over.at <= now) {
      this.#desk.books.atomically(() => this.#runOut(over));
      return true;
    }
    return false;
  }

  #arrive({ id, at }: Due): void {
    const { books } = this.#desk;
    books.forgetSms(id);
    const activation = books.activation(id);
    if (activation && activation.endedAt === null)
      receive(this.#desk, activation, greeting(this.#desk, activation), at);
  }

  /** The end of its life: charged when it got a code or was a rental, else refunded. */
  #runOut({ id, at }: Due): void {
    const activation = this.#desk.books.activation(id);
    if (activation) end(this.#desk, activation, this.#isCharged(activation) ? STATUS.finished : STATUS.refunded, at);
  }

  #isCharged(activation: Activation): boolean {
    return activation.subtype === SUBTYPE.rental || this.#desk.books.messages(activation.id).length > 0;
  }

  #arm(at: Millis | null): void {
    if (this.#armed && this.#armed.at === at) return;
    this.#armed?.cancel();
    this.#armed = null;
    if (at === null) return;
    const cancel = this.#desk.world.at(at, () => {
      this.#armed = null;
      this.settle();
    });
    this.#armed = { at, cancel };
  }
}
