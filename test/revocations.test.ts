import { afterAll, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { presentedAs } from "../src/l402/authorization.ts";
import { mintChallenge } from "../src/l402/challenge.ts";
import { readCredential } from "../src/l402/credential.ts";
import { type Revocations, tokenBytes } from "../src/l402/revocations.ts";
import { RevocationFile } from "../src/revocations.ts";
import { BOLT11, KEYS, NOW, PAYMENT_HASH, PREIMAGE, seeded, VALID_UNTIL } from "./l402/fixtures.ts";

const ORDER = "5f0c1d9ab27e4b6f8a3de4c0917b62fd";
const OTHER = "0".repeat(32);

const dirs: string[] = [];
function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "l402-revoked-"));
  dirs.push(dir);
  return dir;
}
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});

describe("the file of revocations", () => {
  test("counts how often the credential of each order was revoked, across restarts", () => {
    const dir = newDir();
    const file = new RevocationFile(dir, { now: () => 0 });
    expect(file.generationOf(ORDER)).toBe(0);
    file.revoke(ORDER);
    file.revoke(ORDER);
    file.revoke(OTHER);
    for (const reader of [file, new RevocationFile(dir, { now: () => 0 })]) {
      expect([reader.generationOf(ORDER), reader.generationOf(OTHER)]).toEqual([2, 1]);
    }
    expect(statSync(join(dir, "revoked.txt")).mode & 0o777).toBe(0o600);
  });

  test("is read again within seconds when another process wrote it, also after the clock stepped back", () => {
    const dir = newDir();
    let now = 1_000_000;
    const running = new RevocationFile(dir, { now: () => now });
    new RevocationFile(dir, { now: () => now }).revoke(ORDER);
    expect(running.generationOf(ORDER)).toBe(0);
    now += 2_000;
    expect(running.generationOf(ORDER)).toBe(1);
    new RevocationFile(dir, { now: () => now }).revoke(ORDER);
    now -= 500_000;
    expect(running.generationOf(ORDER)).toBe(2);
  });

  test("keeps what it knows when the file vanishes, and reads past a torn line", () => {
    const dir = newDir();
    let now = 0;
    const file = new RevocationFile(dir, { now: () => now });
    file.revoke(ORDER);
    appendFileSync(join(dir, "revoked.txt"), `${OTHER.slice(5)}\nnonsense\n${OTHER}\n`);
    now += 2_000;
    expect([file.generationOf(ORDER), file.generationOf(OTHER)]).toEqual([1, 1]);
    rmSync(join(dir, "revoked.txt"));
    now += 2_000;
    expect(file.generationOf(ORDER)).toBe(1);
  });

  test("keeps what it knows while the file cannot be read, and says so once", () => {
    const dir = newDir();
    const path = join(dir, "revoked.txt");
    let now = 0;
    let told = 0;
    const file = new RevocationFile(dir, { now: () => now }, () => told++);
    file.revoke(ORDER);
    rmSync(path);
    mkdirSync(path);
    for (let n = 0; n < 3; n++) {
      now += 2_000;
      expect(file.generationOf(ORDER)).toBe(1);
    }
    expect(told).toBe(1);
    rmdirSync(path);
    writeFileSync(path, `${ORDER}\n${OTHER}\n`);
    now += 2_000;
    expect([file.generationOf(ORDER), file.generationOf(OTHER)]).toEqual([1, 1]);
  });

  test("a line that a power cut tore takes none of the next one with it", () => {
    const dir = newDir();
    const file = new RevocationFile(dir, { now: () => 0 });
    appendFileSync(join(dir, "revoked.txt"), OTHER.slice(0, 20));
    file.revoke(ORDER);
    file.revoke(ORDER);
    expect(file.generationOf(ORDER)).toBe(2);
  });

  // Only root can give a file away.
  test.skipIf(process.getuid?.() !== 0)("is the server's to read when root revoked", () => {
    const dir = newDir();
    chownSync(dir, 65_532, 65_532);
    new RevocationFile(dir, { now: () => 0 }).revoke(ORDER);
    const { uid, gid } = statSync(join(dir, "revoked.txt"));
    expect([uid, gid]).toEqual([65_532, 65_532]);
  });

  test("takes order ids and nothing else", () => {
    const dir = newDir();
    const file = new RevocationFile(dir, { now: () => 0 });
    file.revoke(ORDER);
    for (const wrong of ["", "x", `${ORDER}\n${OTHER}`, ORDER.toUpperCase()]) {
      expect(() => file.revoke(wrong)).toThrow(RangeError);
    }
    expect(readFileSync(join(dir, "revoked.txt"), "utf8")).toBe(`${ORDER}\n`);
  });
});

describe("a revoked credential", () => {
  const mintOf = (generation: number) =>
    mintChallenge({
      keys: KEYS,
      world: { ...seeded(), random: (length) => tokenBytes(ORDER, generation, length) },
      paymentHash: PAYMENT_HASH,
      bolt11: BOLT11,
      orderId: ORDER,
      validUntil: VALID_UNTIL,
    }).macaroon;
  const judged = (macaroon: string, revocations: Revocations) =>
    readCredential(presentedAs(`${macaroon}:${PREIMAGE}`), { keys: KEYS, now: NOW, revocations }).kind;
  const revoked = (times: number): Revocations => ({ generationOf: (order) => (order === ORDER ? times : 0) });

  test("opens nothing, while the one minted afterwards does, until that is revoked too", () => {
    const macaroons = [0, 1, 2].map(mintOf);
    expect(new Set(macaroons).size).toBe(3);
    for (const times of [1, 2]) {
      const kinds = macaroons.map((macaroon) => judged(macaroon, revoked(times)));
      expect(kinds).toEqual([0, 1, 2].map((generation) => (generation === times ? "paid" : "invalid")));
    }
    expect(judged(mintOf(0), revoked(0))).toBe("paid");
  });
});
