import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { processesOfUid } from "./observer.ts";
import { api, newBox, tenantProbe } from "./support.ts";

test("H31: a daemon that fled its session ends with its command where that was asked for", async () => {
  const { probe, host } = await newBox();
  const result = await probe(["daemon"], { killOrphans: true });
  expect(result).toMatchObject({ exitCode: 0, endReason: "exited" });
  await expect.poll(() => host.tenantProcesses(), { timeout: 500 }).toEqual([]);
});

test("H31: a daemon that fled its session ends with its command's timeout", async () => {
  const { exec, host } = await newBox();
  const result = await exec(`${tenantProbe} daemon; sleep 30`, { timeoutMs: 800 });
  expect(result.endReason).toBe("timeout");
  expect(result.stdout).toBe("probe daemon\n");
  await expect.poll(() => host.tenantProcesses(), { timeout: 1_000 }).toEqual([]);
});

test("H31: a daemon outlives a normal exit, and ends with its sandbox, whatever it ignores", async () => {
  const { probe, host, id } = await newBox();
  expect(await probe(["daemon"])).toMatchObject({ exitCode: 0, endReason: "exited" });
  await sleep(300);
  const [daemon] = host.tenantProcesses();
  expect(daemon).toBeGreaterThan(0);
  expect(readFileSync(`/proc/${daemon}/cmdline`, "utf8")).toContain("daemon");
  await api.delete(id);
  expect(host.processes()).toEqual([]);
  expect(processesOfUid(host.uid)).toEqual([]);
  await expect.poll(() => existsSync(`/run/sandgate/${host.lease.memberId}`), { timeout: 5_000 }).toBe(false);
  await expect.poll(() => host.isRunning().catch(() => false), { timeout: 5_000 }).toBe(false);
});

test("H32: a command past its timeout is gone within a second, with those it started", async () => {
  const { exec, host } = await newBox();
  const startedAtMs = performance.now();
  const result = await exec("sleep 333 & sleep 333", { timeoutMs: 500 });
  expect(performance.now() - startedAtMs).toBeLessThan(1_500);
  expect(result.endReason).toBe("timeout");
  expect(host.tenantProcesses()).toEqual([]);
});

test("H32: a command whose caller has gone is not forgotten: its timeout still ends it", async () => {
  const { id, host } = await newBox();
  const caller = new AbortController();
  const call = fetch(`${api.url}/v1/sandboxes/${id}/exec`, {
    method: "POST",
    headers: { authorization: `Bearer ${api.key}`, "content-type": "application/json" },
    body: JSON.stringify({ command: "sleep 333", timeoutMs: 1_500 }),
    signal: caller.signal,
  });
  await expect.poll(() => host.tenantProcesses().length, { timeout: 1_000 }).toBeGreaterThan(0);
  caller.abort();
  await expect(call).rejects.toThrow();
  await expect.poll(() => host.tenantProcesses(), { timeout: 2_500 }).toEqual([]);
});

test("H38: every exit status is reported as it was, and a tenant's own signal is no timeout and no oom", async () => {
  const { exec, probe } = await newBox();
  const statuses = [0, 1, 2, 124, 125, 126, 127, 128, 137, 139, 143, 255];
  for (const status of statuses) {
    const result = await exec(["sh", "-c", `exit ${status}`]);
    expect(result).toMatchObject({ exitCode: status, endReason: "exited" });
    expect(result).not.toHaveProperty("signal");
  }
  for (const signal of [9, 11, 15, 6, 31]) {
    const result = await probe(["signal", String(signal)]);
    expect(result).toMatchObject({ exitCode: 128 + signal, signal, endReason: "exited" });
  }
});

test("H48: a crash leaves no core file, in the sandbox or on this machine", async () => {
  const { probe, exec, host } = await newBox();
  const pattern = readFileSync("/proc/sys/kernel/core_pattern", "utf8").trim();
  expect((await exec("ulimit -c; ulimit -Hc; ulimit -c unlimited 2>/dev/null || echo refused")).stdout).toBe(
    "0\n0\nrefused\n",
  );
  const result = await probe(["signal", "11"], { cwd: "/workspace" });
  expect(result).toMatchObject({ exitCode: 139, signal: 11 });
  expect((await exec("find / -xdev -name 'core*' -type f -newer /proc/1/cmdline 2>/dev/null")).stdout).toBe(
    "",
  );
  expect((await exec("find /workspace /tmp /dev/shm -name 'core*'")).stdout).toBe("");
  // A pattern that names a program would make the kernel start that as root, outside every limit of ours.
  if (!pattern.startsWith("|") && !pattern.startsWith("@")) {
    const folders = ["/", "/tmp", "/var/lib/systemd/coredump", "/var/crash"].filter((path) =>
      existsSync(path),
    );
    const find = [...folders, "-maxdepth", "1", "-name", "core*", "-uid", String(host.uid)];
    expect(execFileSync("find", find, { encoding: "utf8" })).toBe("");
  }
});
