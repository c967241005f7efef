import * as z from "zod";
import { ExecRequest } from "./exec.ts";
import { ArchiveQuery, FileQuery } from "./files.ts";
import { HostCode, HostId, KeyId, SandboxId, TenantId } from "./ids.ts";
import { limits } from "./limits.ts";
import { EndReason, TemplateName } from "./sandbox.ts";
import { EnvVars } from "./text.ts";
import { SandboxBudget } from "./usage.ts";

/**
 * How long a host keeps a connection that nobody uses. Whoever calls hosts gives its own up sooner: a request that meets
 * one being closed is lost, and whether it was carried out is not known.
 */
export const hostKeepAliveMs = 75_000;

/** Worker -> host, `POST /v1/sandboxes`: hand out a sandbox under this id, or answer `no_capacity`. */
export const HostCreate = z.strictObject({
  sandboxId: SandboxId,
  generation: z.int().min(1),
  tenantId: TenantId,
  template: TemplateName,
  cpu: z.number(),
  memoryMiB: z.int(),
  pids: z.int(),
  diskMiB: z.int(),
  env: EnvVars,
  idleSeconds: z.int(),
  /** Whether its ports are open to who has shown neither a key nor its token. */
  publicPorts: z.boolean(),
  /** Absolute, so that a retried create cannot lengthen a life. */
  expiresAtMs: z.int(),
  /** Ended with the reason `budget` before it costs more; absent = it costs what it costs. */
  budget: SandboxBudget.optional(),
});
export type HostCreate = z.infer<typeof HostCreate>;

export const HostCreated = z.strictObject({
  sandboxId: SandboxId,
  generation: z.int(),
  /** `pool` when a warm member was handed out, `cold` when one had to be made. */
  source: z.enum(["pool", "cold"]),
  /** What the workspace has; a host that keeps them in memory may give less than was asked for. */
  diskMiB: z.int(),
  leaseMs: z.number(),
});
export type HostCreated = z.infer<typeof HostCreated>;

/** Worker -> host, `PATCH /v1/sandboxes/{id}`. */
export const HostPatch = z.strictObject({
  expiresAtMs: z.int(),
  /** A higher cap, of a sandbox that has one. */
  capMicros: z.int().min(1).optional(),
});
export type HostPatch = z.infer<typeof HostPatch>;

/** Worker -> host, `POST /v1/sandboxes/{id}/exec`: the public request, already checked. */
export const HostExec = ExecRequest;

/** Worker -> host, `GET /v1/sandboxes/{id}/files`: `head` asks for the facts alone. */
export const HostFileQuery = FileQuery.extend({ head: z.literal("true").optional() });

/** Worker -> host, `GET` and `PUT /v1/sandboxes/{id}/archive`. */
export const HostArchiveQuery = ArchiveQuery.extend({ gzip: z.literal("true").optional() });

export const SandboxEnd = z.strictObject({
  sandboxId: SandboxId,
  generation: z.int(),
  endReason: EndReason,
  endedAtMs: z.int(),
});
export type SandboxEnd = z.infer<typeof SandboxEnd>;

export const LiveSandbox = z.strictObject({
  sandboxId: SandboxId,
  generation: z.int(),
  expiresAtMs: z.int(),
});
export type LiveSandbox = z.infer<typeof LiveSandbox>;

export const PoolState = z.strictObject({
  template: TemplateName,
  available: z.int(),
  starting: z.int(),
});
export type PoolState = z.infer<typeof PoolState>;

/** What a host shows an operator of one template's pool. */
export type PoolHealth = PoolState & {
  /** Of those available, the ones that are frozen. */
  parked: number;
  /** Creates in line. */
  waiting: number;
  /** Sandboxes in use. */
  allocated: number;
  /** What the refill aims at now. */
  target: number;
  max: number;
};

/** Host -> worker, `POST /internal/v1/heartbeat`, every 5 s and at once after an end. */
export const Heartbeat = z.strictObject({
  hostId: HostId,
  code: HostCode,
  /** Where the control plane reaches this host. */
  url: z.url(),
  /** When the lists below were taken; what was placed after it is not in them. */
  takenAtMs: z.int(),
  isDraining: z.boolean(),
  cores: z.int(),
  /** Room left under the host's own admission rule; a hint, the host decides. */
  freeMemoryMiB: z.int(),
  pools: z.array(PoolState),
  live: z.array(LiveSandbox),
  /** Ends that the control plane has not acknowledged yet. */
  ended: z.array(SandboxEnd).max(1000),
  /** API keys that hold connections to ports open: each of them in every beat, or a revoked one would stay connected. */
  portKeys: z.array(KeyId).max(limits.portConnectionsHostMax).optional(),
});
export type Heartbeat = z.infer<typeof Heartbeat>;

/** Not strict: a newer control plane may say more than an older host understands. */
export const HeartbeatReply = z.object({
  /** These ends are recorded; the host may forget them. */
  acknowledged: z.array(z.strictObject({ sandboxId: SandboxId, generation: z.int() })),
  /** The control plane does not want these to run. */
  kill: z.array(z.strictObject({ sandboxId: SandboxId, generation: z.int(), reason: EndReason })),
  /** Deadlines that were changed while the host was not heard. */
  deadlines: z.array(LiveSandbox),
  /** Of the keys that hold connections open: these may no more. */
  refusedKeys: z.array(KeyId).optional(),
});
export type HeartbeatReply = z.infer<typeof HeartbeatReply>;

/** What the host keeps in `host.json` (mode 0600): who it is and how it signs. */
export const HostIdentity = z.strictObject({
  hostId: HostId,
  code: HostCode,
  /** Hex, `HMAC-SHA256(SANDGATE_HOST_SECRET, hostId)`. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
  controlUrl: z.url(),
});
export type HostIdentity = z.infer<typeof HostIdentity>;
