import type { Client } from "@libsql/client";
import { type RandomBytes, secureRandom } from "#contract/ids";
import { type Keyring, makeKeyring } from "./auth/keyring.ts";
import type { Background, Clock } from "./context.ts";
import { derivedKey, type LazyKey } from "./crypto.ts";
import { type Db, databaseOver } from "./db/client.ts";
import { edgePassage } from "./edge-passage.ts";
import type { Config } from "./env.ts";
import { type Directory, makeDirectory } from "./hosts/directory.ts";
import { type HostKeys, makeHostKeys } from "./hosts/keys.ts";
import type { Log } from "./log.ts";
import type { Recorder } from "./metrics/recorder.ts";
import { agentHostProvider } from "./providers/agent-host/make.ts";
import type { SandboxProvider } from "./providers/provider.ts";
import type { RateLimiter } from "./ratelimit/limiter.ts";
import { memoryLimiter } from "./ratelimit/memory.ts";
import { OpenStreams } from "./ratelimit/open-streams.ts";
import { type PortVisits, portVisits } from "./ratelimit/port-visits.ts";
import type { Passage } from "./sandboxes/ports.ts";
import { type Catalog, makeCatalog } from "./templates/catalog.ts";

/** Everything that the control plane is made of; each verb takes the few of these that it touches. */
export type Deps = {
  db: Db;
  keyring: Keyring;
  hostKeys: HostKeys;
  idempotencyKey: LazyKey;
  cursorKey: LazyKey;
  trafficKey: LazyKey;
  directory: Directory;
  catalog: Catalog;
  provider: SandboxProvider;
  defaults: Config["defaults"];
  retentionMs: number;
  tenantGraceMs: number;
  sandboxDomain: string;
  isPublicHttps: boolean;
  passage: Passage;
  log: Log;
  now: Clock;
  random: () => number;
  randomBytes: RandomBytes;
  background: Background;
  isCheckingResults: boolean;
  adminKey: string;
  recorder: Recorder | undefined;
  limiter: RateLimiter;
  openStreams: OpenStreams;
  portVisits: PortVisits;
};

/** What the runtime gives; what is left out is the real thing. */
export type Runtime = {
  client: Client;
  config: Config;
  log: Log;
  background: Background;
  now?: Clock;
  random?: () => number;
  randomBytes?: RandomBytes;
  fetch?: typeof fetch;
  passage?: Passage;
  provider?: SandboxProvider;
  isCheckingResults?: boolean;
  recorder?: Recorder;
  limiter?: RateLimiter;
};

/** Builds everything once per isolate, or once per test. */
export function makeDeps(runtime: Runtime): Deps {
  const { config, log, background } = runtime;
  const now = runtime.now ?? Date.now;
  const db = databaseOver(runtime.client);
  const hostKeys = makeHostKeys(config.hostSecret);
  // Some runtimes refuse a `fetch` that is called as a method of something else.
  const call: typeof fetch = runtime.fetch ?? ((input, init) => fetch(input, init));
  return {
    db,
    hostKeys,
    keyring: makeKeyring(config.keySecret),
    idempotencyKey: derivedKey(config.keySecret, "sandgate idempotency v1"),
    cursorKey: derivedKey(config.keySecret, "sandgate cursors v1"),
    trafficKey: derivedKey(config.keySecret, "sandgate traffic v1"),
    directory: makeDirectory({ db, now }),
    catalog: makeCatalog({ db, now }),
    provider: runtime.provider ?? agentHostProvider({ hostKeys, now, fetch: call }),
    defaults: config.defaults,
    retentionMs: config.retentionMs,
    tenantGraceMs: config.tenantGraceMs,
    sandboxDomain: config.sandboxDomain,
    isPublicHttps: config.isPublicHttps,
    passage: runtime.passage ?? edgePassage,
    log,
    now,
    random: runtime.random ?? Math.random,
    randomBytes: runtime.randomBytes ?? secureRandom,
    background,
    isCheckingResults: runtime.isCheckingResults ?? false,
    adminKey: config.adminKey,
    recorder: runtime.recorder,
    portVisits: portVisits({ now }),
    openStreams: new OpenStreams(config.processes),
    limiter: runtime.limiter ?? memoryLimiter({ now, processes: config.processes }),
  };
}
