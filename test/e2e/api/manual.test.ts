/** What a sandbox's manual tells an agent to paste is pasted: order, pay, poll, the two ways to say where a refund goes, cancel. */
import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { OrderView } from "../../../src/orders/view.ts";
import { documentedServer } from "../../support/openapi.ts";

const server = documentedServer({ SANDBOX_SMS_AFTER_MS: "off" });
const hasTools = ["bash", "curl", "jq"].every((tool) => Bun.which(tool) !== null);

test.skipIf(!hasTools)("every command of the manual works as it stands", async () => {
  const manual = await (await fetch(`${server().origin}/skill.md`)).text();
  expect(manual).not.toMatch(/lncli|lnbc1p/);
  const [buy = "", cancel = "", ...refunds] = [...manual.matchAll(/^```sh\n(.*?)^```$/gms)].map(
    ([, block]) => block ?? "",
  );
  const sandbox = /GET (http:\S+\/sandbox)/.exec(manual)?.[1] ?? "";
  // Cancelling is open from 3 minutes after payment.
  const wait = `curl -sS -X POST ${sandbox}/clock -d '{"advanceSeconds":181}' > clock.json\n`;
  const [price, bought, ...later] = await paste([buy, ...refunds, wait, cancel].join("echo\n"));
  expect(price).toBeGreaterThan(0);
  const { orderId } = bought as OrderView;
  const address = `name@${new URL(sandbox).host}`;
  expect(bought).toMatchObject({ priceSats: price });
  expect(later).toMatchObject([
    { orderId, refund: { address: null } },
    { orderId, refund: { address } },
    { orderId, status: expect.stringMatching(/^(waiting_for_sms|refund_pending|refunded)$/) },
  ]);
});

/** Everything that was printed: a price, and answers. */
async function paste(script: string): Promise<readonly unknown[]> {
  const folder = await mkdtemp(join(tmpdir(), "manual-"));
  const shell = Bun.spawn(["bash", "-eu", "-c", script], { cwd: folder, stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([shell.stdout.text(), shell.stderr.text(), shell.exited]);
  await rm(folder, { recursive: true });
  expect([code, err]).toEqual([0, ""]);
  return out.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
}
