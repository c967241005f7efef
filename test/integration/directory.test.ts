import { expect, test } from "vitest";
import { newHostCode } from "#contract/ids";
import { harness } from "#test/support/harness";

const ctx = { background: (_name: string, work: Promise<unknown>) => void work };

test("unknown codes, however many, cost one read a second", async () => {
  const h = await harness();
  await h.deps.directory.placeable();
  h.database.takeCount();
  for (let i = 0; i < 50; i++) await h.deps.directory.byCode(ctx, newHostCode());
  expect(h.database.takeCount()).toBe(1);
  await h.close();
});

test("what was placed is counted until a newer heartbeat, not just until the next read", async () => {
  const h = await harness();
  const warm = async () => (await h.deps.directory.placeable())[0]?.pools[0]?.available;
  expect(await warm()).toBe(10);
  await h.create();
  expect(await warm()).toBe(9);
  h.clock.advance(3_000);
  expect(await warm()).toBe(9);
  await h.heartbeat();
  expect(await warm()).toBe(10);
  await h.close();
});

test("a host that was removed is forgotten with the next read", async () => {
  const h = await harness();
  expect(await h.deps.directory.placeable()).toHaveLength(1);
  await h.database.client.execute("UPDATE hosts SET removed_at_ms = 1");
  h.clock.advance(3_000);
  expect(await h.deps.directory.placeable()).toEqual([]);
  await h.close();
});

test("readyz, which is open to everyone, asks the database once however many ask at once", async () => {
  const h = await harness();
  const ready = async () => (await h.send("GET", "/readyz")).status;
  expect(await ready()).toBe(200);
  h.clock.advance(2_500);
  h.database.takeCount();
  const statuses = await Promise.all(Array.from({ length: 50 }, ready));
  expect(new Set(statuses)).toEqual(new Set([200]));
  // One ping, and one read of the hosts.
  expect(h.database.takeCount()).toBe(2);
  await h.close();
});
