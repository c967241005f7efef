import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { freeMemoryMiB, readMachineMemory } from "#host/pool/admission";

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

test("the machine's memory is read without a descriptor that could be missing", () => {
  const before = readMachineMemory();
  expect(before.availableMiB).toBeLessThanOrEqual(before.totalMiB);
  const none = () => {
    throw Object.assign(new Error("EMFILE: too many open files"), { code: "EMFILE" });
  };
  const spies = [
    vi.spyOn(fs, "openSync").mockImplementation(none),
    vi.spyOn(fs, "readFileSync").mockImplementation(none),
  ];
  syncBuiltinESMExports();
  try {
    expect(readMachineMemory().availableMiB).toBeGreaterThan(0);
  } finally {
    for (const spy of spies) spy.mockRestore();
    syncBuiltinESMExports();
  }
});
