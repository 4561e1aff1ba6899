/**
 * Everything the API can refuse with: one code, one status, one meaning. Expected outcomes are values of this type; exceptions
 * are bugs or lost peers.
 */

export const PROBLEMS = {
  VALIDATION_ERROR: { status: 400, retryable: false },
  INVALID_COUNTRY: { status: 400, retryable: false },
  INVALID_REFUND_INVOICE: { status: 400, retryable: false },
  INVALID_REFUND_ADDRESS: { status: 400, retryable: false },
  REFUND_INVOICE_EXPIRES_TOO_SOON: { status: 400, retryable: false },
  PAYMENT_REQUIRED: { status: 402, retryable: true },
  INVALID_MACAROON: { status: 403, retryable: false },
  EXPIRED_MACAROON: { status: 403, retryable: false },
  NOT_FOUND: { status: 404, retryable: false },
  CANCEL_TOO_SOON: { status: 409, retryable: true },
  CANCEL_SMS_RECEIVED: { status: 409, retryable: false },
  CANCEL_NOT_ALLOWED: { status: 409, retryable: false },
  REFUND_NOT_PENDING: { status: 409, retryable: false },
  IDEMPOTENCY_CONFLICT: { status: 409, retryable: false },
  PRICE_ABOVE_MAX: { status: 409, retryable: false },
  UNAVAILABLE: { status: 409, retryable: true },
  PAYLOAD_TOO_LARGE: { status: 413, retryable: false },
  RATE_LIMITED: { status: 429, retryable: true },
  INTERNAL: { status: 500, retryable: true },
  TEMPORARILY_UNAVAILABLE: { status: 503, retryable: true },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

export interface Problem {
  readonly problem: ProblemCode;
  /** Sentence case, for a person or an agent to read; never echoes a secret. */
  readonly message: string;
  /** What to do instead. */
  readonly suggestion?: string;
  readonly retryAfterSeconds?: number;
  /** Set where trying again cannot help although it usually does for this code, or the reverse. */
  readonly retryable?: boolean;
  /** Facts beside the error, e.g. `{nearest: [...]}`. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export function problem(code: ProblemCode, message: string, more: Omit<Problem, "problem" | "message"> = {}): Problem {
  return { problem: code, message, ...more };
}

export const isProblem = (value: object): value is Problem => "problem" in value;
