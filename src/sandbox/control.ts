/**
 * The control surface of the sandbox: what people and tests do to the world around the service. `GET /sandbox` lists the
 * calls.
 */
import type { Static, TObject } from "@sinclair/typebox";
import { iso } from "../../actors/runtime/world.ts";
import { answer, refuse } from "./answers.ts";
import type { SandboxClock } from "./clock.ts";
import { ClockBody, FaultBody, FollowBody, InvoiceBody, PayBody, readBody, SmsBody } from "./control-bodies.ts";
import { faultRefusal } from "./fault-names.ts";
import type { Faults } from "./faults.ts";
import type { Followers, Line } from "./followers.ts";
import type { LightningPeer } from "./lightning/peer.ts";
import { WalletRefused } from "./lightning/wallet.ts";
import type { ProviderPeer } from "./provider/peer.ts";

export interface Controlled {
  readonly clock: SandboxClock;
  readonly followers: Followers;
  readonly faults: Faults;
  readonly provider: ProviderPeer;
  readonly lightning: LightningPeer;
}

type Run = (of: Controlled, request: Request) => Response | Promise<Response>;

interface Call {
  readonly call: `${"GET" | "POST" | "DELETE"} /sandbox${string}`;
  readonly help: string;
  readonly run: Run;
}

/** A call whose body must have the given form; anything else is answered 400. */
function withBody<T extends TObject>(
  form: T,
  run: (of: Controlled, body: Static<T>, request: Request) => Response | Promise<Response>,
): Run {
  return async (of, request) => {
    const body = await readBody(request, form);
    return body.ok ? run(of, body.value, request) : refuse(400, "INVALID_REQUEST", body.reason);
  };
}

/** Lower than the limit of `Faults`, which takes more for an error of the program. */
const MAX_PLANNED = 500;

const CALLS: readonly Call[] = [
  {
    call: "GET /sandbox",
    help: "this list",
    run: () => answer({ calls: CALLS.map(({ call, help }) => ({ call, help })) }),
  },
  {
    call: "POST /sandbox/wallet/pay",
    help: "{invoice}: the customer's wallet pays; {preimage, paymentHash, amountSats}",
    run: withBody(PayBody, pay),
  },
  {
    call: "POST /sandbox/wallet/invoice",
    help: "{amountSats?, expirySeconds?}: an invoice of the customer's wallet, whose refund address is any name at this host and port; {invoice, paymentHash}",
    run: withBody(InvoiceBody, (of, body) => answer(of.lightning.wallet.invoice(body))),
  },
  {
    call: "GET /sandbox/wallet",
    help: "{balanceSats, payments: [{paymentHash, amountSats, direction, settledAt}]}",
    run: (of) => answer(of.lightning.wallet.view()),
  },
  {
    call: "POST /sandbox/sms",
    help: "{phoneNumber, text, from?}: an SMS arrives at that number now; {activationId}",
    run: withBody(SmsBody, (of, body) => {
      const delivered = of.provider.deliver(body);
      return delivered ? answer(delivered) : refuse(404, "NOT_FOUND", "No active number of ours is that phone number");
    }),
  },
  { call: "GET /sandbox/clock", help: "{now, offsetMs}", run: (of) => answer(of.clock.view()) },
  {
    call: "POST /sandbox/clock",
    help: "{advanceSeconds}: service and peers move on, one due moment after the other; {now}",
    run: withBody(ClockBody, advance),
  },
  {
    call: "POST /sandbox/clock/follow",
    help: "used by a service with SANDBOX_URL to follow this clock",
    run: withBody(FollowBody, follow),
  },
  {
    call: "GET /sandbox/faults",
    help: "the planned faults; {faults}",
    run: (of) => answer({ faults: planned(of.faults) }),
  },
  {
    call: "POST /sandbox/faults",
    help: "{peer, action, fault, times?, ...detail}: the fault happens on the next calls; {faults}",
    run: withBody(FaultBody, planFault),
  },
  {
    call: "DELETE /sandbox/faults",
    help: "forgets the planned faults; {faults: []}",
    run: (of) => {
      of.faults.clear();
      return answer({ faults: [] });
    },
  },
  {
    call: "GET /sandbox/provider",
    help: "the provider's own books: activations with status and cost, balance",
    run: (of) => answer(of.provider.view()),
  },
];

/** Method and path of every call with a line of help. */
export const CONTROL_CALLS: readonly { readonly call: string; readonly help: string }[] = CALLS;

/** Answers a call of the control surface, always in JSON. The caller has checked where it comes from. */
export async function control(of: Controlled, request: Request): Promise<Response> {
  const path = new URL(request.url).pathname.replace(/(?<=.)\/$/, "");
  const methods = CALLS.flatMap(({ call }) => (call.endsWith(` ${path}`) ? [call.slice(0, call.indexOf(" "))] : []));
  if (methods.length === 0) return refuse(404, "NOT_FOUND", "No such call; see GET /sandbox");
  const found = CALLS.find(({ call }) => call === `${request.method} ${path}`);
  if (found) return found.run(of, request);
  return refuse(405, "METHOD_NOT_ALLOWED", `Method must be ${methods.join(" or ")}`, { allow: methods.join(", ") });
}

async function pay(of: Controlled, { invoice }: { invoice: string }): Promise<Response> {
  try {
    return answer(await of.lightning.wallet.pay(invoice));
  } catch (error) {
    if (error instanceof WalletRefused) return refuse(400, "PAYMENT_REFUSED", error.message);
    throw error;
  }
}

async function advance(of: Controlled, body: { advanceSeconds: number }, request: Request): Promise<Response> {
  const moved = await of.clock.advance(body.advanceSeconds, request.signal);
  if (moved.kind === "moved") return answer({ now: iso(moved.now) });
  if (moved.kind === "abandoned") return refuse(503, "CLOCK_ABANDONED", "The caller went away");
  if (moved.kind === "queue_full") return refuse(503, "CLOCK_BUSY", "Too many advances of the clock are waiting");
  return refuse(503, "CLOCK_BUSY", `Still busy after ten seconds: ${moved.what.join(", ")}`);
}

async function follow(of: Controlled, line: Line, request: Request): Promise<Response> {
  const round = await of.followers.line(line, request.signal);
  if (round === "full") return refuse(503, "TOO_MANY_FOLLOWERS", "Too many services follow this clock");
  return round === "replaced" ? new Response(null, { status: 204 }) : answer(round);
}

function planFault(of: Controlled, body: FaultBody): Response {
  const { peer, action, fault, times = 1, detail = {}, ...more } = body;
  const refusal = faultRefusal(peer, action, fault);
  if (refusal) return refuse(400, "INVALID_REQUEST", refusal);
  if (of.faults.list().length >= MAX_PLANNED) return refuse(429, "TOO_MANY_FAULTS", "Too many faults are planned");
  of.faults.plan({ peer, action, fault, detail: { ...more, ...detail } }, times);
  return answer({ faults: planned(of.faults) });
}

function planned(faults: Faults): unknown[] {
  return faults.list().map(({ fault, left }) => ({ ...fault, left }));
}
