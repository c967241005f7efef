import { newReservationId, secureRandom } from "#contract/ids";
import { TenantLimits } from "#contract/plan";
import { bySystem } from "#worker/audit/store";
import type { Ctx } from "#worker/context";
import type { Admission } from "#worker/quota/admit-store";
import type { NewRun } from "#worker/runs/store";
import type { Taking } from "#worker/sandboxes/insert-store";
import type { Harness } from "./harness.ts";

/** On the account of the harness' first tenant; the long statement, which looks at holds. */
export const takingOf = (h: Pick<Harness, "id">): Omit<Taking, "rider"> => ({
  keyId: h.id,
  isUnmetered: false,
  by: bySystem,
  randomBytes: secureRandom,
});

const plenty = 1_000_000;

/** The first tenant's own request, for verbs that are called without one. */
export const ctxOf = (h: Pick<Harness, "id" | "tenantId" | "deps">): Ctx => ({
  requestId: "req_test",
  tenantId: h.tenantId,
  keyId: h.id,
  scopes: [],
  restrictions: { templates: null, expiresAtMs: null, monthlyCapMicros: null, rate: null },
  sandboxId: null,
  limits: generous,
  isUnmetered: false,
  background: h.deps.background,
  note: () => undefined,
});

/** Limits that refuse nothing. */
export const generous: TenantLimits = TenantLimits.parse({
  requestsPerSecond: plenty,
  burst: plenty,
  dataRequestsPerSecond: plenty,
  dataBurst: plenty,
  createsPerSecond: plenty,
  createBurst: plenty,
  concurrentSandboxes: plenty,
  concurrentRuns: plenty,
  createsPerDay: plenty,
  openStreams: plenty,
  storedBytes: 1e15,
  cpuSecondsPerMonth: null,
  memoryGibSecondsPerMonth: null,
  sandboxCpu: 1024,
  sandboxMemoryMiB: plenty,
  sandboxDiskMiB: plenty,
  sandboxLifetimeSeconds: plenty,
});

/** What a run of the first tenant is admitted with. */
export function admissionOf(h: Pick<Harness, "id">, run: NewRun): Admission {
  const { id, createdAtMs, deadlineAtMs, cpu, memoryMiB, template, metadata } = run;
  return {
    keyId: h.id,
    createdAtMs,
    count: 1,
    size: { cpu, memoryMiB, diskMiB: 1024 },
    lifetimeSeconds: Math.ceil((deadlineAtMs - createdAtMs) / 1000),
    capMicros: null,
    isRun: true,
    slots: [{ id: newReservationId(), sandboxId: id, expiresAtMs: deadlineAtMs }],
    generation: 1,
    template,
    metadata,
    isUnmetered: false,
  };
}
