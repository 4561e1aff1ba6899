import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesToHex } from "@noble/hashes/utils.js";
import { existingRootKeys, loadRootKeys } from "../src/keyfile.ts";
import { encodeIdentifier } from "../src/l402/identifier.ts";
import type { RootKeys } from "../src/l402/keys.ts";
import { ManualWorld } from "./support/manual-world.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "l402-keys-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Tells keys apart without looking into them. */
function derived(keys: RootKeys, kid = 0): string | null {
  const tokenId = new Uint8Array(32);
  tokenId[0] = kid;
  const key = keys.rootKeyOf(encodeIdentifier({ paymentHash: "ab".repeat(32), tokenId }));
  return key && bytesToHex(key);
}

describe("root keys", () => {
  test("are made once, for the owner's eyes only, and stay the same", () => {
    const first = derived(loadRootKeys(new ManualWorld({ seed: 1 }), dir, null));
    const second = derived(loadRootKeys(new ManualWorld({ seed: 2 }), dir, null));
    expect(second).toBe(first);
    expect(readdirSync(dir)).toEqual(["root.key"]);
    expect(statSync(join(dir, "root.key")).mode & 0o777).toBe(0o600);
  });

  test("of another installation are others", () => {
    const other = mkdtempSync(join(tmpdir(), "l402-keys-"));
    const keys = [dir, other].map((place, seed) => derived(loadRootKeys(new ManualWorld({ seed }), place, null)));
    expect(keys[0]).not.toBe(keys[1]);
    rmSync(other, { recursive: true });
  });

  test("that are configured are used, and no file is made", () => {
    const text = `7:${"ab".repeat(32)},0:${"cd".repeat(32)}`;
    const keys = loadRootKeys(new ManualWorld(), dir, text);
    expect(derived(keys, 7)).not.toBeNull();
    expect(derived(keys, 0)).not.toBeNull();
    expect(derived(keys, 3)).toBeNull();
    expect(readdirSync(dir)).toEqual([]);
  });

  test("survive a crash before the file was in place: a half-written one is never read", () => {
    writeFileSync(join(dir, "root.key.new"), "0:abc");
    const key = derived(loadRootKeys(new ManualWorld({ seed: 1 }), dir, null));
    expect(key).not.toBeNull();
    expect(derived(loadRootKeys(new ManualWorld({ seed: 2 }), dir, null))).toBe(key);
  });

  test("that are none refuse the start, without being quoted, and are not replaced", () => {
    const half = "ab".repeat(31);
    writeFileSync(join(dir, "root.key"), half);
    const load = () => loadRootKeys(new ManualWorld(), dir, null);
    expect(load).toThrow(`Cannot use "${join(dir, "root.key")}": Root key 1 is not "kid:<64 hex digits>"`);
    expect(load).not.toThrow(half);
    expect(readFileSync(join(dir, "root.key"), "utf8")).toBe(half);
  });

  test("behind a link whose disk is not mounted are waited for, not made anew", () => {
    const path = join(dir, "root.key");
    symlinkSync(join(dir, "mount", "root.key"), path);
    for (const load of [loadRootKeys.bind(null, new ManualWorld()), existingRootKeys]) {
      expect(() => load(dir, null)).toThrow(`Cannot use "${path}": ENOENT`);
    }
    expect(readlinkSync(path)).toBe(join(dir, "mount", "root.key"));
    mkdirSync(join(dir, "mount"));
    writeFileSync(join(dir, "mount", "root.key"), `0:${"ab".repeat(32)}\n`);
    expect(derived(loadRootKeys(new ManualWorld(), dir, null))).not.toBeNull();
  });

  test("that are made are told of", () => {
    let made = 0;
    for (let n = 0; n < 2; n++) loadRootKeys(new ManualWorld(), dir, null, () => made++);
    expect(made).toBe(1);
  });
});
