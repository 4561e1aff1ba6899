import { expect, test } from "bun:test";
import { readTrace } from "./syscalls.ts";

const LOG = "11</data/orders.sqlite-wal>";
const DATABASE = "10</data/orders.sqlite>";
const header = `7 pwrite64(${LOG}, "7\\177"..., 32, 0) = 32`;
const frame = `7 pwrite64(${LOG}, "\\0\\0"..., 24, 32) = 24`;
const synced = `7 fsync(${LOG}) = 0`;
const answer = '7 sendto(21<socket:[3]>, "HTTP/1.1 402 Payment Required\\r\\n"..., 2318, MSG_NOSIGNAL, NULL, 0) = 2318';
const page = `7 pwrite64(${DATABASE}, "\\r"..., 4096, 8192) = 4096`;

const seen = (...lines: string[]) => readTrace(lines.join("\n"));

test("an answer after the sync of its commit is in order", () => {
  expect(seen(header, frame, synced, answer)).toMatchObject({ answers: 1, writes: 2, syncs: 1, violations: [] });
});

test("an answer before the sync of a commit is not, nor is one after a sync that failed", () => {
  const early = ["an answer was sent before its commit was synced (system call 2)"];
  expect(seen(frame, answer, synced).violations).toEqual(early);
  expect(seen(frame, synced.replace("= 0", "= -1 EIO"), answer).violations).toHaveLength(1);
});

test("a sync that another thread interrupts counts once it returned", () => {
  const begun = `7 fdatasync(${LOG} <unfinished ...>`;
  const other = '9 sendto(4<socket:[9]>, "GET /v1/getinfo HTTP/1.1\\r\\n"..., 215, MSG_NOSIGNAL, NULL, 0) = 215';
  const returned = "7 <... fdatasync resumed>)             = 0";
  expect(seen(frame, begun, other, returned, answer)).toMatchObject({
    answers: 1,
    writes: 1,
    syncs: 1,
    violations: [],
  });
  expect(seen(frame, begun, answer, returned).violations).toHaveLength(1);
});

test("pages go into the database after their log is safe, and the log begins anew after the database is", () => {
  const truncated = `7 ftruncate(${LOG}, 0) = 0`;
  expect(seen(frame, synced, page, `7 fsync(${DATABASE}) = 0`, truncated, answer, header).violations).toEqual([]);
  expect(seen(frame, page).violations).toEqual([
    "a page went into the database before its log was safe (system call 2)",
  ]);
  expect(seen(page, header).violations).toEqual(["a log began anew before the database was safe (system call 2)"]);
  expect(seen(page, truncated).violations).toEqual(["a log began anew before the database was safe (system call 2)"]);
});
