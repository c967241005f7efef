import type { AddressInfo } from "node:net";
import { scopes } from "#contract/api";
import { newSandboxId, type SandboxId } from "#contract/ids";
import type { LimitOverrides } from "#contract/plan";
import { createApp } from "#worker/app";
import { issueKey } from "#worker/auth/issue-key";
import { trackBackground } from "#worker/background";
import { makeDeps } from "#worker/deps";
import { registerHost } from "#worker/hosts/register";
import { nodeLog } from "#worker/node-log";
import { nodeRecorder } from "#worker/node-recorder";
import { createNodeServer } from "#worker/node-serve";
import { createTenant } from "#worker/tenants/create";
import { sayReady, stopWithParent } from "../../../scripts/edge/stop-with-parent.ts";
import { FakeProvider } from "../../fakes/provider.ts";
import { testConfig } from "../../support/config.ts";
import { testDatabase } from "../../support/database.ts";
import { heartbeatOf, heartbeatPath, signedHeartbeat } from "../../support/heartbeats.ts";

/** More than any machine asks for. */
const unlimited = { dataRequestsPerSecond: 1_000_000, dataBurst: 1_000_000 };
/** One token, and the next in a hundred seconds. */
const exhausted = { requestsPerSecond: 0.01, burst: 1 };

/** What is asked of the process, in the fragment of the address that it says. */
export type Targets = { sandboxId: SandboxId; key: string; exhaustedKey: string };

/**
 * The control plane as its Node entry has it, server, log and counters, with a host that answers at once: what is left
 * is authentication, limits, routing and the answer.
 */
async function main(): Promise<void> {
  const log = nodeLog("info");
  const { background } = trackBackground(log);
  const database = await testDatabase();
  const provider = new FakeProvider(Date.now);
  provider.listProcesses = async () => ({ items: [] });
  const { client } = database;
  const config = testConfig;
  const deps = makeDeps({ client, config, log, background, provider, recorder: nodeRecorder() });
  const host = await registerHost(deps, "http://127.0.0.1:1");
  const keyOf = async (name: string, limits: LimitOverrides) => {
    const tenantId = await createTenant(deps, { name, plan: "scale", limits });
    return (await issueKey(deps, { tenantId, name, scopes })).key;
  };
  const targets: Targets = {
    sandboxId: newSandboxId(host.code),
    key: await keyOf("unlimited", unlimited),
    exhaustedKey: await keyOf("exhausted", exhausted),
  };
  const app = createApp(deps);
  const said = heartbeatOf(host, Date.now());
  const { status } = await app.request(heartbeatPath, await signedHeartbeat(host, said, Date.now()));
  if (status !== 200) throw new Error("The host's heartbeat was refused.");
  const server = createNodeServer(app.fetch);
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo;
    sayReady(`http://127.0.0.1:${port}/#${encodeURIComponent(JSON.stringify(targets))}`);
  });
  stopWithParent(async () => {
    server.closeAllConnections();
    server.close();
    database.close();
  });
}

main().catch((cause: unknown) => {
  process.stderr.write(`${cause instanceof Error ? cause.message : cause}\n`);
  process.exit(1);
});
