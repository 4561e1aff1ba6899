/**
 * Ending an activation: setStatus, finishActivation, cancelActivation and their REST twins. An SMS the customer has not read
 * forbids both until it was shown; an SMS that was read forbids the refund; a cancel needs 120 s since the buy, and for
 * rentals and other long numbers at most 20 minutes (HeroSMS docs, "Change activation status"; rules page).
 */
import {
  ACTIVATION_NOT_ACTIVE,
  type Answer,
  BAD_STATUS,
  EARLY_CANCEL_DENIED,
  FREE_CANCELLATION_EXPIRED,
  NO_CONTENT,
  NOT_FOUND,
  newOtpReceived,
  OTP_RECEIVED,
  type Refusal,
  text,
} from "./answers.ts";
import { type Activation, STATUS, SUBTYPE } from "./books.ts";
import { type Desk, end } from "./desk.ts";
import { sms } from "./forms.ts";
import { integer, type Params, refused } from "./params.ts";

const MIN_ACTIVATION_MS = 120_000;
const FREE_CANCELLATION_MS = 20 * 60_000;
const LONG_MS = 24 * 3_600_000;

export function setStatus(desk: Desk, params: Params): Answer {
  const id = integer(params, "id");
  if (refused(id)) return id;
  const status = integer(params, "status");
  if (refused(status)) return status;
  const activation = desk.books.activation(id);
  if (!activation) return NOT_FOUND;
  switch (status) {
    case 1:
      // "SMS was sent" of the old protocol; the current enumeration has it no more.
      return desk.mode === "legacy" && activation.endedAt === null ? text("ACCESS_READY") : BAD_STATUS;
    case 3:
      return askForAnother(desk, activation) ?? text("ACCESS_RETRY_GET");
    case 6:
      return finish(desk, id) ?? text("ACCESS_ACTIVATION");
    case 8:
      return cancel(desk, id) ?? text("ACCESS_CANCEL");
    default:
      return BAD_STATUS;
  }
}

export function finishActivation(desk: Desk, params: Params): Answer {
  const id = integer(params, "id");
  return refused(id) ? id : (finish(desk, id) ?? NO_CONTENT);
}

export function cancelActivation(desk: Desk, params: Params): Answer {
  const id = integer(params, "id");
  return refused(id) ? id : (cancel(desk, id) ?? NO_CONTENT);
}

/** Ends it as a success, without a refund. @returns null when done. */
export function finish(desk: Desk, id: number): Refusal | null {
  const activation = desk.books.activation(id);
  if (!activation) return NOT_FOUND;
  if (activation.endedAt !== null) return ACTIVATION_NOT_ACTIVE;
  // The old protocol has no confirmation step.
  const unread = desk.mode === "legacy" ? null : unreadMessages(desk, activation);
  if (unread) return unread;
  const empty = desk.books.messages(id).length === 0;
  if (empty && activation.subtype === SUBTYPE.activation) return BAD_STATUS;
  end(desk, activation, STATUS.finished, desk.world.now());
  return null;
}

/** Ends it with a refund. @returns null when done. */
export function cancel(desk: Desk, id: number): Refusal | null {
  const activation = desk.books.activation(id);
  if (!activation) return NOT_FOUND;
  if (activation.endedAt !== null) return ACTIVATION_NOT_ACTIVE;
  const unread = unreadMessages(desk, activation);
  if (unread) return unread;
  if (desk.books.messages(id).length > 0) return OTP_RECEIVED;
  const age = desk.world.now() - activation.boughtAt;
  if (age < MIN_ACTIVATION_MS) return EARLY_CANCEL_DENIED;
  if (isLong(activation) && age > FREE_CANCELLATION_MS) return FREE_CANCELLATION_EXPIRED;
  end(desk, activation, STATUS.cancelled, desk.world.now());
  return null;
}

/** Waits for one more SMS on the same activation, free of charge. */
function askForAnother(desk: Desk, activation: Activation): Refusal | null {
  if (activation.endedAt !== null) return ACTIVATION_NOT_ACTIVE;
  if (desk.books.messages(activation.id).length === 0) return BAD_STATUS;
  desk.books.setStatus(activation.id, STATUS.resend);
  return null;
}

/** NEW_OTP_RECEIVED shows the messages, so they count as read from then on: the repeat is the confirmation. */
function unreadMessages(desk: Desk, activation: Activation): Refusal | null {
  const unread = desk.books.messages(activation.id).filter(({ seen }) => seen === 0);
  if (unread.length === 0) return null;
  desk.books.markSeen(activation.id);
  return newOtpReceived(unread.map((message) => sms(message, activation.service)));
}

const isLong = (activation: Activation): boolean =>
  activation.subtype === SUBTYPE.rental || activation.endsAt - activation.boughtAt >= LONG_MS;
