import fc from "fast-check";
import { expect, test } from "vitest";
import type { Heartbeat } from "#contract/host";
import { HostCode, newHostId, newSandboxId, newTenantId } from "#contract/ids";
import { endReasons, sandboxStates, statesBefore } from "#contract/sandbox";
import { decide } from "#worker/sandboxes/reconcile-decide";
import type { SandboxRow } from "#worker/sandboxes/store";

const code = HostCode.parse("haaa");
const hostId = newHostId();
const tenantId = newTenantId();
const nowMs = 1_000_000;

const anyRow = fc
  .record({
    state: fc.constantFrom("creating", "running", "ending" as const),
    generation: fc.integer({ min: 1, max: 2 }),
    createdAtMs: fc.integer({ min: nowMs - 100_000, max: nowMs }),
    isStarted: fc.boolean(),
    expiresAtMs: fc.integer({ min: nowMs - 50_000, max: nowMs + 50_000 }),
    isLive: fc.boolean(),
    isReported: fc.boolean(),
    seenGeneration: fc.integer({ min: 1, max: 2 }),
  })
  .map(({ isStarted, isLive, isReported, seenGeneration, ...some }) => {
    const row: SandboxRow = {
      id: newSandboxId(code),
      tenantId,
      hostId,
      template: "base",
      cpu: 1,
      memoryMiB: 256,
      pids: 256,
      diskMiB: 1024,
      lifetimeSeconds: 60,
      idleSeconds: 60,
      publicPorts: false,
      capMicros: null,
      metadata: {},
      startedAtMs: isStarted ? some.createdAtMs : null,
      endedAtMs: null,
      endReason: some.state === "ending" ? "killed" : null,
      ...some,
    };
    return { row, isLive, isReported, seenGeneration };
  });

test("whatever a host reports, each row and each live sandbox gets at most one fate", () => {
  fc.assert(
    fc.property(fc.array(anyRow, { maxLength: 12 }), (seen) => {
      const live = seen
        .filter((one) => one.isLive)
        .map(({ row, seenGeneration }) => ({
          sandboxId: row.id,
          generation: seenGeneration,
          expiresAtMs: 1,
        }));
      const ended = seen
        .filter((one) => one.isReported)
        .map(({ row, seenGeneration: generation }) => ({
          sandboxId: row.id,
          generation,
          endReason: "oom" as const,
          endedAtMs: nowMs,
        }));
      const heartbeat: Heartbeat = {
        hostId,
        code,
        url: "http://127.0.0.1:1",
        takenAtMs: nowMs,
        isDraining: false,
        cores: 1,
        freeMemoryMiB: 1,
        pools: [],
        live,
        ended,
      };
      const { ends, running, reply } = decide({
        heartbeat,
        rows: seen.map((one) => one.row),
        nowMs,
        clockOffsetMs: 0,
      });
      expect(reply.acknowledged).toHaveLength(ended.length);
      const fates = [...ends.map(({ row }) => row.id), ...running.map((row) => row.id)];
      expect(new Set(fates).size).toBe(fates.length);
      for (const { row, end } of ends) {
        expect(end.endedAtMs).toBeGreaterThanOrEqual(row.createdAtMs);
        expect(end.endedAtMs).toBeLessThanOrEqual(nowMs);
        const one = seen.find((candidate) => candidate.row === row);
        const isLiveNow = one?.isLive && one.seenGeneration === row.generation;
        const isReportedNow = one?.isReported && one.seenGeneration === row.generation;
        // What lives under its generation is ended by a report only, never by its absence.
        if (isLiveNow) expect(isReportedNow).toBe(true);
      }
      for (const row of running) expect(row.state).toBe("creating");
      for (const { sandboxId } of reply.deadlines) {
        expect(reply.kill.map((kill) => kill.sandboxId)).not.toContain(sandboxId);
      }
    }),
    { numRuns: 300, seed: 3 },
  );
});

test("no state is reached from itself or after the end", () => {
  for (const state of sandboxStates) {
    expect(statesBefore(state)).not.toContain(state);
    expect(statesBefore(state)).not.toContain("ended");
  }
  expect(statesBefore("creating")).toEqual([]);
});

test("every end reason has a name of its own", () => {
  expect(new Set(endReasons).size).toBe(endReasons.length);
});
