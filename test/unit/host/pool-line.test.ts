import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Line } from "#host/pool/line";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const refusal = () => new Error("no room");
const deadlineMs = 20_000;

function lineOf(bounds = { max: 100, perTenantMax: 50 }) {
  const line = new Line<number>(bounds);
  const served: string[] = [];
  const wait = (tenant: string, name = tenant, ms = deadlineMs) =>
    line.wait(tenant, ms, refusal).then(
      () => void served.push(name),
      (cause: Error) => void served.push(`${name}: ${cause.message}`),
    );
  const serve = async (times: number) => {
    for (let i = 0; i < times; i++) line.serve(i);
    await Promise.resolve();
  };
  return { line, served, wait, serve };
}

test("tenants take turns, each in their own order: one who asks for many does not stand before one who asks for one", async () => {
  const { served, wait, serve } = lineOf();
  for (const name of ["a1", "a2", "a3", "a4"]) void wait("a", name);
  void wait("b", "b1");
  void wait("c", "c1");
  void wait("b", "b2");
  await serve(7);
  expect(served).toEqual(["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
});

test("a tenant who was served goes to the end, also when others come later", async () => {
  const { served, wait, serve } = lineOf();
  void wait("a", "a1");
  void wait("a", "a2");
  await serve(1);
  void wait("b", "b1");
  await serve(1);
  void wait("b", "b2");
  await serve(2);
  expect(served).toEqual(["a1", "a2", "b1", "b2"]);
});

test("the line and each tenant's share of it are bounded, and a place is free again once somebody is served", async () => {
  const { line, wait, serve } = lineOf({ max: 3, perTenantMax: 2 });
  void wait("a");
  void wait("a");
  expect([line.hasPlaceFor("a"), line.hasPlaceFor("b")]).toEqual([false, true]);
  void wait("b");
  expect([line.hasPlaceFor("b"), line.length]).toEqual([false, 3]);
  await serve(1);
  expect([line.hasPlaceFor("a"), line.hasPlaceFor("b"), line.length]).toEqual([true, true, 2]);
});

test("who has waited past the deadline is refused and leaves the line, and nobody is served for them", async () => {
  const { line, served, wait, serve } = lineOf();
  void wait("a", "early", 1_000);
  void wait("a", "late");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(served).toEqual(["early: no room"]);
  expect([line.length, line.hasPlaceFor("a")]).toEqual([1, true]);
  await serve(2);
  expect(served).toEqual(["early: no room", "late"]);
  expect(line.serve(0)).toBe(false);
});

test("all can be refused at once, and no deadline comes after that", async () => {
  const { line, served, wait } = lineOf();
  void wait("a");
  void wait("b");
  line.refuseAll(refusal);
  await vi.advanceTimersByTimeAsync(deadlineMs);
  expect(served).toEqual(["a: no room", "b: no room"]);
  expect([line.length, vi.getTimerCount()]).toEqual([0, 0]);
});
