import * as z from "zod";
import { PoolState } from "./host.ts";
import { HostCode, HostId, SandboxId, TenantId } from "./ids.ts";
import { pageOf } from "./page.ts";
import { sandboxStates, TemplateName } from "./sandbox.ts";

const time = z.iso.datetime();

/** A host as its operator sees it. */
export const OperatorHost = z
  .strictObject({
    id: HostId,
    code: HostCode.describe("Begins the id of every sandbox there."),
    state: z
      .enum(["up", "draining", "silent", "new"])
      .describe(
        "`silent` = not heard for 15 s, `new` = never heard; only hosts that are `up` get sandboxes.",
      ),
    isDraining: z.boolean().describe("By its operator's wish, or because it is being stopped."),
    sandboxes: z.int().describe("Sandboxes there that have not ended."),
    cores: z.int(),
    freeMemoryMiB: z.int().describe("Room left by its last heartbeat."),
    pools: z.array(PoolState.meta({ id: "PoolState" })),
    createdAt: time,
    heartbeatAt: time.optional(),
  })
  .meta({ id: "OperatorHost" });
export type OperatorHost = z.infer<typeof OperatorHost>;

export const HostPage = pageOf(OperatorHost).meta({ id: "HostPage" });
export type HostPage = z.infer<typeof HostPage>;

export const OperatorSandbox = z
  .strictObject({
    id: SandboxId,
    tenantId: TenantId,
    template: TemplateName,
    state: z.enum(sandboxStates),
    cpu: z.number(),
    memoryMiB: z.int(),
    createdAt: time,
    expiresAt: time,
  })
  .meta({ id: "OperatorSandbox" });
export type OperatorSandbox = z.infer<typeof OperatorSandbox>;

export const OperatorSandboxPage = pageOf(OperatorSandbox).meta({ id: "OperatorSandboxPage" });
export type OperatorSandboxPage = z.infer<typeof OperatorSandboxPage>;

export const RemoveHostQuery = z.strictObject({
  confirmDead: z
    .enum(["true", "false"])
    .optional()
    .describe(
      "`true` says that the machine is gone: its sandboxes are given up and their slots are free at once.",
    ),
});
export type RemoveHostQuery = z.infer<typeof RemoveHostQuery>;

export const RemovedHost = z
  .strictObject({ id: HostId, endedSandboxes: z.int().describe("Given up with it.") })
  .meta({ id: "RemovedHost" });
export type RemovedHost = z.infer<typeof RemovedHost>;
