import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import { parseEnvFile } from "#contract/envfile";
import { HostIdentity } from "#contract/host";
import { SandboxId, TenantId } from "#contract/ids";
import { makeHostKeys } from "#worker/hosts/keys";
import { nodeFetch } from "#worker/node-fetch";
import { agentHostProvider } from "#worker/providers/agent-host/make";
import type { TestStack } from "../support/stack.ts";
import { BenchClient } from "./client.ts";
import { repeat, summarize } from "./measure.ts";
import type { Row } from "./report.ts";

/** The same command through the control plane and on the host itself, one after the other. */
export async function overheadCases(stack: TestStack, rounds: number): Promise<Row[]> {
  const api = new BenchClient(stack.url, stack.apiKey);
  const { id } = await api.create();
  const direct = await directly(stack, id);
  const through = async () => void (await api.exec(id, ["true"]));
  await repeat(30, direct);
  await repeat(30, through);
  const directMs: number[] = [];
  const throughMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    directMs.push(...(await repeat(5, direct)));
    throughMs.push(...(await repeat(5, through)));
  }
  await api.delete(id);
  const baseline = { name: "exec true, host alone", ...summarize(directMs) };
  const row = { name: "exec true, whole way", ...summarize(throughMs) };
  return [row, baseline, { name: "the control plane's share", value: row.p50 - baseline.p50, unit: "ms" }];
}

async function directly(stack: TestStack, id: string): Promise<() => Promise<void>> {
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
  return async () => {
    await provider.exec(place, { command: ["true"] }, { requestId: "bench", deadlineMs: 10_000 });
  };
}
