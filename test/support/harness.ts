import { type Scope, scopes } from "#contract/api";
import type { Problem } from "#contract/errors";
import { type Heartbeat, HeartbeatReply, type HostIdentity } from "#contract/host";
import type { TenantId } from "#contract/ids";
import type { LimitOverrides } from "#contract/plan";
import { Sandbox } from "#contract/sandbox";
import { fakeClock } from "#test/fakes/clock";
import { FakeProvider } from "#test/fakes/provider";
import { seededRandom } from "#test/fakes/random";
import { createApp } from "#worker/app";
import { issueKey } from "#worker/auth/issue-key";
import { trackBackground } from "#worker/background";
import { makeDeps } from "#worker/deps";
import { registerHost } from "#worker/hosts/register";
import type { LogEvent } from "#worker/log";
import { slotsOf } from "#worker/quota/store";
import { registerTemplate } from "#worker/templates/register";
import { createTenant } from "#worker/tenants/create";
import { testConfig } from "./config.ts";
import { testDatabase } from "./database.ts";
import { heartbeatOf, heartbeatPath, signedHeartbeat } from "./heartbeats.ts";

export type Harness = Awaited<ReturnType<typeof harness>>;
type Send = {
  key?: string | undefined;
  json?: unknown;
  body?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  headers?: Record<string, string>;
};

/** The whole control plane over a database file of its own, one host, one tenant, and a fake provider and clock. */
export async function harness(options: { maxSandboxes?: number; hosts?: number } = {}) {
  const clock = fakeClock();
  const database = await testDatabase();
  const events: LogEvent[] = [];
  const { background, settled } = trackBackground((event) => events.push(event));
  const provider = new FakeProvider(clock.now);
  const deps = makeDeps({
    client: database.client,
    config: testConfig,
    log: (event) => events.push(event),
    background,
    now: clock.now,
    random: seededRandom(1),
    provider,
    isCheckingResults: true,
  });
  const app = createApp(deps);
  await registerTemplate(deps, { name: "base", aliases: ["python", "node"], digest: "sha256:0" });
  const hosts: HostIdentity[] = [];
  for (let i = 0; i < (options.hosts ?? 1); i++)
    hosts.push(await registerHost(deps, "http://127.0.0.1:8787"));
  const [host] = hosts;
  if (!host) throw new Error("A harness has at least one host.");

  async function tenant(name: string, granted: readonly Scope[] = scopes, limits?: LimitOverrides) {
    const tenantId = await createTenant(deps, {
      name,
      plan: "scale",
      limits: { concurrentSandboxes: options.maxSandboxes ?? 10, ...limits },
    });
    return { tenantId, ...(await issueKey(deps, { tenantId, name: "test", scopes: granted })) };
  }
  /** A heartbeat that tells the truth about what the provider holds, but for what is given. */
  async function heartbeat(over: Partial<Heartbeat> = {}, identity = host as HostIdentity) {
    clock.advance(1);
    const live = provider.liveOn(identity.hostId);
    const said = heartbeatOf(identity, clock.now(), { live, ...over });
    const response = await app.request(heartbeatPath, await signedHeartbeat(identity, said, clock.now()));
    if (response.status !== 200) throw new Error(`heartbeat: ${await response.text()}`);
    return HeartbeatReply.parse(await response.json());
  }
  async function send(method: string, path: string, { key, json, body, headers }: Send = {}) {
    const response = await app.request(path, {
      method,
      headers: {
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
        ...(json !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      ...(json !== undefined && { body: JSON.stringify(json) }),
      ...(body !== undefined && { body, duplex: "half" }),
    });
    return response;
  }
  const me = await tenant("first");
  for (const identity of hosts) await heartbeat({}, identity);

  return {
    app,
    deps,
    clock,
    provider,
    database,
    events,
    host,
    hosts,
    ...me,
    adminKey: testConfig.adminKey,
    tenant,
    heartbeat,
    send,
    settled,
    slotsUsed: async (tenantId: TenantId = me.tenantId) => (await slotsOf(deps.db, tenantId)).used,
    async create(json: unknown = {}, key = me.key): Promise<Sandbox> {
      const response = await send("POST", "/v1/sandboxes", { key, json });
      if (response.status !== 201) throw new Error(`create: ${await response.text()}`);
      await settled();
      return Sandbox.parse(await response.json());
    },
    async read(id: string, key = me.key): Promise<Sandbox> {
      return Sandbox.parse(await (await send("GET", `/v1/sandboxes/${id}`, { key })).json());
    },
    async close() {
      await settled();
      database.close();
    },
  };
}

export async function problemOf(response: Response): Promise<Problem> {
  // Every caller compares the members, which is the check.
  return (await response.json()) as Problem;
}
