import type { ExecRequest, ExecResult } from "#contract/exec";
import type { EntriesQuery, EntryPage, WrittenFile } from "#contract/files";
import type { HostCreate, HostCreated, HostPatch, SandboxEnd } from "#contract/host";
import type { ExecId, HostId, KeyId, SandboxId, TenantId } from "#contract/ids";
import type { SandboxMetrics } from "#contract/metrics";
import type { portCaller } from "#contract/ports";
import type {
  Process,
  ProcessList,
  ProcessName,
  ProcessRequest,
  SessionExecRequest,
  SessionRequest,
  SessionResult,
  SignalRequest,
  TerminalSize,
} from "#contract/process";
import type { WatchQuery } from "#contract/watch";
import type { Bytes } from "../bytes.ts";

/** Which sandbox, for whom, where. */
export type Place = { tenantId: TenantId; sandboxId: SandboxId; hostId: HostId; url: string };

/** The same for a caller of a port, who need not have shown a key. */
export type PortPlace = Omit<Place, "tenantId"> & {
  tenantId: TenantId | (typeof portCaller)[keyof typeof portCaller];
};

export type Call = { requestId: string; deadlineMs: number; signal?: AbortSignal };

/** Events as they go to the caller. However the host ends, the last one is `exit` or `error`. */
export type ExecEvents = { execId: ExecId; stream: ReadableStream<Uint8Array> };
export type StreamWish = { cancelOnDisconnect: boolean };

export type FileContent = {
  status: 200 | 206 | 304;
  /** The bytes that are sent; none with 304, or when only the facts were asked for. */
  body: Bytes | ReadableStream<Uint8Array> | null;
  /** Of the bytes that are sent, or would be. */
  length: number;
  mode: string;
  etag: string;
  lastModified: string;
  contentRange?: string;
};
/** The headers of the caller's request that say which part of a file is wanted, and when none is. */
export const readHeaders = ["range", "if-range", "if-none-match", "if-modified-since"] as const;
export type ReadWish = { headOnly: boolean; headers: Partial<Record<(typeof readHeaders)[number], string>> };
/** `length` is what its sender declared, where the server that took it holds the sender to that. */
export type FileBody =
  | { stream: ReadableStream<Uint8Array>; length?: number }
  /** A short one, which arrives when it is asked for. */
  | { bytes: () => Promise<Bytes> };
export type ProcessInput = { bytes: Bytes; isLast: boolean };
export type AttachHandshake = {
  /** The event after which output is wanted. */
  after: number;
  /** The headers of a handshake, as the runtime wants them. */
  handshake: Record<string, string>;
  /** The connection ends when this key is refused. */
  keyId: KeyId;
  /** It ends then, when nothing has ended it before; `null` = never by itself. */
  untilMs: number | null;
};
export type ArchiveWish = { path: string; isGzip: boolean };

/** A request for a server in a sandbox, with what may be passed on of it. */
export type PortRequest = {
  port: number;
  method: string;
  /** Path and query as the server is to see them. */
  target: string;
  headers: Record<string, string>;
  body: Bytes | ReadableStream<Uint8Array> | null;
  /** The declared length of a streamed body. */
  bodyBytes: number | null;
  /** The connection ends when this key is refused. */
  keyId: KeyId | null;
  /** It ends then, when nothing has ended it before; `null` = never by itself. */
  untilMs: number | null;
  /** The headers of a handshake, as the runtime wants them; null = an ordinary request. */
  handshake: Record<string, string> | null;
};

/**
 * Where sandboxes run. Every implementation throws AppError only, with codes of the public table, and marks with
 * `isOutcomeUnknown` what may have happened all the same; one conformance suite holds them all to it.
 */
export interface SandboxProvider extends Lives, Commands, Processes, Files, Ports {}

export interface Lives {
  /** Repeating the same id and generation is a success. @throws `no_capacity`, `host_unreachable` */
  create(place: Place, spec: HostCreate, call: Call): Promise<HostCreated>;
  /** `null` when the host does not know the sandbox. @throws `host_unreachable` */
  kill(place: Place, generation: number, call: Call): Promise<SandboxEnd | null>;
  /** @throws `sandbox_not_found`, `host_unreachable` */
  patch(place: Place, generation: number, patch: HostPatch, call: Call): Promise<void>;
  /** @throws `sandbox_not_found`, `sandbox_ended`, `host_unreachable` */
  metrics(place: Place, call: Call): Promise<SandboxMetrics>;
}

export interface Commands {
  /** @throws `sandbox_not_found`, `host_unreachable`, `exec_lost` and the codes of the `exec` row */
  exec(place: Place, request: ExecRequest, call: Call): Promise<ExecResult>;
  /** Resolves once the command has started. @throws as `exec` */
  streamExec(place: Place, request: ExecRequest, wish: StreamWish, call: Call): Promise<ExecEvents>;
  /** @throws `sandbox_not_found`, `exec_not_found` */
  followExec(place: Place, execId: ExecId, after: number, call: Call): Promise<ExecEvents>;
}

/** Each throws `sandbox_not_found` and the codes of its row. */
export interface Processes {
  /** Resolves once it has started. */
  startProcess(place: Place, request: ProcessRequest, call: Call): Promise<Process>;
  listProcesses(place: Place, call: Call): Promise<ProcessList>;
  getProcess(place: Place, name: ProcessName, call: Call): Promise<Process>;
  /** Resolves once it and all that it has started are gone. */
  killProcess(place: Place, name: ProcessName, call: Call): Promise<void>;
  followProcess(place: Place, name: ProcessName, after: number, call: Call): Promise<ExecEvents>;
  /** All of the bytes are taken, or none. */
  writeInput(place: Place, name: ProcessName, input: ProcessInput, call: Call): Promise<void>;
  /** An open WebSocket: status 101, and the runtime's own connection in it. */
  attachProcess(place: Place, name: ProcessName, attach: AttachHandshake, call: Call): Promise<Response>;
  createSession(place: Place, request: SessionRequest, call: Call): Promise<Process>;
  execInSession(
    place: Place,
    name: ProcessName,
    request: SessionExecRequest,
    call: Call,
  ): Promise<SessionResult>;
  resizeProcess(place: Place, name: ProcessName, size: TerminalSize, call: Call): Promise<void>;
  signalProcess(place: Place, name: ProcessName, request: SignalRequest, call: Call): Promise<void>;
}

/** Each throws `sandbox_not_found` and the codes of its row. */
export interface Files {
  readFile(place: Place, path: string, wish: ReadWish, call: Call): Promise<FileContent>;
  writeFile(place: Place, path: string, body: FileBody, call: Call): Promise<WrittenFile>;
  deleteFile(place: Place, target: { path: string; recursive: boolean }, call: Call): Promise<void>;
  listEntries(place: Place, query: EntriesQuery, call: Call): Promise<EntryPage>;
  /** Resolves once nothing that happens is missed. The last event is `end` or `error`. */
  watch(place: Place, query: WatchQuery, call: Call): Promise<ReadableStream<Uint8Array>>;
  /** The stream fails where the folder cannot be packed to its end. */
  readArchive(place: Place, archive: ArchiveWish, call: Call): Promise<ReadableStream<Uint8Array>>;
  writeArchive(place: Place, archive: ArchiveWish, body: FileBody, call: Call): Promise<void>;
}

export interface Ports {
  /**
   * The server's own answer, with no header of ours in it; with status 101 it is an open WebSocket.
   * @throws `sandbox_not_found`, `sandbox_ended`, `forbidden`, and the codes of the `usePort` row
   */
  requestPort(place: PortPlace, request: PortRequest, call: Call): Promise<Response>;
}
