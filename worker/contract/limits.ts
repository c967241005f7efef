/** Every bound of the public API and of the wire to a host, in one place. */
export const limits = {
  jsonBodyMaxBytes: 1024 * 1024,
  /** Deeper JSON than this is nobody's request; parsers further in recurse. */
  jsonDepthMax: 32,
  /** More names in one object than any schema takes: checking them one by one would hold everybody up for seconds. */
  jsonNamesMax: 1_000,
  /** A JSON body, or the first part of an upload, that dawdles longer than this is given up. */
  bodyDeadlineMs: 30_000,
  entriesMaxItems: 1000,
  entriesDefaultItems: 100,
  entriesDepthMax: 32,
  /** A name, as every file system of Linux has it. */
  fileNameMaxBytes: 255,
  fileMaxBytes: 1024 * 1024 * 1024,
  /** Bodies up to this size are hashed into the signature; longer and streamed ones are not. */
  signedBodyMaxBytes: 64 * 1024,
  signatureWindowMs: 30_000,

  pathMaxBytes: 4096,
  /** The kernel takes no single argument of 128 KiB or more. */
  argumentMaxBytes: 128 * 1024 - 1,
  argumentsMax: 1024,
  argumentsTotalMaxBytes: 512 * 1024,
  envMaxEntries: 256,
  envValueMaxBytes: 32 * 1024,
  envTotalMaxBytes: 128 * 1024,
  stdinMaxBytes: 512 * 1024,

  execOutputMaxBytes: 1024 * 1024,
  execBufferedMaxMs: 60_000,
  execGraceMs: 1_000,

  /** A run's code and files come in one JSON body, where base64 takes a third more: all of it fits `jsonBodyMaxBytes`. */
  runSourceMaxBytes: 256 * 1024,
  runFilesMax: 64,
  runFilesMaxBytes: 512 * 1024,
  /** Time for the source and all files of a run to be written. */
  runFilesDeadlineMs: 30_000,
  runTimeoutMaxMs: 60_000,
  /** Of each of stdout and stderr; kept with the run. */
  runOutputMaxBytes: 256 * 1024,
  runWaitMaxSeconds: 60,
  /** How long past the sum of its own deadlines a run's owner is waited for. */
  runGraceMs: 15_000,

  /** What is kept of a stream for a reader who comes back, as it goes over the wire. */
  execStreamKeptBytes: 1024 * 1024,
  execStreamKeptMs: 60_000,
  /** All streams of one sandbox, and of one host; the sandbox that holds the most gives up first. */
  execStreamsSandboxBytes: 8 * 1024 * 1024,
  execStreamsHostBytes: 64 * 1024 * 1024,
  execStreamsHostMax: 2048,
  /** Of those, of all sandboxes of one tenant. */
  execStreamsTenantMax: 512,
  /** An unread stream of this size blocks the program. */
  execStreamUnreadBytes: 256 * 1024,
  /** Output of one kind is joined into one event up to this size and age. */
  outputEventMaxBytes: 64 * 1024,
  outputEventMaxMs: 10,
  /** No event is longer: every byte of an output event may need six, and a problem is short. */
  streamEventMaxBytes: 512 * 1024,
  streamCommentMs: 15_000,
  /** Of a stream whose reader must not be missed: some runtimes notice who has gone only when they send something. */
  tiedStreamCommentMs: 500,

  /** Until a server inside a sandbox has taken a connection; a loopback takes none of it. */
  portConnectMs: 5_000,
  /**
   * Requests by host name without a key, to all ports of one sandbox, in each process of the control plane: as many with
   * its traffic token as without.
   */
  portVisitsPerSecond: 1_000,
  portVisitsBurst: 2_000,
  /** Those without the token to all sandboxes of one host, whose names can be made up. */
  portHostVisitsPerSecond: 5_000,
  portHostVisitsBurst: 10_000,
  /** Without a byte either way until the answer begins. */
  portAnswerMs: 100_000,
  /** Without a byte either way on an answer or a WebSocket that has begun: then it is cut. */
  portIdleMs: 300_000,
  /** A WebSocket whose one end has gone is closed at the other. */
  portHalfClosedMs: 2_000,
  portRequestMaxBytes: 1024 * 1024 * 1024,
  /** All headers of an answer together, as they came. */
  portAnswerHeadersMaxBytes: 32 * 1024,
  /** Connections to ports of all sandboxes of a host; a sandbox has 128 of its own. */
  portConnectionsHostMax: 2_048,
  /** Of those, to all sandboxes of one tenant; WebSockets to processes count. */
  portConnectionsTenantMax: 512,

  /** WebSockets to processes: how often a client is asked whether it is there; it is cut at the next time if it is not. */
  attachPingMs: 15_000,
  /** How long the farewell of a client is waited for that a host cuts. */
  attachCutMs: 2_000,
  /** Input that a process has not read; past this its client is held up. */
  attachInputWaitingBytes: 1024 * 1024,
  attachCommandMaxBytes: 1024,
  /** So many commands are taken in a window; who sends more is held up until the next. */
  attachCommandsPerWindow: 64,
  attachWindowMs: 100,
  /** Sizes that come within this time are one. */
  attachResizeMs: 20,

  /** Sandboxes of one batch, and how many of them are asked for at a time. */
  batchMax: 100,
  batchParallelMax: 16,

  /** Ended processes that a sandbox's list still shows, the newest, and how long what they printed is kept. */
  processesEndedMax: 64,
  processKeptMs: 600_000,
  /** Watches of one sandbox at once; each of them may have 8,192 folders. */
  watchesMax: 16,
  terminalMaxCols: 1_000,
  terminalMaxRows: 1_000,
  processTagMaxChars: 128,
  processCommandShownChars: 256,
  /** How long input waits for a program that is behind with reading; it is taken whole or not at all. */
  inputWaitMs: 2_000,
  /** A tree that was killed is gone by then, or nobody can say what became of it. */
  processKillDeadlineMs: 5_000,

  /** A sandbox's use is sampled this often, and this many samples are kept: ten minutes. */
  metricsSampleMs: 5_000,
  metricsSamplesMax: 120,

  metadataMaxEntries: 32,
  metadataKeyMaxChars: 64,
  metadataValueMaxChars: 512,

  lifetimeMinSeconds: 10,
  lifetimeMaxSeconds: 86_400,
  cpuMin: 0.25,
  cpuMax: 64,
  memoryMinMiB: 128,
  memoryMaxMiB: 1_048_576,
  pidsMin: 32,
  pidsMax: 4096,
  diskMinMiB: 16,
  diskMaxMiB: 102_400,

  metadataFiltersMax: 4,

  nameMaxChars: 100,
  /** Keys of one tenant that are not revoked. */
  keysMax: 1_000,
  plansMax: 100,
  keyLifetimeMinSeconds: 60,
  keyLifetimeMaxSeconds: 10 * 365 * 86_400,
  tokenLifetimeMinSeconds: 10,

  pageMaxItems: 100,
  pageDefaultItems: 20,
  /** Rows that one page may look through for metadata, which has no index. */
  listScanMaxRows: 5_000,

  idempotencyKeyMaxChars: 255,
  /** How long an `Idempotency-Key` is remembered. */
  idempotencyKeptMs: 24 * 3_600_000,
  /** How long a second request with the same key waits for the first one's answer before it is refused. */
  idempotencyWaitMs: 2_000,
  /** Past its own deadline a request that has a key and is not heard of is taken for dead after this. */
  idempotencyGraceMs: 15_000,

  /** A create waits this long for a sandbox that the pool did not have. */
  createDeadlineMs: 30_000,
  /** Reads of state on a host, which are memory work. */
  hostCallDeadlineMs: 5_000,
  heartbeatMs: 5_000,
  usageEventsPerReport: 500,
  usageReportDeadlineMs: 15_000,
  /** The longest that an upload may take, its body included. */
  fileWriteDeadlineMs: 600_000,
  /** A tree of any size that fits into a sandbox. */
  fileDeleteDeadlineMs: 60_000,
  /** Until the first bytes of an archive. */
  archiveStartDeadlineMs: 30_000,
  /** Three missed heartbeats: no new work. */
  hostSilentMs: 15_000,
  /** After this a reservation whose sandbox nobody confirmed is given back. */
  reservationGraceMs: 10_000,
  /** Hosts that one create may ask before it gives up. */
  placementHostsMax: 3,
  /** How much younger than a host's snapshot a row may be before its absence there means anything. */
  snapshotGraceMs: 5_000,
} as const;
