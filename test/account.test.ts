import { expect, test } from "bun:test";
import { createAccount } from "../src/account.ts";
import { createLog } from "../src/ops/logs.ts";
import { DEFAULT_BAN_RULES } from "../src/provider/guard.ts";
import { ProviderUnavailable } from "../src/provider/port.ts";
import { startEngine } from "./actors/runtime/engine.ts";

test("an alarm is raised for what a person must mend, not for having to wait a moment", async () => {
  const { world, journal } = startEngine();
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLog({ level: "warn", pretty: false, name: "numbers", now: () => world.now(), destination });
  for (const trouble of ["rate_limited", "bad_key"] as const) {
    const balance = () => Promise.reject(new ProviderUnavailable("balance: refused", trouble));
    const provider = { balance } as never;
    const { standing } = createAccount({ world, log, journal, provider, rules: DEFAULT_BAN_RULES });
    await standing.start();
    expect(standing.ok).toBe(false);
    standing.stop();
  }
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: "warn", trouble: "rate_limited", msg: "provider account trouble" },
    { level: "error", trouble: "bad_key", msg: "provider account trouble" },
  ]);
});
