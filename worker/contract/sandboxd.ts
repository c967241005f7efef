import * as z from "zod";

/**
 * The wire between an agent-host and the `sandboxd` inside each sandbox, generation 4.
 *
 * A frame is a 12-byte little-endian header {u32 payloadLength, u8 type, u8 flags, u16 reserved = 0, u32 stream}
 * followed by the payload. Payloads are either raw bytes (`stdin`, `stdout`, `stderr`, `data`) or fields:
 * repeated {u16 tag, u32 length, bytes}. Numbers in fields are little-endian. Unknown tags are skipped, so a newer
 * host may add fields; anything else that changes raises `protocolVersion` and adds a snapshot.
 *
 * The host's challenge is of the oldest version and names its newest one; sandboxd answers with the newest that both
 * speak. Generation 1 knows no `newestVersion`: it answers 1, and a host asks nothing newer of it. So sandboxes go on
 * when their host is upgraded, and under an older host a newer sandboxd is one of generation 1.
 * `agent-host/sandboxd/protocol.h` holds the same numbers; a test compares the two with the frozen snapshot.
 */
export const protocolVersion = 4;
export const protocolOldestVersion = 1;

export const frameHeaderBytes = 12;
/** A longer payload is a protocol error on either side: the connection is closed. */
export const framePayloadMaxBytes = 256 * 1024;
/** What a sender may have in flight on one stream and direction before it waits for `credit`. */
export const streamWindowBytes = 1024 * 1024;
/** The same for a connection to a port, of which a sandbox may have more. */
export const portWindowBytes = 256 * 1024;
/** Of an exec's name and notes, which sandboxd keeps for a host that comes back. */
export const tagMaxBytes = 64;
export const metadataMaxBytes = 4096;

export const frameType = {
  // Connection level (stream 0).
  challenge: 1, // host -> sandboxd, first frame after accept: version (the oldest), newestVersion, nonce
  hello: 2, // sandboxd -> host: version, memberId and, once configured, sandboxId, generation, proof
  configure: 3, // host -> sandboxd, accepted once: sandboxId, generation, key, env*
  configured: 4, // sandboxd -> host: the configuration is in force
  refused: 5, // sandboxd -> host: errorCode, message (a second configuration, for one)
  ping: 6, // host -> sandboxd: payload echoed
  pong: 7,
  // Processes (one stream each, opened by the host).
  exec: 16, // argv*, env*, cwd, timeoutMs, graceMs, flags; since 4 tag, metadata
  started: 17, // pid
  stdin: 18, // raw bytes
  stdinEnd: 19, // empty
  stdout: 20, // raw bytes
  stderr: 21, // raw bytes
  exit: 22, // exitCode, signal, reason, durationMicros; the last frame of its stream
  kill: 23, // host -> sandboxd: signal, isTree; SIGKILL always ends the whole tree of the exec
  resize: 24, // host -> sandboxd, since 2: cols, rows; nothing happens to an exec without a terminal
  // Since 4: what is kept of execs with a tag for a host whose former connection has ended.
  keptList: 25, // empty -> kept*, listEnd
  kept: 26, // tag, metadata, pid, keptState, cols and rows of a terminal; once it has ended, the fields of its last frame
  recall: 27, // tag -> recalled, then stdout*, stderr* and the last frame as of an exec
  recalled: 28, // stdoutOffset, stderrOffset, stdoutTail, stderrTail, keptBytes, inputCredit where it takes input
  forget: 29, // host -> sandboxd, stream 0: tag; the output of what has ended is needed no more
  // Files (one stream each, opened by the host).
  fileRead: 32, // path, offset, length -> fileStat, data*, end
  fileWrite: 33, // path, mode; then data*, end -> fileStat
  fileStat: 34, // size, mode, uid, gid, mtimeMs, revision
  fileDelete: 35, // path, isRecursive -> end; a symlink itself, never what it points to
  fileList: 36, // path, depth, limit, after -> fileEntry*, listEnd; depth 0: the path itself, a symlink too
  fileEntry: 37, // path (relative, bytes), entryType, size, mode, uid, gid, mtimeMs, linkTarget
  listEnd: 38, // hasMore; the last frame of its stream
  data: 40, // raw bytes
  end: 41, // empty: the sender has nothing more
  cancel: 42, // host -> sandboxd: give the stream up, leave nothing half-written
  // Ports, since 3 (one stream each, opened by the host); `data`, `end` and `cancel` as for files, `end` in both directions.
  portOpen: 96, // port, timeoutMs -> portOpened, then data* and end either way, portClosed
  portOpened: 97, // empty: a server in the sandbox has taken the connection
  portClosed: 98, // empty: both directions are over; the last frame of its stream
  // Any stream.
  credit: 48, // u32 bytes: the receiver has room for this many more
  streamError: 49, // errorCode, message; the last frame of its stream
} as const;

export const fieldTag = {
  version: 1, // u16
  memberId: 2, // 8 hex digits
  sandboxId: 3, // string
  generation: 4, // u32
  key: 5, // 32 bytes
  nonce: 6, // 32 bytes
  proof: 7, // HMAC-SHA256(key, nonce || memberId || sandboxId)
  errorCode: 8, // u16
  message: 9, // string, for the log
  newestVersion: 10, // u16, since 2
  argv: 16, // string, repeated
  env: 17, // NAME=value, repeated
  cwd: 18, // absolute path
  timeoutMs: 19, // u32, 0 = none
  graceMs: 20, // u32: how long output is awaited after the main process has ended
  flags: 21, // u32, execFlag bits
  pid: 22, // u32, in the sandbox's pid namespace
  exitCode: 23, // i32; -1 when a signal ended it
  signal: 24, // u32; 0 when it exited by itself
  reason: 25, // u16, exitReason
  durationMicros: 26, // u64, monotonic
  isTree: 27, // u16, since 2: the signal goes to all that the exec has started, not to its process group
  cols: 28, // u16, of a terminal, since 2
  rows: 29, // u16
  tag: 30, // string, 1 to 64 bytes, since 4
  metadata: 31, // the host's own, up to 4,096 bytes
  path: 32, // absolute path
  offset: 33, // u64
  length: 34, // u64; absent = to the end
  size: 35, // u64
  mode: 36, // u32, permission bits
  uid: 37, // u32
  gid: 38, // u32
  mtimeMs: 39, // u64
  revision: 40, // 24 bytes that change whenever the file does
  entryType: 41, // u16, entryType
  linkTarget: 42, // bytes, of a symlink
  depth: 43, // u32, 1 = what is in the folder
  limit: 44, // u32, 1 to 1,001; a page may be shorter and have more all the same
  after: 45, // a relative path as in fileEntry: the page begins behind it
  isRecursive: 46, // u16
  hasMore: 47, // u16
  keptState: 48, // u16, keptState, since 4
  stdoutOffset: 49, // u64: bytes of stdout that came before what is kept
  stderrOffset: 50, // u64
  stdoutTail: 51, // the last of those, 3 at most
  stderrTail: 52,
  keptBytes: 53, // u64: output that follows and had come before the recall
  inputCredit: 54, // u32: what stdin has room for
  port: 96, // u16, 1 to 65,535
} as const;

/** A sandboxd of an older generation is not asked for a port. */
export const portsSinceVersion = 3;
/** Nor to keep anything for a host that comes back. */
export const keepsSinceVersion = 4;

export const execFlag = {
  /** Ends what the command left running before the exit is reported. */
  killOrphans: 1,
  /** `stdin` frames will follow; without it stdin is /dev/null. */
  stdin: 2,
  /** Since 2: a pseudo terminal of `cols` and `rows` is all three streams; what it prints comes as `stdout`. */
  pty: 4,
  /** Since 4, with a tag: its stdin ends with the host's connection, and of it only its end is kept. */
  endsWithHost: 8,
} as const;

/** What is kept of an exec with a tag. */
export const keptState = {
  running: 0,
  ended: 1,
  /** Ended, and its output is not kept any more: there is nothing to recall. */
  forgotten: 2,
} as const;

/**
 * What `sandboxd session`, a tenant's program, prints: {u32 length, u8 kind, bytes}. It reads {u32 length, command}.
 * Since 2.
 */
export const shellRecord = { stdout: 1, stderr: 2, status: 3 } as const;
export const shellRecordHeaderBytes = 5;

/**
 * What `sandboxd watch`, a tenant's program too, prints: {u32 length, u8 kind, payload}. The payload is u8 flags and a path
 * relative to the watched one; of `rename` two of them with a NUL between, of `refused` an error of the table below.
 * Since 2.
 */
export const watchRecord = {
  ready: 1,
  create: 2,
  write: 3,
  remove: 4,
  rename: 5,
  chmod: 6,
  overflow: 7, // events were lost; the watch goes on
  end: 8, // what was watched is gone
  refused: 9, // the last one
} as const;
export const watchFlag = { folder: 1 } as const;
export const watchRecordHeaderBytes = 5;

export const entryType = { file: 0, directory: 1, symlink: 2, other: 3 } as const;

/** Why an exec ended, as sandboxd saw it; the host alone knows of memory and deadlines of the sandbox. */
export const exitReason = { exited: 0, signaled: 1, timeout: 2, killed: 3 } as const;

/** Error codes of `refused` and `streamError`. */
export const sandboxdError = {
  internal: 1,
  alreadyConfigured: 2,
  notConfigured: 3,
  badRequest: 4,
  tooMany: 5, // execs or file streams at once
  notFound: 6, // path, cwd or program
  permissionDenied: 7,
  notARegularFile: 8, // directory, FIFO, device, socket
  pathRefused: 9, // resolves into /proc, /sys or a cgroup file system
  noSpace: 10,
  noProcess: 11, // fork refused: pids limit or memory
  spawnInterrupted: 12, // the child was stopped or killed by its own siblings before it became the program
  fileTooLarge: 13,
  io: 14,
  cwdRefused: 15, // missing, not a directory, not ours to enter, or inside /proc
  notADirectory: 16,
  notEmpty: 17, // a directory, and the deletion is not recursive
  portRefused: 32, // nobody listens there
  portTimeout: 33, // the connection was not taken in time
  portReset: 34, // the server broke the connection off
} as const;

/** One name for each number, as the snapshot test freezes them. */
export const protocolSnapshot = {
  protocolVersion,
  protocolOldestVersion,
  frameHeaderBytes,
  framePayloadMaxBytes,
  streamWindowBytes,
  portWindowBytes,
  tagMaxBytes,
  metadataMaxBytes,
  frameType,
  fieldTag,
  execFlag,
  keptState,
  shellRecordHeaderBytes,
  shellRecord,
  watchRecordHeaderBytes,
  watchRecord,
  watchFlag,
  entryType,
  exitReason,
  sandboxdError,
};

export const MemberId = z.string().regex(/^[0-9a-f]{8}$/);
