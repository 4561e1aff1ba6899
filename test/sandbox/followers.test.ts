import { beforeEach, describe, expect, test } from "bun:test";
import { Followers, type Line } from "../../src/sandbox/followers.ts";

let now = 0;
let followers: Followers;
beforeEach(() => {
  now = 1_000_000;
  followers = new Followers(() => now, 0);
});

const forever = new AbortController().signal;
const line = (more: Partial<Line> = {}): Line => ({
  follower: "a",
  round: 0,
  idle: true,
  nextDue: null,
  busy: [],
  webhookUrl: "http://127.0.0.1:9/",
  ...more,
});
/** Says hello and gets the current round. */
async function join(name: string): Promise<number> {
  const round = await followers.line(line({ follower: name }), forever);
  if (typeof round === "string") throw new Error(round);
  return round.round;
}

describe("the rounds", () => {
  test("are told to whoever waits, and everyone counts as busy until it acknowledged", async () => {
    const first = await join("a");
    const waiting = followers.line(line({ round: first }), forever);
    expect(followers.busy()).toEqual([]);
    followers.startRound(5_000);
    expect(await waiting).toEqual({ round: first + 1, offsetMs: 5_000 });
    expect(followers.busy()).toEqual(["follower: something"]);
    void followers.line(line({ round: first + 1 }), forever);
    expect(followers.busy()).toEqual([]);
  });

  test("are not told on a busy line, which names what keeps it busy", async () => {
    const first = await join("a");
    let answered = false;
    const busy = followers.line(line({ round: 1, idle: false, busy: ["refund"] }), forever);
    void busy.then(() => {
      answered = true;
    });
    followers.startRound(1);
    await Bun.sleep(0);
    expect(answered).toBe(false);
    expect(followers.busy()).toEqual(["follower: refund"]);
    // Its idle poll replaces the line; it missed a round, so it is told at once.
    expect(await followers.line(line({ round: first }), forever)).toMatchObject({ round: first + 1 });
    expect(await busy).toBe("replaced");
  });

  test("an acknowledgement of an earlier round is answered with the current one", async () => {
    await join("a");
    followers.startRound(1);
    followers.startRound(2);
    expect(await followers.line(line({ round: 1 }), forever)).toEqual({ round: 3, offsetMs: 2 });
  });
});

test("a follower is unaware of a round until a line of either kind names it", async () => {
  await join("a");
  void followers.line(line({ round: 1 }), forever);
  expect(followers.unaware()).toBe(false);
  followers.startRound(1);
  expect(followers.unaware()).toBe(true);
  void followers.line(line({ round: 2, idle: false }), forever);
  expect(followers.unaware()).toBe(false);
  expect(followers.busy()).toHaveLength(1);
});

describe("who is there", () => {
  test("the earliest due moment and all webhook addresses are known", async () => {
    expect(followers.nextDue()).toBe(Number.POSITIVE_INFINITY);
    void followers.line(line({ follower: "a", round: 1, nextDue: 70 }), forever);
    void followers.line(line({ follower: "b", round: 1, nextDue: 50, webhookUrl: "http://b/" }), forever);
    void followers.line(line({ follower: "c", round: 1, nextDue: null, webhookUrl: "http://c/" }), forever);
    expect(followers.nextDue()).toBe(50);
    expect(followers.webhookUrls()).toEqual(["http://127.0.0.1:9/", "http://b/", "http://c/"]);
  });

  test("a dropped connection forgets its follower, unless a newer one is open", async () => {
    const old = new AbortController();
    const latest = new AbortController();
    void followers.line(line({ round: 1 }), old.signal);
    void followers.line(line({ round: 1 }), latest.signal);
    old.abort();
    expect(followers.count()).toBe(1);
    latest.abort();
    expect(followers.count()).toBe(0);
  });

  test("who does not come back after an answer is forgotten after two real seconds", async () => {
    await join("a");
    followers.startRound(1);
    now += 1_900;
    expect(followers.busy()).toHaveLength(1);
    now += 200;
    expect(followers.busy()).toEqual([]);
    expect(followers.count()).toBe(0);
  });

  test("there may be sixteen, and no more", async () => {
    for (let i = 0; i < 16; i++) await join(`${i}`);
    expect(await followers.line(line({ follower: "one more" }), forever)).toBe("full");
    expect(await join("3")).toBeGreaterThan(0);
  });
});
