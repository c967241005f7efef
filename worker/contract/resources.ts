import type { ErrorCode } from "./errors.ts";
import { HostId, KeyId, RunId, SandboxId, TenantId } from "./ids.ts";
import { PlanName } from "./plan.ts";

/** What `:id` stands for in a path, by the folder before it, and how one that is not there is answered. */
export const resources = {
  sandboxes: { id: SandboxId, fact: "sandboxId", missing: "sandbox_not_found" },
  runs: { id: RunId, fact: "runId", missing: "run_not_found" },
  keys: { id: KeyId, fact: "ofKeyId", missing: "key_not_found" },
  tenants: { id: TenantId, fact: "ofTenantId", missing: "tenant_not_found" },
  plans: { id: PlanName, fact: "plan", missing: "plan_not_found" },
  hosts: { id: HostId, fact: "hostId", missing: "host_not_found" },
} as const satisfies Record<string, { id: unknown; fact: string; missing: ErrorCode }>;

export type Resource = keyof typeof resources;

/** The resource that a path is about: `/v1/sandboxes/:id/exec` is about sandboxes. */
export function resourceOf(path: string): Resource | undefined {
  const folder = /\/v1\/([a-z-]+)/.exec(path)?.[1] ?? "";
  // Names of the table's own only: `constructor` is none.
  return Object.hasOwn(resources, folder) ? (folder as Resource) : undefined;
}
