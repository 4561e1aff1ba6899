import { afterAll, describe, expect, test } from "bun:test";
import type { CancelOutcome, FinishOutcome, ProviderMessage } from "../../../src/provider/port.ts";
import { BROKEN, ENVELOPES, type Reply, start, stopServers, WORDS, type Word } from "./fake.ts";

afterAll(stopServers);

/** The messages in the NEW_OTP_RECEIVED of the docs: an SMS and a call. */
const CARRIED: ProviderMessage[] = [
  {
    id: "3416693217",
    code: "123456",
    text: "Telegram code 123456",
    from: "Telegram",
    receivedAt: Date.parse("2026-02-16T09:36:59Z"),
  },
  { id: "3416693218", code: null, text: null, from: "213421421431", receivedAt: Date.parse("2026-02-16T09:36:59Z") },
];

const ARRIVED = { kind: "sms_arrived", messages: [] } as const;
const NOT_ACTIVE = { kind: "not_active" } as const;

const cancelWith = (reply: Reply) => start({ setStatus: reply }).provider.cancel("635468024");
const finishWith = (reply: Reply) => start({ setStatus: reply }).provider.finish("635468024");

test("a cancel sets status 8, a finish status 6", async () => {
  const { provider, seen } = start({
    setStatus: (params) => (params.get("status") === "8" ? "ACCESS_CANCEL" : "ACCESS_ACTIVATION"),
  });
  expect(await provider.cancel("635468024")).toEqual({ kind: "cancelled" });
  expect(await provider.finish("635468025")).toEqual({ kind: "finished" });
  expect(seen.map(({ params }) => [params.get("id"), params.get("status")])).toEqual([
    ["635468024", "8"],
    ["635468025", "6"],
  ]);
});

test("204 is success, an empty 200 is not", async () => {
  expect(await cancelWith([204, ""])).toEqual({ kind: "cancelled" });
  expect(await finishWith([204, ""])).toEqual({ kind: "finished" });
  expect(await cancelWith("")).toEqual({ kind: "unknown", detail: "empty answer (HTTP 200)" });
  expect(await finishWith("")).toEqual({ kind: "unknown", detail: "empty answer (HTTP 200)" });
});

test("the answer to something else is no success", async () => {
  expect(await cancelWith("ACCESS_ACTIVATION")).toMatchObject({ kind: "unknown" });
  expect(await finishWith("ACCESS_CANCEL")).toMatchObject({ kind: "unknown" });
  expect(await cancelWith("ACCESS_READY")).toMatchObject({ kind: "unknown" });
  expect(await cancelWith('{"status":"success"}')).toMatchObject({ kind: "unknown" });
  expect(await cancelWith("STATUS_CANCEL")).toEqual(NOT_ACTIVE);
});

test("the minimum time is taken from the refusal, within reason", async () => {
  const early = (info: string): Reply => [409, `{"title":"EARLY_CANCEL_DENIED","info":${info}}`];
  expect(await cancelWith(early('{"minActivationTime":"300"}'))).toEqual({
    kind: "too_early",
    minActivationSeconds: 300,
  });
  expect(await cancelWith(early("[]"))).toEqual({ kind: "too_early", minActivationSeconds: 120 });
  expect(await cancelWith(early('{"minActivationTime":1e12}'))).toMatchObject({ minActivationSeconds: 86_400 });
});

test("a lost answer is unknown, and the request went out once", async () => {
  const { provider, world, seen } = start({ setStatus: "never" });
  const outcome = provider.cancel("1");
  while (seen.length === 0) await Bun.sleep(1);
  world.jump(world.now() + 15_001);
  expect(await outcome).toEqual({ kind: "unknown", detail: "answer lost (timeout)" });
  expect(seen).toHaveLength(1);
});

const ENVELOPE_RESULTS: Partial<Record<keyof typeof ENVELOPES, [CancelOutcome, FinishOutcome]>> = {
  badStatus: [
    { kind: "unknown", detail: "BAD_STATUS (HTTP 400)" },
    { kind: "refused", detail: "BAD_STATUS" },
  ],
  notFound: [NOT_ACTIVE, NOT_ACTIVE],
  notActive: [NOT_ACTIVE, NOT_ACTIVE],
  otpReceived: [ARRIVED, ARRIVED],
  newOtpReceived: [
    { kind: "sms_arrived", messages: CARRIED },
    { kind: "sms_arrived", messages: CARRIED },
  ],
  earlyCancelDenied: [
    { kind: "too_early", minActivationSeconds: 120 },
    { kind: "refused", detail: "EARLY_CANCEL_DENIED" },
  ],
  freeCancellationExpired: [{ kind: "too_late" }, { kind: "refused", detail: "FREE_CANCELLATION_EXPIRED" }],
};

describe("cancel and finish, current form", () => {
  for (const name of Object.keys(ENVELOPES) as (keyof typeof ENVELOPES)[]) {
    const want = ENVELOPE_RESULTS[name];
    test(`${name}: ${want ? `${want[0].kind} and ${want[1].kind}` : "both unknown"}`, async () => {
      const cancelled = await cancelWith(ENVELOPES[name]);
      const finished = await finishWith(ENVELOPES[name]);
      if (want) expect([cancelled, finished]).toEqual(want);
      else expect([cancelled.kind, finished.kind]).toEqual(["unknown", "unknown"]);
    });
  }
});

const WORD_RESULTS: Partial<Record<Word, [CancelOutcome["kind"], FinishOutcome["kind"]]>> = {
  NO_ACTIVATION: ["not_active", "not_active"],
  WRONG_ACTIVATION_ID: ["not_active", "not_active"],
  EARLY_CANCEL_DENIED: ["too_early", "refused"],
  BAD_STATUS: ["unknown", "refused"],
};

describe("cancel and finish, text form", () => {
  for (const word of WORDS) {
    const [cancelKind, finishKind] = WORD_RESULTS[word] ?? ["unknown", "unknown"];
    test(`${word}: ${cancelKind} and ${finishKind}`, async () => {
      expect((await cancelWith(word)).kind).toBe(cancelKind);
      expect((await finishWith(word)).kind).toBe(finishKind);
    });
  }
});

describe("cancel and finish, no word of the service", () => {
  for (const [name, reply] of Object.entries(BROKEN)) {
    test(`${name}: both unknown`, async () => {
      expect((await cancelWith(reply)).kind).toBe("unknown");
      expect((await finishWith(reply)).kind).toBe("unknown");
    });
  }
});
