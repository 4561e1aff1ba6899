/** The first of the README's two commands: it must end well on a machine that is set up for something else. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { outcomeOf } from "../support/spawn.ts";

setDefaultTimeout(60_000);

test("the demo shows a purchase, a refund and a rental, and ends with exit code 0", async () => {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../scripts/demo.ts")], {
    // None of it is for the demo.
    env: {
      PATH: process.env.PATH ?? "",
      HEROSMS_API_KEY_FILE: "/nonexistent",
      REFUSE_SANDBOX: "1",
      BLOCKED_SERVICES: "telegram,whatsapp",
      PORT: "1",
      SANDBOX_URL: "http://127.0.0.1:1",
      HTTP_PROXY: "http://127.0.0.1:1",
      NO_PROXY: "elsewhere.example",
    },
    stdout: "pipe",
    stderr: "pipe",
  });
  const { out, err, code } = await outcomeOf(child);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const steps = out
    .split("\n")
    .map((line) => /^ +\d+\.\d\d s {2}(\S+)/.exec(line)?.[1])
    .filter((step) => step !== undefined && !["paid", "allocating_number"].includes(step));
  // A refund under way is seen or not, as the machine is fast.
  expect(steps.join(" ").replace("cancel refund_pending refunded", "cancel refunded")).toBe(
    "server loopback 402 waiting_for_sms SMS code_received code clock completed " +
      "402 waiting_for_sms clock cancel refunded refund " +
      "402 rent_active message clock completed all",
  );
  expect(out).toMatch(/code +482913\n/);
  expect(out).toMatch(/refund +\+\d+ sats, proof [0-9a-f]{16}/);
  expect(out).toContain('"Your parcel arrives at 5 pm"');
});
