import { expect, test } from "vitest";
import { HostCode, newHostId } from "#contract/ids";
import { AppError } from "#worker/errors";
import type { Directory, Host } from "#worker/hosts/directory";
import { place } from "#worker/placement/place";

const host = (code: string): Host => ({
  id: newHostId(),
  code: HostCode.parse(code),
  url: "http://127.0.0.1:1",
  isDraining: false,
  cores: 4,
  freeMemoryMiB: 1024,
  pools: [],
  heartbeatAtMs: 0,
});
const small = host("haaa");
const large = host("hbbb");
const directory: Directory = {
  byCode: async () => undefined,
  placeable: async () => [small, large],
  noteHost: () => undefined,
  forgetHost: () => undefined,
  notePlaced: () => undefined,
};
const ask = { template: "base", cpu: 1, memoryMiB: 65_536 };
const tooLarge = () => new AppError("invalid_request", "No host is as large.");

test("what is too large for one host is offered to the next", async () => {
  // 0 picks the first host first.
  const placed = place({ directory, random: () => 0 }, ask, async (asked) => {
    if (asked === small) throw tooLarge();
    return asked.code;
  });
  expect(await placed).toBe(large.code);
});

test("a refusal by all says when the first of them expects to have room", async () => {
  const attempt = async (asked: Host) => {
    const facts = asked === small ? { facts: { retryAfterSeconds: 9 } } : { facts: { retryAfterSeconds: 4 } };
    throw new AppError("no_capacity", "The host is full.", facts);
  };
  await expect(place({ directory, random: () => 0 }, ask, attempt)).rejects.toMatchObject({
    facts: { retryAfterSeconds: 4 },
  });
});

test("what is too large for every host is a mistake, not a lack of room", async () => {
  const attempt = async () => {
    throw tooLarge();
  };
  await expect(place({ directory, random: () => 0 }, ask, attempt)).rejects.toMatchObject({
    code: "invalid_request",
  });
});

test("what is too large for one host and finds another one full may be asked for again", async () => {
  const attempt = async (asked: Host) => {
    throw asked === small ? tooLarge() : new AppError("no_capacity", "The host is full.");
  };
  for (const random of [() => 0, () => 0.99]) {
    await expect(place({ directory, random }, ask, attempt)).rejects.toMatchObject({ code: "no_capacity" });
  }
});
