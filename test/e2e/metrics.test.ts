import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { parseEnvFile } from "#contract/envfile";
import { SandboxMetrics } from "#contract/metrics";
import { type TestStack, testStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack();
});
afterAll(() => stack?.dispose());

async function metricsOf(id: string): Promise<SandboxMetrics> {
  return SandboxMetrics.parse(await (await stack.api.call("GET", `/v1/sandboxes/${id}/metrics`)).json());
}

const hostText = async () => (await fetch(`${stack.hostUrl}/metrics`)).text();

/** The value of one line that Prometheus would read. */
const sampleIn = (text: string, line: string) =>
  Number(
    text
      .split("\n")
      .find((each) => each.startsWith(`${line} `))
      ?.slice(line.length + 1),
  );

test("processor time, memory and processes are those that the sandbox has really used", async () => {
  const { id } = await stack.api.create();
  const before = (await metricsOf(id)).current;
  const program =
    "b = bytearray(64 * 2**20); t = __import__('time'); e = t.process_time() + 1\nwhile t.process_time() < e: pass\nt.sleep(60)";
  const running = stack.api.call("POST", `/v1/sandboxes/${id}/exec`, {
    command: ["python3", "-c", program],
    timeoutMs: 30_000,
  });
  await expect
    .poll(async () => (await metricsOf(id)).current.cpuMs, { timeout: 10_000 })
    .toBeGreaterThan(before.cpuMs + 1_000);
  const { current, ...of } = await metricsOf(id);
  expect(of).toMatchObject({ cpu: 1, memoryLimitBytes: 256 * 2 ** 20 });
  expect(current.memoryBytes - before.memoryBytes).toBeGreaterThan(60 * 2 ** 20);
  expect(current.memoryBytes).toBeLessThan(of.memoryLimitBytes);
  expect(current.processes).toBeGreaterThan(before.processes);
  const kept = async () => (await metricsOf(id)).history.at(-1)?.memoryBytes;
  await expect.poll(kept, { timeout: 10_000 }).toBeGreaterThan(60 * 2 ** 20);
  await stack.api.delete(id);
  await running;
  await expect.poll(async () => sampleIn(await hostText(), "sandgate_sandboxes")).toBe(0);
});

test.each(["loop", "tmpfs"] as const)(
  "what /workspace holds and may hold is told, on disk or in memory (%s)",
  async (driver) => {
    const own = await testStack({
      SANDGATE_WORKSPACES: driver,
      SANDGATE_POOL_TARGET: "1",
      SANDGATE_DEFAULT_DISK_MIB: "64",
    });
    onTestFinished(() => own.dispose());
    const { id } = await own.api.create();
    const read = async () =>
      SandboxMetrics.parse(await (await own.api.call("GET", `/v1/sandboxes/${id}/metrics`)).json());
    const { current: before, ...of } = await read();
    expect(of.workspaceLimitBytes).toBeGreaterThan(0.9 * 64 * 2 ** 20);
    expect(of.workspaceLimitBytes).toBeLessThanOrEqual(64 * 2 ** 20);
    await own.api.exec(
      id,
      "head -c 40M /dev/zero >/workspace/big; mkdir /workspace/many; cd /workspace/many; seq 50 | xargs touch",
    );
    const { current } = await read();
    expect(current.workspaceBytes - before.workspaceBytes).toBeGreaterThanOrEqual(40 * 2 ** 20);
    expect(current.workspaceBytes - before.workspaceBytes).toBeLessThan(42 * 2 ** 20);
    expect(current.workspaceInodes - before.workspaceInodes).toBe(52);
    const [seen] = (await own.api.exec(id, "stat -f -c '%c %d' /workspace")).stdout.trim().split("\n");
    const [inodes, free] = (seen ?? "").split(" ").map(Number);
    expect([of.workspaceInodesLimit, current.workspaceInodes]).toEqual([
      inodes,
      Number(inodes) - Number(free),
    ]);
    const line = async (name: string) => sampleIn(await (await fetch(`${own.hostUrl}/metrics`)).text(), name);
    await expect
      .poll(() => line("sandgate_workspace_used_bytes"), { timeout: 10_000 })
      .toBe(current.workspaceBytes);
    expect(await line("sandgate_workspace_limit_bytes")).toBe(of.workspaceLimitBytes);
    await own.api.exec(id, "head -c 80M /dev/zero >/workspace/big");
    await expect.poll(() => line("sandgate_workspaces_full"), { timeout: 10_000 }).toBe(1);
  },
);

test("Prometheus reads what host and control plane have done, the control plane's by the admin key only", async () => {
  const { id } = await stack.api.create();
  await stack.api.exec(id, ["true"]);
  await stack.api.delete(id);
  const host = await hostText();
  expect(sampleIn(host, 'sandgate_lease_duration_seconds_count{source="pool"}')).toBeGreaterThan(0);
  expect(sampleIn(host, 'sandgate_exec_duration_seconds_count{end_reason="exited"}')).toBeGreaterThan(0);
  expect(sampleIn(host, 'sandgate_sandbox_ends_total{end_reason="killed"}')).toBeGreaterThan(0);
  expect(sampleIn(host, "sandgate_sandboxes")).toBe(0);
  expect(host).toContain("nodejs_eventloop_lag_p99_seconds ");
  expect(host).not.toContain(id);
  expect((await fetch(`${stack.url}/metrics`)).status).toBe(401);
  const { SANDGATE_ADMIN_KEY } = parseEnvFile(readFileSync(join(stack.dataDir, "dev.env"), "utf8"));
  const asOperator = { headers: { authorization: `Bearer ${SANDGATE_ADMIN_KEY}` } };
  const service = await (await fetch(`${stack.url}/metrics`, asOperator)).text();
  const created = 'http_request_duration_seconds_count{route="createSandbox",method="POST",status="201"}';
  expect(sampleIn(service, created)).toBeGreaterThan(0);
  expect(sampleIn(service, 'sandgate_sandboxes{state="running"}')).toBe(0);
  expect(service).toContain("nodejs_eventloop_lag_p99_seconds ");
  expect(service).not.toContain(id);
});
