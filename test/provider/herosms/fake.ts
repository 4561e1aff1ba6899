/** A server that answers like HeroSMS with whatever body a test wants, and the adapter talking to it. */
import type { Server } from "bun";
import { microUsd } from "../../../actors/order/money.ts";
import { RealWorld } from "../../../actors/runtime/world.ts";
import { createHeroSms } from "../../../src/provider/herosms/adapter.ts";
import type { AccountTrouble } from "../../../src/provider/port.ts";

export const KEY = "k3y0f7h34cc0un7abcdef";

/** A body at 200, or a status with a body and perhaps headers. */
export type Reply = string | readonly [status: number, body: string, headers?: Record<string, string>];
/** `never` leaves the request without an answer. */
export type Route = Reply | "never" | ((params: URLSearchParams, call: number) => Reply | Promise<Reply>);

export interface Seen {
  readonly action: string;
  readonly method: string;
  readonly params: URLSearchParams;
  readonly headers: Headers;
}

const servers: Server<undefined>[] = [];

/** Stops what the tests of a file started. */
export async function stopServers(): Promise<void> {
  await Promise.all(servers.splice(0).map((server) => server.stop(true)));
}

/** Routes are named by action, REST v1 by "v1/" and its path. What has no route answers as the live service does. */
export function serve(routes: Record<string, Route>) {
  const seen: Seen[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const url = new URL(request.url);
      const rest = url.pathname.startsWith("/api/v1/");
      const action = rest ? `v1/${url.pathname.slice("/api/v1/".length)}` : (url.searchParams.get("action") ?? "");
      const call = seen.filter((one) => one.action === action).length;
      seen.push({ action, method: request.method, params: url.searchParams, headers: request.headers });
      const route = routes[action];
      if (route === "never") return await new Promise<Response>(() => {});
      const reply = typeof route === "function" ? await route(url.searchParams, call) : route;
      const [status, body, headers] =
        reply === undefined
          ? rest
            ? ([404, "<html><h1>404 Not Found</h1></html>"] as const)
            : ([404, '{"title":"BAD_ACTION","details":"Method Not Found"}'] as const)
          : typeof reply === "string"
            ? ([200, reply] as const)
            : reply;
      return new Response(status === 204 ? null : body, {
        status,
        headers: { "content-type": "text/html; charset=UTF-8", ...headers },
      });
    },
  });
  servers.push(server);
  return { seen, baseUrl: `http://127.0.0.1:${server.port}`, actions: () => seen.map(({ action }) => action) };
}

export function adapterFor(baseUrl: string, apiKey = KEY) {
  const world = new RealWorld();
  const troubles: AccountTrouble[] = [];
  const provider = createHeroSms({ world, baseUrl, apiKey, onTrouble: (trouble) => troubles.push(trouble) });
  return { world, troubles, provider };
}

export function start(routes: Record<string, Route>) {
  const fake = serve(routes);
  return { ...fake, ...adapterFor(fake.baseUrl) };
}

export const usd = (amount: number) => microUsd(Math.round(amount * 1e6));

/** Resolves when what was handed to `World.soon` has run. */
export const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** getNumberV2, HeroSMS docs. */
export const PURCHASE =
  '{"activationId":"635468024","phoneNumber":"79584123456","activationCost":12.5,"currency":840,"countryCode":6,"countryPhoneCode":62,"canGetAnotherSms":true,"activationTime":"2026-02-18T16:11:33+00:00","activationEndTime":"2026-02-18T18:11:23+00:00","activationOperator":"any","verificationType":"sms","subtype":1,"serviceCode":"vk","status":4}';

/** The error envelopes of the HeroSMS docs, word for word. */
export const ENVELOPES = {
  badKey: [401, '{"title":"BAD_KEY","details":"Unauthorized"}'],
  noBalance: [402, '{"title":"NO_BALANCE","details":"Payment Required"}'],
  channelsLimit: [
    403,
    '{"title":"CHANNELS_LIMIT","details":"You have reached the maximum number of concurrent threads (purchases) allowed for your account. Contact the technical support.","info":{"current_threads":0,"max_allowed":-1}}',
  ],
  serviceNotAvailable: [
    403,
    '{"title":"SERVICE_NOT_AVAILABLE","details":"Service not available for sale. Contact the technical support."}',
  ],
  bannedGlobal: [
    403,
    '{"title":"BANNED","details":"Your account is temporarily suspended from making any purchases.","info":{"scope":"global","banned_until":1739448000,"retry_after_seconds":3600,"readable_date":"2026-02-13T12:00:00+00:00"}}',
  ],
  bannedSpecific: [
    403,
    '{"title":"BANNED","details":"Account temporarily suspended for this specific country/service pair.","info":{"scope":"specific","banned_until":1739448000,"retry_after_seconds":3600,"readable_date":"2026-02-20T15:00:00+00:00"}}',
  ],
  accountInactive: [403, '{"title":"ACCOUNT_INACTIVE","details":"Activate your account"}'],
  wrongMaxPrice: [
    400,
    '{"title":"WRONG_MAX_PRICE","details":"The maximum price is less than the permitted price","info":{"min":0.1234}}',
  ],
  badStatus: [400, '{"title":"BAD_STATUS","details":"Wrong status code"}'],
  notFound: [404, '{"title":"NOT_FOUND","details":"Activation Not Found"}'],
  badAction: [404, '{"title":"BAD_ACTION","details":"Method Not Found"}'],
  earlyCancelDenied: [
    409,
    '{"title":"EARLY_CANCEL_DENIED","details":"Activation cannot be cancelled at this time. Minimum activation period must pass.","info":{"minActivationTime":120}}',
  ],
  otpReceived: [
    409,
    '{"title":"OTP_RECEIVED","details":"Cannot terminate activation - OTP has been received on this number"}',
  ],
  newOtpReceived: [
    409,
    '{"title":"NEW_OTP_RECEIVED","details":"Otp was received on this number. Please confirm termination.","info":{"data":[{"id":"3416693217","phoneFrom":"Telegram","code":"123456","text":"Telegram code 123456","service":"tg","date":"2026-02-16T12:36:59+03:00","type":"sms"},{"id":"3416693218","phoneFrom":"213421421431","code":null,"text":null,"service":"tg","date":"2026-02-16T12:36:59+03:00","type":"call"}]}}',
  ],
  freeCancellationExpired: [
    409,
    '{"title":"FREE_CANCELLATION_EXPIRED","details":"Cannot terminate activation - time limit exceeded (20 minutes)"}',
  ],
  notActive: [
    409,
    '{"title":"ACTIVATION_NOT_ACTIVE","details":"Activation is terminated/refunded and Otp cannot be retrieved"}',
  ],
  serverError: [500, '{"title":"SERVER_ERROR","details":"Server Gone"}'],
} as const satisfies Record<string, Reply>;

/** Answers that are no word of the service at all. */
export const BROKEN = {
  emptyOk: [200, ""],
  html403: [403, "<html><head><title>403 Forbidden</title></head></html>"],
  cloudflare1020: [403, "error code: 1020"],
  bare400: [400, ""],
  rateLimit: [429, '{"title":"RATE_LIMIT","details":""}'],
  html429: [429, "<html>Too Many Requests</html>"],
  html502: [502, "<html><h1>502 Bad Gateway</h1></html>"],
  html503: [503, "<html>Service Unavailable</html>"],
  htmlOk: [200, "<html>Welcome</html>"],
  redirect: [302, "", { location: "https://hero-sms.com/login" }],
  cutJson: [200, '{"activationId":"635468024","phoneNumber":"7958412'],
  unknownWord: [200, "SOMETHING_NEW"],
} as const satisfies Record<string, Reply>;

/** The words of the text form that are still accepted. */
export const WORDS = [
  "NO_KEY",
  "BAD_KEY",
  "BAD_ACTION",
  "BAD_SERVICE",
  "BAD_STATUS",
  "NO_NUMBERS",
  "NO_BALANCE",
  "NO_ACTIVATION",
  "WRONG_ACTIVATION_ID",
  "EARLY_CANCEL_DENIED",
  "CHANNELS_LIMIT",
  "WRONG_MAX_PRICE:0.025",
  "BANNED:'2026-02-20 15-00-00'",
  "ERROR_SQL",
  "OPERATORS_NOT_FOUND",
  "ORDER_ALREADY_EXISTS",
  "UNPROCESSABLE_ENTITY:service:INVALID",
  "WRONG_EXCEPTION_PHONE",
  "NOT_AVAILABLE",
  "BAD_BALANCE",
  "ERROR_SQL25",
  "WHATSAPP_NOT_AVAILABLE",
  "NO_YULA_MAIL",
  "BAD_COUNTRY",
  "MAX_RENT_DATE_ERROR",
] as const;
export type Word = (typeof WORDS)[number];
