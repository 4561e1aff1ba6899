import { describe, expect, test } from "bun:test";
import { Journal } from "../../actors/runtime/journal.ts";
import { ACCOUNT, countOutcomes, dropOldOutcomes, TrackRecord, writeBar } from "../../src/provider/record.ts";
import { type BrittleDatabase, DAY, type Engine, HOUR, MINUTE, startEngine } from "../actors/runtime/engine.ts";

const TG = { service: "tg", country: 187 };

function counted(engine: Engine = startEngine()) {
  engine.journal.accompany(countOutcomes);
  return { ...engine, record: new TrackRecord(engine.db) };
}

const sms = (id: string) => ({ id, code: "1234", text: "Code 1234", from: null, receivedAt: null });

describe("the record of a pair", () => {
  test("counts a number with the step that bought it, and its first SMS in the hour of the buy", async () => {
    const { record, withNumber, tell, answer, world } = counted();
    await world.advance(HOUR - 5 * MINUTE);
    const boughtAt = world.now();
    await withNumber(1);
    await withNumber(2);
    expect(record.tally(TG, boughtAt)).toEqual({ bought: 2, delivered: 0 });
    expect(record.newest(TG)).toEqual({ at: boughtAt, delivered: false });
    await world.advance(10 * MINUTE);
    await tell(2, { type: "Hinted" });
    await answer("look", { type: "Looked", answer: { kind: "seen", standing: "open", messages: [sms("a")] } });
    await tell(2, { type: "Hinted" });
    await answer("look", {
      type: "Looked",
      answer: { kind: "seen", standing: "open", messages: [sms("a"), sms("b")] },
    });
    expect(record.tally(TG, boughtAt)).toEqual({ bought: 2, delivered: 1 });
    // The SMS came in the next hour, and does not stand there without its number.
    expect(record.tally(TG, world.now())).toEqual({ bought: 0, delivered: 0 });
    expect(record.newest(TG)).toEqual({ at: boughtAt, delivered: true });
    expect(record.tally(ACCOUNT, boughtAt)).toEqual({ bought: 2, delivered: 1 });
    expect(record.busiest(boughtAt, 2, 10)).toEqual([{ ...TG, bought: 2, delivered: 1 }]);
    expect(record.busiest(boughtAt, 3, 10)).toEqual([]);
  });

  test("counts reactivations, which are activations too, and no rentals", async () => {
    const { record, withNumber, world } = counted();
    await withNumber(1, { type: "receive-sms-reactivate" });
    await withNumber(2, { type: "rent-number" });
    expect(record.tally(TG, world.now())).toEqual({ bought: 1, delivered: 0 });
  });

  test("is as durable as the step: nothing is counted of one whose commit failed, all is there after a restart", async () => {
    const at = counted();
    await at.open(1);
    await at.pay(1);
    (at.db as BrittleDatabase).failCommits = true;
    const number = {
      activationId: "1",
      phoneNumber: "+15550001",
      cost: 1,
      boughtAt: at.world.now(),
      endsAt: at.world.now(),
    };
    await at.answer("buy", { type: "BuyAnswered", attempt: 1, answer: { kind: "bought", number } } as never);
    expect(at.record.tally(TG, 0)).toEqual({ bought: 0, delivered: 0 });
    (at.db as BrittleDatabase).failCommits = false;
    await at.world.advance(MINUTE);
    expect(at.record.tally(TG, 0)).toEqual({ bought: 1, delivered: 0 });
    const again = new Journal(at.db, at.world);
    expect(new TrackRecord(again.db).tally(TG, 0)).toEqual({ bought: 1, delivered: 0 });
  });

  test("goes after two days, its bar with it when that is over", async () => {
    const { record, withNumber, world, db } = counted();
    await withNumber(1);
    writeBar(db, TG, world.now() + 3 * DAY);
    writeBar(db, { service: "wa", country: 6 }, world.now() + MINUTE);
    expect(record.bars(world.now())).toEqual([
      { ...TG, until: world.now() + 3 * DAY },
      { service: "wa", country: 6, until: world.now() + MINUTE },
    ]);
    await world.advance(2 * DAY + 2 * HOUR);
    dropOldOutcomes(db, world.now());
    expect(record.tally(TG, 0)).toEqual({ bought: 0, delivered: 0 });
    expect(record.bars(0)).toEqual([{ ...TG, until: expect.any(Number) }]);
  });
});
