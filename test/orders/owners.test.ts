import { expect, test } from "bun:test";
import { Owners } from "../../src/orders/owners.ts";

function counted() {
  let made = 0;
  const owners = new Owners({
    pseudonym: (text) => {
      made++;
      return `<${text}>`;
    },
  });
  return { owners, made: () => made };
}

test("an owner is a client and a network by pseudonym, made once while it comes again", () => {
  const { owners, made } = counted();
  for (let order = 0; order < 10; order++) {
    expect(owners.of({ client: "192.0.2.1", network: "192.0.2.0/24" })).toEqual({
      client: "<192.0.2.1>",
      network: "<192.0.2.0/24>",
    });
    expect(owners.of({ client: "local" })).toEqual({ client: "<local>", network: "<local>" });
  }
  expect(made()).toBe(4);
});

test("of very many clients not all are remembered, and each is itself", () => {
  const { owners, made } = counted();
  for (let turn = 0; turn < 2; turn++) {
    for (let n = 0; n < 5_000; n++) expect(owners.of({ client: String(n) }).client).toBe(`<${n}>`);
  }
  expect(made()).toBe(20_000);
});
