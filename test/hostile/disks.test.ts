import { statfsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { loopDevicesOf } from "../support/traces.ts";
import { statusOf } from "./observer.ts";
import { api, type Box, newBox, numberAfter, otherApi, refusal, target } from "./support.ts";

const mib = 1024 * 1024;
const diskMiB = 64;
const imageFolder = () => join(target.dataDir, "host", "workspaces");

/** Free bytes and inodes of the disk that every image is on. */
function machineDisk() {
  const { bavail, bsize, ffree } = statfsSync(imageFolder());
  return { bytes: bavail * bsize, inodes: ffree };
}

/** Two tenants' sandboxes on disks of one machine. */
async function pair(): Promise<[Box, Box]> {
  return [await newBox({ diskMiB }), await newBox({ diskMiB }, otherApi)];
}

test("H24: who fills a workspace meets its end; machine and neighbour lose nothing, the sandbox stays usable", async () => {
  const [mine, theirs] = await pair();
  const before = machineDisk();
  const { stdout, endReason } = await mine.probe(["fill", "/workspace/f"], { timeoutMs: 60_000 });
  expect(endReason).toBe("exited");
  expect(stdout).toContain("ENOSPC");
  expect(numberAfter("bytes", stdout)).toBeGreaterThan(0.9 * diskMiB * mib);
  expect(numberAfter("bytes", stdout)).toBeLessThan(diskMiB * mib);
  // Others use this machine's disk meanwhile: what is asserted is that the image has not grown past its size.
  expect(before.bytes - machineDisk().bytes).toBeLessThan(2 * diskMiB * mib);
  const path = `/v1/sandboxes/${mine.id}/files?path=more`;
  expect(await refusal(api.call("PUT", path, "x".repeat(mib)))).toMatchObject({
    status: 507,
    code: "no_space",
  });
  expect((await theirs.exec("head -c 32M /dev/zero >big && stat -c %s big")).stdout).toBe(`${32 * mib}\n`);
  expect((await mine.exec("rm /workspace/f; echo again >note; cat note")).stdout).toBe("again\n");
});

test("H24: a full workspace ends a sandbox no slower, and its disk is gone with it", async () => {
  const box = await newBox({ diskMiB: 512 });
  await box.probe(["fill", "/workspace/f"], { timeoutMs: 60_000 });
  await api.delete(box.id);
  const image = join(imageFolder(), `${box.host.lease.memberId}.img`);
  await expect.poll(() => loopDevicesOf(image), { timeout: 20_000 }).toEqual([]);
});

test("H25: files without number stop at the disk's own, and the machine's inodes are not touched", async () => {
  const [mine, theirs] = await pair();
  const before = machineDisk();
  const { stdout } = await mine.probe(["inodes", "/workspace"], { timeoutMs: 60_000 });
  expect(stdout).toContain("ENOSPC");
  expect(numberAfter("files", stdout)).toBeGreaterThan(diskMiB * 64 - 64);
  expect(numberAfter("files", stdout)).toBeLessThan(diskMiB * 64);
  expect(before.inodes - machineDisk().inodes).toBeLessThan(1_000);
  expect((await theirs.exec("seq 100 | xargs touch && ls | wc -l")).stdout).toBe("101\n");
  // Listing and deleting so many is served as well.
  expect((await mine.exec("find /workspace -name 'i*' -delete; echo usable")).stdout).toBe("usable\n");
});

test("H26: a file that says it has 1 TB costs nothing, here or on the way out", async () => {
  const { exec, id } = await newBox();
  const before = machineDisk();
  expect((await exec("truncate -s 1T sparse; stat -c %s sparse")).stdout).toBe(`${2 ** 40}\n`);
  expect(before.bytes - machineDisk().bytes).toBeLessThan(64 * mib);
  const residentBefore = residentMiB(target.pids.agentHost);
  const answer = await api.call("GET", `/v1/sandboxes/${id}/files?path=sparse`);
  expect(answer.headers.get("content-length")).toBe(String(2 ** 40));
  const reader = answer.body?.getReader();
  // Who reads nothing gets nothing read for them.
  for (let chunks = 0; chunks < 20; chunks++) await reader?.read();
  await sleep(500);
  expect(residentMiB(target.pids.agentHost) - residentBefore).toBeLessThan(50);
  await reader?.cancel();
  expect((await exec("echo usable")).stdout).toBe("usable\n");
});

const residentMiB = (pid: number) => Number.parseInt(statusOf(pid, "VmRSS") ?? "", 10) / 1024;

test("H51: who writes to disk without end, and syncs, slows another tenant's commands by little", async () => {
  const [mine, theirs] = await pair();
  const quiet = await medianMs(theirs);
  const loud = mine.exec(
    "end=$(($(date +%s) + 6)); while [ $(date +%s) -lt $end ]; do dd if=/dev/zero of=f bs=1M count=48 conv=fsync; done",
    { timeoutMs: 30_000 },
  );
  onTestFinished(() => loud.then(() => undefined));
  await expect.poll(() => mine.host.tenantProcesses().length, { timeout: 5_000 }).toBeGreaterThan(0);
  const busy = await medianMs(theirs);
  // The writer has a core of two, and the machine does its share of the writing besides.
  expect(busy).toBeLessThan(Math.max(10 * quiet, 250));
  expect((await loud).endReason).toBe("exited");
});

async function medianMs({ exec }: Box): Promise<number> {
  const took: number[] = [];
  for (let round = 0; round < 40; round++) {
    const startedAtMs = performance.now();
    await exec(["true"]);
    took.push(performance.now() - startedAtMs);
  }
  return took.sort((a, b) => a - b)[took.length / 2] ?? Number.NaN;
}

test("nothing readable says where images are, or what another tenant writes", async () => {
  const { exec } = await newBox();
  const files = "/proc/diskstats /proc/partitions /proc/fs/ext4/*/* /proc/fs/jbd2/*/* /sys/fs/ext4/*/*";
  const disks =
    "/sys/block/loop*/stat /sys/block/loop*/loop/* /sys/class/block/loop*/size /sys/dev/block/7:*/size";
  const { stdout } = await exec(
    `cat ${files} ${disks} 2>/dev/null; ls -A /sys/devices/virtual/block; echo looked`,
  );
  expect(stdout).toBe("looked\n");
});

test("no program of a tenant mounts, detaches or sizes a disk", async () => {
  const { exec } = await newBox();
  const tries = ["mount -o remount,suid /workspace", "umount /workspace", "losetup -a", "ls /dev/loop*"];
  for (const command of tries) expect([command, (await exec(command)).exitCode]).not.toEqual([command, 0]);
  expect((await exec("grep ' /workspace ' /proc/mounts")).stdout).toMatch(/nosuid,nodev/);
});
