import { expect, test } from "bun:test";
import { openDesk } from "./desk.ts";

test("legacy mode says every error as a plain word at 200", async () => {
  const { ask, send, buy, peer, world, plan } = openDesk({ mode: "legacy" });
  const { id, phone } = await buy();
  const said = async (action: string, query = {}) => {
    const answer = await ask(action, query);
    return `${answer.status} ${answer.text}`;
  };
  expect((await send("/stubs/handler_api.php?action=getBalance")).text).toBe("NO_KEY");
  expect((await send("/stubs/handler_api.php?action=getBalance&api_key=bad")).text).toBe("BAD_KEY");
  expect(await said("nonsense")).toBe("200 BAD_ACTION");
  expect(await said("getStatus", { id: 1 })).toBe("200 NO_ACTIVATION");
  expect(await said("getStatus", { id: "x" })).toBe("200 WRONG_ACTIVATION_ID");
  expect(await said("getNumber", { country: 187, service: "zzzz" })).toBe("200 BAD_SERVICE");
  expect(await said("getNumber", { country: 187, service: "tg", maxPrice: 0.01 })).toMatch(
    /^200 WRONG_MAX_PRICE:0\.\d+$/,
  );
  expect(await said("setStatus", { id, status: 1 })).toBe("200 ACCESS_READY");
  expect(await said("setStatus", { id, status: 8 })).toBe("200 EARLY_CANCEL_DENIED");
  plan("getNumber", "banned_global");
  expect(await said("getNumber", { country: 187, service: "tg" })).toMatch(
    /^200 BANNED:'\d{4}-\d\d-\d\d \d\d-\d\d-\d\d'$/,
  );
  await world.advance(130_000);
  peer.deliver({ phoneNumber: phone, text: "code 1111" });
  expect(await said("setStatus", { id, status: 8 })).toBe("200 BAD_STATUS");
  expect(await said("setStatus", { id, status: 6 })).toBe("200 ACCESS_ACTIVATION");
});

test("legacy mode has the older shapes of purchase, status and active list", async () => {
  const { ask, peer } = openDesk({ mode: "legacy" });
  expect((await ask("getActiveActivations")).json()).toEqual({ status: "error", error: "NO_ACTIVATIONS" });
  const bought = (await ask("getNumberV2", { country: 2, service: "tg" })).json();
  expect(bought).toMatchObject({ countryCode: "2", canGetAnotherSms: "1", activationTime: "2026-09-21 17:13:20" });
  expect(bought).not.toContainKey("activationEndTime");
  peer.deliver({ phoneNumber: bought.phoneNumber, text: "code 1111" });
  expect((await ask("getStatusV2", { id: bought.activationId })).json()).toEqual({
    verificationType: 2,
    sms: { dateTime: "2026-09-21 17:13:20", code: "1111", text: "code 1111" },
  });
  expect((await ask("getActiveActivations")).json().activeActivations[0].activationId).toBe("900000001");
  expect((await ask("getCountries")).json()[0]).toMatchObject({ id: 1, eng: "Ukraine" });
});
