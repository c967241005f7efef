import type { api } from "./api.ts";

type Api = typeof api;
/** Every call that may change something. */
export type MutatingName = {
  [N in keyof Api]: Api[N]["method"] extends "get" ? never : N;
}[keyof Api];

/**
 * What each call that changes something leaves in the audit, once for each thing that it has changed. `null` is a decision
 * too: what goes on inside of a sandbox is the tenant's own, and is on no record of ours.
 */
export const audited = {
  createSandbox: "sandbox.created",
  createSandboxBatch: "sandbox.created",
  patchSandbox: "sandbox.changed",
  deleteSandbox: "sandbox.ended",
  exec: null,
  startProcess: null,
  killProcess: null,
  writeInput: null,
  signalProcess: null,
  resizeProcess: null,
  createSession: null,
  execInSession: null,
  endSession: null,
  writeFile: null,
  deleteFile: null,
  writeArchive: null,
  createRun: "run.created",
  cancelRun: "run.ended",
  createKey: "key.created",
  revokeKey: "key.revoked",
  createSandboxToken: "token.issued",
  createTenant: "tenant.created",
  patchTenant: "tenant.changed",
  suspendTenant: "tenant.suspended",
  resumeTenant: "tenant.resumed",
  deleteTenant: "tenant.deleted",
  createTenantKey: "key.created",
  revokeTenantKey: "key.revoked",
  putPlan: "plan.changed",
  deletePlan: "plan.deleted",
  drainHost: "host.drained",
  undrainHost: "host.undrained",
  removeHost: "host.removed",
  // It only looks.
  verifyAudit: null,
} as const satisfies Record<MutatingName, `${string}.${string}` | null>;

const byName: Partial<Record<string, string | null>> = audited;
export const isAudited = (name: string): boolean => typeof byName[name] === "string";
