import { describe, expect, test } from "bun:test";
import type { StoredMessage } from "../../actors/runtime/store.ts";
import { nameMessages } from "../../src/provider/messages.ts";
import { ANONYMOUS, type ProviderMessage } from "../../src/provider/port.ts";

const told = (id: string, code: string | null, text: string | null = null): ProviderMessage => ({
  id,
  code,
  text,
  from: null,
  receivedAt: null,
});
const unnamed = (code: string | null, text: string | null = null) => told(`${ANONYMOUS}digest`, code, text);
const stored = (id: string, code: string | null, text: string | null = null): StoredMessage => ({
  id,
  code,
  text,
  sender: null,
  receivedAt: null,
  storedAt: 1,
});
const ids = (incoming: ProviderMessage[], known: StoredMessage[] = []) =>
  nameMessages(incoming, known).map(({ id }) => id);

describe("messages with an id", () => {
  test("keep it, also when two say the same", () => {
    expect(ids([told("7", "123"), told("8", "123")])).toEqual(["7", "8"]);
    expect(ids([told("8", "123")], [stored("7", "123")])).toEqual(["8"]);
  });

  test("are the same SMS as one that was stored without an id", () => {
    expect(ids([told("7", "123", "Code 123")], [stored(`${ANONYMOUS}1`, "123")])).toEqual([]);
    expect(ids([told("7", null, "Hello")], [stored(`${ANONYMOUS}1`, null, "Hello")])).toEqual([]);
    expect(ids([told("7", "124")], [stored(`${ANONYMOUS}1`, "123")])).toEqual(["7"]);
  });
});

describe("several messages in one answer", () => {
  const at = (id: string, receivedAt: number | null): ProviderMessage => ({ ...told(id, id), receivedAt });

  test("are put oldest first, however the provider lists them", () => {
    expect(ids([at("11", 3_000), at("10", 2_000), at("9", 1_000)])).toEqual(["9", "10", "11"]);
    expect(ids([at("9", 1_000), at("10", 2_000), at("11", 3_000)])).toEqual(["9", "10", "11"]);
    // A later id with an earlier time: the time says when it came.
    expect(ids([at("10", 2_000), at("11", 1_000)])).toEqual(["11", "10"]);
  });

  test("of one second are told apart by the provider's counting ids", () => {
    expect(ids([at("100", 1_000), at("99", 1_000), at("98", 1_000)])).toEqual(["98", "99", "100"]);
    expect(ids([at("100", null), at("99", null)])).toEqual(["99", "100"]);
  });

  test("stay as they are listed where nothing tells which was first", () => {
    expect(ids([at("b", null), at("a", null)])).toEqual(["b", "a"]);
    expect(ids([at("b", 1_000), at("a", 1_000)])).toEqual(["b", "a"]);
    expect(ids([at("12", 2_000), unnamed("x"), at("11", 1_000)])).toEqual(["12", `${ANONYMOUS}2`, "11"]);
  });
});

describe("messages without an id", () => {
  test("are counted within the order, and never named by what they say", () => {
    const named = nameMessages([unnamed("123456"), unnamed("654321")], []);
    expect(named.map(({ id, code }) => [id, code])).toEqual([
      [`${ANONYMOUS}1`, "123456"],
      [`${ANONYMOUS}2`, "654321"],
    ]);
  });

  test("go on counting after those that are stored", () => {
    const known = [stored("7", "1"), stored(`${ANONYMOUS}2`, "2")];
    expect(ids([unnamed("3"), told("9", "4"), unnamed("5")], known)).toEqual([`${ANONYMOUS}3`, "9", `${ANONYMOUS}5`]);
  });

  test("are dropped when their content is known, with or without an id", () => {
    expect(ids([unnamed("1")], [stored("7", "1", "Code 1")])).toEqual([]);
    expect(ids([unnamed("1")], [stored(`${ANONYMOUS}1`, "1")])).toEqual([]);
    expect(ids([unnamed(null, "Hello")], [stored("7", null, "Hello")])).toEqual([]);
    // The history tells a text without its code, a status a code without its text.
    expect(ids([unnamed(null, "Code 123")], [stored("7", "123", "Code 123")])).toEqual([]);
    expect(ids([unnamed(null, "Code 123.")], [stored(`${ANONYMOUS}1`, "123")])).toEqual([]);
    expect(ids([unnamed("123"), unnamed(null, "Code: 123")])).toEqual([`${ANONYMOUS}1`]);
    expect(ids([told("7", "123", "Code 123")], [stored(`${ANONYMOUS}1`, null, "Code 123")])).toEqual([]);
  });

  test("are others when they say something else", () => {
    expect(ids([unnamed(null, "Code 1234")], [stored(`${ANONYMOUS}1`, "123")])).toEqual([`${ANONYMOUS}2`]);
    expect(ids([unnamed(null, "Hello")], [stored("7", "1", "Hello again")])).toEqual([`${ANONYMOUS}2`]);
    expect(ids([unnamed("2")], [stored("7", "1", "Code 1")])).toEqual([`${ANONYMOUS}2`]);
  });

  test("and with one, told in one answer, are one SMS in either order", () => {
    expect(ids([told("7", "1"), unnamed("1")])).toEqual(["7"]);
    expect(ids([unnamed("1"), told("7", "1")])).toEqual([`${ANONYMOUS}1`]);
    expect(ids([unnamed("1"), unnamed("1")])).toEqual([`${ANONYMOUS}1`]);
  });
});

test("codes are text: leading zeros tell them apart", () => {
  expect(ids([unnamed("0123"), unnamed("123")])).toHaveLength(2);
});

test("an id that is stored already is left for the order to recognise", () => {
  expect(ids([told("7", "1")], [stored("7", "1")])).toEqual(["7"]);
});
