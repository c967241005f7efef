import { expect } from "vitest";
import { newSandboxId } from "#contract/ids";
import { insertReserved } from "#worker/sandboxes/insert-store";
import type { SandboxRow } from "#worker/sandboxes/store";
import { takingOf } from "./account.ts";
import type { Harness } from "./harness.ts";

/** The row of a sandbox that is being created, as a batch writes it. */
export function creatingRow(h: Harness): SandboxRow {
  const nowMs = h.clock.now();
  return {
    id: newSandboxId(h.host.code),
    tenantId: h.tenantId,
    hostId: h.host.hostId,
    generation: 1,
    template: "base",
    state: "creating",
    cpu: 1,
    memoryMiB: 256,
    pids: 256,
    diskMiB: 1024,
    lifetimeSeconds: 900,
    idleSeconds: 300,
    publicPorts: false,
    capMicros: null,
    metadata: {},
    createdAtMs: nowMs,
    startedAtMs: null,
    expiresAtMs: nowMs + 900_000,
    endedAtMs: null,
    endReason: null,
  };
}

/** What a create leaves when its process dies between the batch and the host. */
export async function crashedCreate(h: Harness): Promise<SandboxRow> {
  const row = creatingRow(h);
  expect(await insertReserved(h.deps.db, h.tenantId, row, takingOf(h))).toBe(true);
  return row;
}

/** What the host would have been asked for. */
export const hostCreateOf = (row: SandboxRow) => ({
  sandboxId: row.id,
  generation: row.generation,
  tenantId: row.tenantId,
  template: row.template,
  cpu: row.cpu,
  memoryMiB: row.memoryMiB,
  pids: row.pids,
  diskMiB: row.diskMiB,
  env: {},
  idleSeconds: row.idleSeconds,
  publicPorts: row.publicPorts,
  expiresAtMs: row.expiresAtMs,
});

export const placeOf = (row: SandboxRow) => ({
  tenantId: row.tenantId,
  sandboxId: row.id,
  hostId: row.hostId,
  url: "",
});
