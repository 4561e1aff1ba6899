/** What the `macaroon` command refuses; what it does is tried beside a running server in test/e2e. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NOTHING_REVOKED } from "../../src/l402/revocations.ts";
import { runMacaroon } from "../../src/ops/macaroon.ts";
import { KEYS, NOW, seeded } from "../l402/fixtures.ts";
import { runToEnd } from "../support/server.ts";

const ORDER = "5f0c1d9ab27e4b6f8a3de4c0917b62fd";

test.each([
  [[], "", "What is to be done?"],
  [["destroy"], "", 'Unknown command "destroy"'],
  [["inspect"], "", "Standard input must hold one token"],
  [["inspect"], "not a token", "Standard input must hold one token"],
  [["inspect"], "x".repeat(20_000), "The token is too long"],
  [["inspect", "one", "two"], "", "Too many arguments"],
  [["attenuate"], "", "Nothing to narrow: give --can or --for"],
  [["attenuate", "--can", "fly"], "", 'Unknown capability "fly"; there are read, cancel, refund, extend'],
  [["attenuate", "--for", "soon"], "", '"soon" is no length of time; write 90s, 30m, 2h or 7d'],
  [["attenuate", "--for", "0h"], "", '"0h" is no length of time; write 90s, 30m, 2h or 7d'],
  [["mint"], "", "Which order? Its id has 32 hex digits"],
  [["revoke", "../../etc"], "", "Which order? Its id has 32 hex digits"],
  [["revoke", `${ORDER}\n${ORDER}`], "", "Which order? Its id has 32 hex digits"],
] as const)("%j is refused with the usage, and changes nothing", async (args, input, said) => {
  const lines: string[] = [];
  const code = await runMacaroon(args, {
    world: { ...seeded(), now: () => NOW },
    dataDir: "/nonexistent",
    keys: () => KEYS,
    revocations: () => ({
      ...NOTHING_REVOKED,
      revoke: () => {
        throw new Error("Nothing may be revoked");
      },
    }),
    input: async () => input,
    out: (line) => lines.push(line),
  });
  expect({ code, said: lines.join("\n").split("\n")[0] }).toEqual({ code: 2, said });
  expect(lines.join("\n")).toContain("Usage: macaroon inspect");
});

test("nothing is revoked where there is no data directory, and none is made", async () => {
  const dataDir = join(tmpdir(), `l402-nowhere-${process.pid}`);
  const { code, output } = await runToEnd({ DATA_DIR: dataDir }, ["macaroon", "revoke", ORDER]);
  expect({ code, output }).toEqual({ code: 2, output: `No directory "${dataDir}"\n` });
  expect(existsSync(dataDir)).toBe(false);
});

test("a file that cannot be used is named, without a stack", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "l402-macaroon-"));
  const run = (verb: string) => runToEnd({ DATA_DIR: dataDir }, ["macaroon", verb, ORDER]);
  try {
    const key = join(dataDir, "root.key");
    writeFileSync(key, "torn");
    const damaged = `Cannot use "${key}": Root key 1 is not "kid:<64 hex digits>"\n`;
    expect(await run("mint")).toEqual({ code: 2, output: damaged });
    mkdirSync(join(dataDir, "revoked.txt"));
    const { code, output } = await run("revoke");
    expect({ code, output }).toEqual({ code: 2, output: expect.stringMatching(/^EISDIR: .*\n$/) });
  } finally {
    rmSync(dataDir, { recursive: true });
  }
});
