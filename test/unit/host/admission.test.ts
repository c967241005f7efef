import fc from "fast-check";
import { expect, test } from "vitest";
import { freeMemoryMiB } from "#host/pool/admission";

const machine = { totalMiB: 24_576, availableMiB: 20_000, promisedMiB: 0, overcommit: 1.5, reserveMiB: 512 };

test("limits may add up to RAM times the overcommit, which is what the page on the pool counts with", () => {
  expect(freeMemoryMiB(machine)).toBe(144 * 256);
  expect(freeMemoryMiB({ ...machine, promisedMiB: 144 * 256 - 100 })).toBe(100);
  expect(freeMemoryMiB({ ...machine, overcommit: 8 })).toBe(768 * 256);
});

test("while less than the reserve is available nothing may be promised, whatever the overcommit", () => {
  expect(freeMemoryMiB({ ...machine, availableMiB: 511, overcommit: 16 })).toBe(0);
  expect(freeMemoryMiB({ ...machine, availableMiB: 512 })).toBeGreaterThan(0);
});

test("what may be promised is never below zero", () => {
  const mib = fc.integer({ min: 0, max: 1_000_000 });
  const facts = fc.record({ totalMiB: mib, availableMiB: mib, promisedMiB: mib, reserveMiB: mib });
  fc.assert(
    fc.property(facts, fc.double({ min: 1, max: 16, noNaN: true }), (some, overcommit) => {
      expect(freeMemoryMiB({ ...some, overcommit })).toBeGreaterThanOrEqual(0);
    }),
  );
});
