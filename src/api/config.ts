/** What the HTTP layer needs to know; made and checked by the configuration of the process. */

/** A token bucket: `burst` requests at once, refilled at `perMinute`. */
export interface Rate {
  readonly perMinute: number;
  readonly burst: number;
}

export interface ApiConfig {
  /** Base URL without a slash at the end, or "" to take it from each request's Host. */
  readonly publicUrl: string;
  readonly version: string;
  readonly serviceName: string;
  /** No real money, no real numbers; the documents say so. */
  readonly sandbox: boolean;
  /** Where the sandbox's controls are, without a slash at the end; only of a sandbox. */
  readonly sandboxUrl?: string;
  /** Content of `/.well-known/402index-verify.txt`. */
  readonly indexVerifyToken: string | null;
  /** Last segment of the provider's webhook path; null closes that path. */
  readonly webhookSecret: string | null;
  /** Addresses or CIDR blocks from which the webhook is taken without the secret. */
  readonly webhookAllow: readonly string[];
  /** Addresses or CIDR blocks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. */
  readonly trustedProxies: readonly string[];
  /** Bearer token of `/metrics`; without it, metrics are for this machine only. */
  readonly metricsToken: string | null;
  /** Per client address: IPv4 /32, IPv6 /64. */
  readonly limits: { readonly orders: Rate; readonly reads: Rate };
  /** How prices come about, one sentence. */
  readonly priceRule: string;
  /** How to reach the operator, as text. */
  readonly operatorContact: string | null;
  /** Whether notices go out over Nostr; the documents offer them only then. */
  readonly notices: boolean;
  /** Services the operator does not sell, as text. */
  readonly blockedServices: readonly string[];
  /** Countries the operator does not sell, as text. */
  readonly blockedCountries: readonly string[];
  readonly times: ApiTimes;
}

/** The policy's times as the documents tell them, in ms. */
export interface ApiTimes {
  readonly invoiceExpiryMs: number;
  readonly cancelAfterMs: number;
  readonly smsTimeoutMs: number;
  /** Least remaining life of a refund invoice when it is given. */
  readonly refundInvoiceLifeMs: number;
  /** How long codes and messages stay readable after an order ended. */
  readonly codeRetentionMs: number;
}
