import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { parseEnvFile } from "#contract/envfile";
import { HostIdentity } from "#contract/host";
import { SandboxId, TenantId } from "#contract/ids";
import { makeHostKeys } from "#worker/hosts/keys";
import { nodeFetch } from "#worker/node-fetch";
import { agentHostProvider } from "#worker/providers/agent-host/make";
import type { TestStack } from "../../support/stack.ts";
import { blockPlan, runBlocks } from "../figures/blocks.ts";
import { repeat, summarize } from "../figures/measure.ts";
import type { Outcome } from "../figures/row.ts";
import type { Stage } from "../stage.ts";

/** The same command through the control plane and on the host itself, one after the other. */
export async function shareCase({ stack, api, fleet, bench }: Stage): Promise<Outcome> {
  const { id } = await fleet.create();
  const request = api.execRequest(id, ["true"]);
  const work = { whole: () => api.send(request), host: await directly(stack, id) };
  await repeat(bench.scale.warmExecs / 2, work.host);
  await repeat(100, work.whole);
  const plan = blockPlan(bench.scale.execBlocks, [
    { name: "whole", times: 25, settle: 2 },
    { name: "host", times: 25, settle: 2 },
  ]);
  const took = await runBlocks(plan, work);
  await fleet.delete(id);
  const whole = { name: "exec true, whole way", sample: summarize(took.whole) };
  const host = { name: "exec true, host alone", sample: summarize(took.host) };
  const shareMs = whole.sample.p50 - host.sample.p50;
  return {
    rows: [whole, host, { name: "the control plane's share", figure: { value: shareMs, unit: "ms" } }],
  };
}

async function directly(stack: TestStack, id: string): Promise<() => Promise<unknown>> {
  const { hostId } = HostIdentity.parse(
    JSON.parse(readFileSync(join(stack.dataDir, "host/host.json"), "utf8")),
  );
  const secrets = parseEnvFile(readFileSync(join(stack.dataDir, "secrets.env"), "utf8"));
  const database = createClient({ url: `file:${join(stack.dataDir, "sandgate.db")}` });
  const { rows } = await database.execute({
    sql: "select tenant_id from sandboxes where id = ?",
    args: [id],
  });
  database.close();
  const hostKeys = makeHostKeys(secrets.SANDGATE_HOST_SECRET ?? "");
  const provider = agentHostProvider({ hostKeys, now: Date.now, fetch: nodeFetch });
  const tenantId = TenantId.parse(rows[0]?.tenant_id);
  const place = { tenantId, sandboxId: SandboxId.parse(id), hostId, url: stack.hostUrl };
  return () => provider.exec(place, { command: ["true"] }, { requestId: "bench", deadlineMs: 10_000 });
}
