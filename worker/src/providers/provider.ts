import type { ExecRequest, ExecResult } from "#contract/exec";
import type { WrittenFile } from "#contract/files";
import type { HostCreate, HostCreated, SandboxEnd } from "#contract/host";
import type { ExecId, HostId, SandboxId, TenantId } from "#contract/ids";

/** Which sandbox, for whom, where. */
export type Place = { tenantId: TenantId; sandboxId: SandboxId; hostId: HostId; url: string };

export type Call = { requestId: string; deadlineMs: number; signal?: AbortSignal };

/** Events as they go to the caller. However the host ends, the last one is `exit` or `error`. */
export type ExecEvents = { execId: ExecId; stream: ReadableStream<Uint8Array> };
export type StreamWish = { cancelOnDisconnect: boolean };

export type FileContent = { stream: ReadableStream<Uint8Array>; size: number; mode: string };
export type FileBody = { stream: ReadableStream<Uint8Array> };

/**
 * Where sandboxes run. Every implementation throws AppError only, with codes of the public table, and marks with
 * `isOutcomeUnknown` what may have happened all the same; one conformance suite holds them all to it.
 */
export interface SandboxProvider {
  /** Repeating the same id and generation is a success. @throws `no_capacity`, `host_unreachable` */
  create(place: Place, spec: HostCreate, call: Call): Promise<HostCreated>;
  /** `null` when the host does not know the sandbox. @throws `host_unreachable` */
  kill(place: Place, generation: number, call: Call): Promise<SandboxEnd | null>;
  /** @throws `sandbox_not_found`, `host_unreachable` */
  patch(place: Place, generation: number, patch: { expiresAtMs: number }, call: Call): Promise<void>;
  /** @throws `sandbox_not_found`, `host_unreachable`, `exec_lost` and the codes of the `exec` row */
  exec(place: Place, request: ExecRequest, call: Call): Promise<ExecResult>;
  /** Resolves once the command has started. @throws as `exec` */
  streamExec(place: Place, request: ExecRequest, wish: StreamWish, call: Call): Promise<ExecEvents>;
  /** @throws `sandbox_not_found`, `exec_not_found` */
  followExec(place: Place, execId: ExecId, after: number, call: Call): Promise<ExecEvents>;
  /** @throws `sandbox_not_found`, `file_not_found` and the codes of the `readFile` row */
  readFile(place: Place, path: string, call: Call): Promise<FileContent>;
  /** @throws `sandbox_not_found` and the codes of the `writeFile` row */
  writeFile(place: Place, path: string, body: FileBody, call: Call): Promise<WrittenFile>;
}
