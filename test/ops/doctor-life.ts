/** A database full of lives, made by the real rules and the real journal, for the doctor to look at. */
import { Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "../../actors/order/commands.ts";
import { decide, open } from "../../actors/order/decide.ts";
import { microUsd, msats, sats } from "../../actors/order/money.ts";
import { DEFAULT_POLICY } from "../../actors/order/policy.ts";
import type { Destination, HeldNumber, Order } from "../../actors/order/state.ts";
import type { Good, OrderId } from "../../actors/order/terms.ts";
import { Journal } from "../../actors/runtime/journal.ts";
import { runDoctor } from "../../src/ops/doctor.ts";
import { ManualWorld, START } from "../sandbox/provider/manual-world.ts";

export const NODE = `02${"ab".repeat(32)}`;
/** What must never be shown. */
export const SECRETS = {
  phone: "+447700900123",
  code: "482913",
  text: "Your code is 482913, do not share it",
  invoice: "lnbcrt10n1psecretinvoiceofours",
  refundInvoice: "lnbcrt1psecretinvoiceofthecustomer",
  npub: "7e".repeat(32),
  refundPreimage: "5c".repeat(32),
} as const;
export const REFUND_HASH = createHash("sha256").update(Buffer.from(SECRETS.refundPreimage, "hex")).digest("hex");

const MINUTE = 60_000;
const RECEIVE: Good = { type: "receive-sms", service: "tg", country: 16, maxCost: microUsd(50_000) };

export function hashOf(name: string): string {
  return createHash("sha256").update(name).digest("hex");
}

export const idOf = (name: string): OrderId => hashOf(`id ${name}`).slice(0, 32) as OrderId;

export class Lives {
  readonly dataDir = mkdtempSync(join(tmpdir(), "l402-doctor-"));
  readonly world = new ManualWorld();
  readonly journal = Journal.open(join(this.dataDir, "orders.sqlite"), this.world);

  constructor() {
    const binding = { network: "bcrt", nodePubkey: NODE, providerAccount: "account", sandbox: true };
    this.journal.store.setMeta("binding", JSON.stringify(binding));
  }

  order(name: string): Order {
    const order = this.journal.store.order(idOf(name));
    if (!order) throw new Error(`No order "${name}"`);
    return order;
  }

  async open(name: string, options: { good?: Good; destination?: Omit<Destination, "claimed"> | null } = {}) {
    const now = this.world.now();
    const terms = {
      good: options.good ?? RECEIVE,
      priceSats: sats(100),
      createdAt: now,
      invoice: SECRETS.invoice,
      paymentHash: hashOf(name),
      invoiceExpiresAt: now + DEFAULT_POLICY.invoiceExpiryMs,
      node: NODE,
      notifyNpub: SECRETS.npub,
      requestDigest: hashOf("request"),
      policy: DEFAULT_POLICY,
    };
    const opened = open({ id: idOf(name), terms, destination: options.destination ?? null, now });
    const none = { postings: [], effects: [], messages: [], claims: [] };
    await this.journal.commit({ before: null, ...opened, ...none, openedBy: "client" });
  }

  /** One step; `finished` is the kind of the effect whose answer this is. */
  async tell(name: string, command: Command, finished?: string): Promise<void> {
    const before = this.order(name);
    const { reply: _, ...decision } = decide(before, command, this.world.now());
    const key = finished && this.effect(name, finished);
    const result = await this.journal.commit({ before, ...decision, ...(key && { finished: key }) });
    if (result.kind !== "committed") throw new Error(`Step of "${name}" was not committed`);
  }

  effect(name: string, kind: string): string {
    const row = this.journal.db
      .query<{ key: string }, [string, string]>("SELECT key FROM effects WHERE order_id = ? AND key LIKE ?")
      .get(idOf(name), `%:${kind}:%`);
    if (!row) throw new Error(`No effect "${kind}" of "${name}"`);
    return row.key;
  }

  settled(name: string): Promise<void> {
    return this.tell(name, { type: "Settled", settledAt: this.world.now(), receivedMsats: msats(100_000) });
  }

  number(name: string): HeldNumber {
    const now = this.world.now();
    const activationId = String(Number.parseInt(hashOf(name).slice(0, 8), 16));
    const cost = microUsd(48_000);
    return { activationId, phoneNumber: SECRETS.phone, cost, boughtAt: now, endsAt: now + 20 * MINUTE };
  }

  bought(name: string): Promise<void> {
    const answer = { kind: "bought", number: this.number(name) } as const;
    return this.tell(name, { type: "BuyAnswered", attempt: 1, answer }, "buy");
  }

  /** unpaid, lapsed, buying, waiting, delivered, completed, stuck, refunded, loose: one order in each. */
  async all(): Promise<this> {
    await this.open("unpaid");
    await this.open("lapsed");
    await this.tell("lapsed", { type: "SurelyUnpaid" });

    await this.open("buying");
    await this.settled("buying");

    await this.open("waiting");
    await this.settled("waiting");
    await this.bought("waiting");
    await this.tell("waiting", { type: "Hinted" });

    for (const name of ["delivered", "completed"]) {
      await this.open(name);
      await this.settled(name);
      await this.bought(name);
      await this.tell(name, { type: "Hinted" });
      const { code, text } = SECRETS;
      const message = { id: `m-${name}`, code, text, from: "Service", receivedAt: this.world.now() };
      const answer = { kind: "seen", standing: "open", messages: [message] } as const;
      await this.tell(name, { type: "Looked", answer }, "look");
      await this.tell(name, { type: "NoticeHanded" }, "notify");
    }
    await this.tell("completed", { type: "FinishAsked" });
    const finished = { kind: "seen", standing: "finished", messages: [] } as const;
    await this.tell("completed", { type: "Looked", answer: finished }, "look");

    await this.open("stuck");
    await this.withoutNumber("stuck");

    const expiresAt = this.world.now() + 120 * MINUTE;
    const destination = { invoice: SECRETS.refundInvoice, paymentHash: REFUND_HASH, expiresAt };
    await this.open("refunded", { destination });
    await this.withoutNumber("refunded");
    const paid = { kind: "succeeded", preimage: SECRETS.refundPreimage, feeMsats: msats(1_500) } as const;
    await this.tell("refunded", { type: "RefundAnswered", attempt: 1, answer: paid }, "refund");

    await this.open("loose");
    await this.settled("loose");
    const lost = { kind: "unknown", reason: "timeout" } as const;
    await this.tell("loose", { type: "BuyAnswered", attempt: 1, answer: lost }, "buy");
    await this.world.advance(5 * MINUTE);
    const unsure = { kind: "unsure", reason: "unreachable" } as const;
    await this.tell("loose", { type: "BuySearched", attempt: 1, answer: unsure }, "findBuy");
    return this;
  }

  /** Paid, and the provider surely has nothing. */
  async withoutNumber(name: string): Promise<void> {
    await this.settled(name);
    const answer = { kind: "refused", reason: "no_numbers", retry: "never" } as const;
    await this.tell(name, { type: "BuyAnswered", attempt: 1, answer }, "buy");
  }

  /** What retention does with a lapsed order after a day. */
  bury(name: string): void {
    const { db } = this.journal;
    const id = idOf(name);
    db.run("INSERT INTO tombstones SELECT payment_hash, id, state, ? FROM orders WHERE id = ?", [START + 9e9, id]);
    db.run("DELETE FROM orders WHERE id = ?", [id]);
    db.run("DELETE FROM events WHERE order_id = ?", [id]);
  }

  async doctor(args: readonly string[], now = this.world.now()): Promise<{ code: number; text: string }> {
    const lines: string[] = [];
    const code = await runDoctor(args, { dataDir: this.dataDir, now, out: (line) => lines.push(line) });
    return { code, text: lines.join("\n") };
  }

  remove(): void {
    this.journal.close();
    rmSync(this.dataDir, { recursive: true });
  }

  /** Changes a file behind the journal's back. */
  tamper(sql: string, ...values: (string | number | null)[]): void {
    const db = new Database(join(this.dataDir, "orders.sqlite"));
    db.run("PRAGMA busy_timeout = 5000");
    db.run(sql, values);
    db.close();
  }
}
