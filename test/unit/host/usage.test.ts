import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { limits } from "#contract/limits";
import { readUsage } from "#host/cgroup/usage";
import { Samples, sampleOf } from "#host/metrics/samples";
import type { Usage } from "#host/runtime/runtime";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Control files as a kernel had them. */
function recorded(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "sandgate-usage-"));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

const v1Files = {
  "cpuacct.usage": "1234567890\n",
  "memory.usage_in_bytes": "20000000\n",
  "memory.stat": "cache 100\ninactive_file 7\ntotal_cache 200\ntotal_inactive_file 5000000\n",
  "pids.current": "7\n",
  "blkio.throttle.io_service_bytes": "8:0 Read 4096\n8:0 Write 100\n8:16 Read 4\n8:16 Write 0\nTotal 4200\n",
};
function v1(files: Record<string, string>) {
  const all = recorded(files);
  return {
    version: 1,
    memory: all,
    cpu: all,
    cpuAccounting: all,
    pids: all,
    freezer: all,
    blockIo: all,
  } as const;
}

test("what a container uses is read on cgroup v1, without file pages that the kernel can drop", () => {
  expect(readUsage(v1(v1Files))).toEqual({
    cpuMicros: 1_234_567,
    memoryBytes: 15_000_000,
    processes: 7,
    readBytes: 4100,
    writtenBytes: 100,
  });
});

test("and on cgroup v2", () => {
  const unified = recorded({
    "cpu.stat": "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n",
    "memory.current": "20000000\n",
    "memory.stat": "anon 100\nfile 200\ninactive_file 5000000\n",
    "pids.current": "7\n",
    "io.stat": "8:0 rbytes=4096 wbytes=100 rios=1 wios=1 dbytes=9 dios=0\n8:16 rbytes=4 wbytes=0 rios=1\n",
  });
  expect(readUsage({ version: 2, unified })).toEqual({
    cpuMicros: 1_234_567,
    memoryBytes: 15_000_000,
    processes: 7,
    readBytes: 4100,
    writtenBytes: 100,
  });
});

test("a kernel that counts no input and output still tells the rest", () => {
  const { "blkio.throttle.io_service_bytes": _, ...files } = v1Files;
  expect(readUsage(v1(files))).toMatchObject({ processes: 7, readBytes: 0, writtenBytes: 0 });
});

test("a number that is not there is never taken for zero", () => {
  expect(() => readUsage(v1({ ...v1Files, "memory.stat": "cache 100\n" }))).toThrow("total_inactive_file");
});

const workspace = { bytes: 0, inodes: 1, limitBytes: 1, inodesLimit: 1 };
const usage: Usage = { cpuMicros: 0, memoryBytes: 1, processes: 1, readBytes: 0, writtenBytes: 0, workspace };
const reading = (cpuMicros: number, monotonicMs: number) => ({
  usage: { ...usage, cpuMicros },
  atMs: 1_000_000 + monotonicMs,
  monotonicMs,
});

test("processor use is told over the time since the sample before, whatever the wall clock did", () => {
  const before = reading(1_000_000, 10_000);
  const after = { ...reading(2_500_000, 15_000), atMs: 0 };
  expect(sampleOf(after, before).cpuPercent).toBe(30);
  expect(sampleOf(before, undefined).cpuPercent).toBe(0);
  expect(sampleOf(before, before).cpuPercent).toBe(0);
});

test("ten minutes of samples are kept, the oldest goes first, and a look keeps none", () => {
  const samples = new Samples();
  for (let i = 0; i < limits.metricsSamplesMax + 3; i++) samples.add(reading(i * 1000, i * 5_000));
  samples.preview(reading(9_000_000, 9_000_000));
  expect(samples.history.map(({ cpuMs }) => cpuMs)).toEqual(
    Array.from({ length: limits.metricsSamplesMax }, (_, i) => i + 3),
  );
});
