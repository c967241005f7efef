import type { AddressInfo } from "node:net";
import { type Scope, scopes } from "#contract/api";
import type { CreateSandbox, Sandbox } from "#contract/sandbox";
import { beat } from "#host/control/heartbeat";
import { ExecStreams } from "#host/exec-streams/streams";
import { createHostMetrics } from "#host/metrics/prometheus";
import { Sampler } from "#host/metrics/sampler";
import { OpenPorts } from "#host/ports/open-ports";
import { createHostApp } from "#host/routes/app";
import { upgradeListener } from "#host/routes/upgrade";
import { serveHost } from "#host/serve";
import { NonceWindow } from "#host/signing/nonces";
import { createApp } from "#worker/app";
import { issueKey } from "#worker/auth/issue-key";
import { trackBackground } from "#worker/background";
import { makeDeps } from "#worker/deps";
import { registerHost } from "#worker/hosts/register";
import { nodeFetch } from "#worker/node-fetch";
import { nodePassage } from "#worker/node-passage";
import { createNodeServer } from "#worker/node-serve";
import { registerTemplate } from "#worker/templates/register";
import { createTenant } from "#worker/tenants/create";
import { testConfig } from "./config.ts";
import { testDatabase } from "./database.ts";
import { hostHarness } from "./host-harness.ts";

export type PortStack = Awaited<ReturnType<typeof portStack>>;

/**
 * Both programs' real servers on real sockets, from the client's request to the sandboxd connection; behind that, a
 * sandbox's loopback is the machine's own.
 */
export async function portStack(options: { portAnswerMs?: number; maxConnections?: number } = {}) {
  const database = await testDatabase();
  const logged: object[] = [];
  const { background, settled } = trackBackground((event) => logged.push(event));
  const deps = makeDeps({
    client: database.client,
    config: testConfig,
    log: (event) => logged.push(event),
    background,
    fetch: nodeFetch,
    passage: nodePassage,
    isCheckingResults: true,
  });
  const control = createNodeServer(createApp(deps).fetch);
  await new Promise<void>((resolve) => control.listen(0, "127.0.0.1", resolve));
  const { port } = control.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  await registerTemplate(deps, { name: "base", aliases: ["node"], digest: "digest-1" });
  const identity = await registerHost(deps, url);

  const machine = hostHarness();
  const clock = { offsetMs: 0 };
  const now = () => Date.now() + clock.offsetMs;
  const key = Buffer.from(identity.key, "hex");
  const verify = {
    hostId: identity.hostId,
    key,
    startedAtMs: Date.now() - 1000,
    nonces: new NonceWindow(),
    now: Date.now,
  };
  const openPorts = new OpenPorts(now, options.maxConnections);
  const sampler = new Sampler({ ...machine.deps, now, monotonic: () => performance.now() });
  const door = {
    ...machine.deps,
    now,
    verify,
    openPorts,
    streams: new ExecStreams(),
    metrics: createHostMetrics({
      pools: () => [],
      allocated: () => 0,
      freeMemoryMiB: () => 1,
      usage: () => ({ events: 0, bytes: 0, ageSeconds: 0 }),
      workspaces: () => sampler.workspaces(),
    }),
    sampler,
    onExecEnd: () => undefined,
    onSilent: () => undefined,
    health: () => ({ pools: [], allocated: 0, max: 1, isDraining: false }),
    ...(options.portAnswerMs !== undefined && { portAnswerMs: options.portAnswerMs }),
  };
  const host = await serveHost(createHostApp(door), 0, upgradeListener(door));
  const facts = () => ({
    url: host.url,
    isDraining: false,
    cores: 4,
    freeMemoryMiB: 8192,
    pools: [{ template: "base", available: 3, starting: 0 }],
    portKeys: openPorts.keys(),
  });
  const heartbeat = () => beat({ ...door, identity, key, facts });
  await heartbeat();

  async function tenant(name: string, granted: readonly Scope[] = scopes) {
    const tenantId = await createTenant(deps, { name, plan: "scale" });
    return { tenantId, ...(await issueKey(deps, { tenantId, name, scopes: granted })) };
  }
  const me = await tenant("first");
  return {
    url,
    port,
    deps,
    machine,
    openPorts,
    clock,
    heartbeat,
    logged,
    hostUrl: host.url,
    ...me,
    tenant,
    async create(input: CreateSandbox = {}): Promise<Sandbox> {
      const headers = { authorization: `Bearer ${me.key}`, "content-type": "application/json" };
      const response = await fetch(`${url}/v1/sandboxes`, {
        method: "POST",
        headers,
        body: JSON.stringify(input),
      });
      if (response.status !== 201) throw new Error(`create: ${await response.text()}`);
      return response.json() as Promise<Sandbox>;
    },
    async close() {
      openPorts.closeAll();
      for (const server of [control, host.server]) {
        server.closeAllConnections();
        server.close();
      }
      await settled();
      await machine.pool.drain();
      machine.dispose();
      database.close();
    },
  };
}
