import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Member } from "#host/runtime/runtime";
import { loopDevicesOf, mountsOf } from "../../support/traces.ts";
import { dockerHost } from "./docker-host.ts";
import { configured, seenInside, sh } from "./inside.ts";

const limits = { cpu: 1, memoryMiB: 256, pids: 64 };
const memberMiB = 64;

let host: Awaited<ReturnType<typeof dockerHost>>;
beforeAll(async () => {
  host = await dockerHost({ memberMiB });
});
afterAll(() => host.dispose());
beforeEach(() => host.workspaces.use("loop", ""));

async function start(): Promise<Member> {
  const memberId = randomBytes(4).toString("hex");
  return host.runtime.start({ memberId, template: host.template, limits });
}

async function foundAs(member: Member) {
  const found = (await host.runtime.list()).find(({ memberId }) => memberId === member.memberId);
  if (!found) throw new Error("The member is not listed.");
  return found;
}

const traces = () => ({
  images: host.images(),
  loopDevices: loopDevicesOf(host.folder),
  mounts: mountsOf([host.mountRoot]).filter((line) => !line.includes(` ${host.mountRoot} `)),
});
const noTraces = { images: [], loopDevices: [], mounts: [] };

test("a member has an empty disk of the size of all, its own, and removing it leaves nothing", async () => {
  const member = await start();
  await configured(member);
  const seen = await seenInside(member);
  expect(seen).toMatchObject({ type: "ext2/ext3", owner: member.uid, mode: "drwxr-xr-x" });
  expect(seen.sizeMiB).toBeGreaterThan(memberMiB * 0.95);
  expect(seen.sizeMiB).toBeLessThanOrEqual(memberMiB);
  expect(await sh(member, "ls -A /workspace")).toBe("");
  expect(traces().loopDevices).toHaveLength(1);
  await host.runtime.remove(member);
  expect(traces()).toEqual(noTraces);
});

test("a full disk says so inside, in bytes and in files, and takes no more of the machine than its size", async () => {
  const member = await start();
  await configured(member);
  const full = await sh(member, "head -c 200M /dev/zero >/workspace/big; stat -c %s /workspace/big");
  expect(full).toContain("No space left on device");
  expect(Number(full.trim().split("\n").at(-1))).toBeLessThan(memberMiB * 1024 * 1024);
  await host.workspaces.look();
  expect(host.workspaces.usedMiB).toBeLessThanOrEqual(memberMiB + 1);
  const many = await sh(member, "rm /workspace/big; cd /workspace; seq 5000 | xargs touch; ls | wc -l");
  expect(many).toContain("No space left on device");
  expect(Number(many.trim().split("\n").at(-1))).toBeLessThan((memberMiB * 1024) / 16);
  await host.runtime.remove(member);
});

test("what is deleted inside is free on the machine", async () => {
  const member = await start();
  await configured(member);
  await sh(member, "head -c 40M /dev/zero >/workspace/big; sync /workspace/big");
  await host.workspaces.look();
  expect(host.workspaces.usedMiB).toBeGreaterThan(39);
  await sh(member, "rm /workspace/big; sync -f /workspace");
  await host.workspaces.look();
  expect(host.workspaces.usedMiB).toBeLessThan(5);
  await host.runtime.remove(member);
});

test("a lease of another size gets a disk of that size in the container that runs, larger or smaller", async () => {
  const member = await start();
  await host.runtime.fitDisk(member, 2048);
  await host.runtime.fitDisk(member, 16);
  await host.runtime.fitDisk(member, 300);
  await configured(member);
  const { sizeMiB, owner } = await seenInside(member);
  expect([Math.ceil(sizeMiB / 10) * 10, owner]).toEqual([300, member.uid]);
  expect(traces().loopDevices).toHaveLength(1);
  await host.runtime.remove(member);
  expect(traces()).toEqual(noTraces);
});

test("the size of all costs nothing at the lease: no program is started and nothing is mounted", async () => {
  const member = await start();
  const before = mountsOf([host.mountRoot]);
  const path = process.env.PATH;
  process.env.PATH = "/nowhere";
  await host.runtime.fitDisk(member, memberMiB).finally(() => {
    process.env.PATH = path;
  });
  expect(mountsOf([host.mountRoot])).toEqual(before);
  await host.runtime.remove(member);
});

test("a restarted host keeps what is mounted, with what is in it", async () => {
  const member = await start();
  const configuration = await configured(member);
  await sh(member, "echo kept >/workspace/note");
  const before = mountsOf([host.mountRoot]);
  member.connection.close();
  const adopted = await host.restarted().adopt(await foundAs(member), configuration);
  expect(await sh(adopted, "cat /workspace/note")).toBe("kept\n");
  expect(mountsOf([host.mountRoot])).toEqual(before);
  adopted.connection.close();
  await host.runtime.remove(member);
});

test.each<[string, boolean]>([
  ["unused", false],
  ["leased", true],
])("a %s container that has lost its disk is not adopted", async (_what, isLeased) => {
  const member = await start();
  const configuration = isLeased ? await configured(member) : undefined;
  member.connection.close();
  execFileSync("umount", [join(host.mountRoot, member.memberId)]);
  const adopting = host.restarted().adopt(await foundAs(member), configuration);
  await expect(adopting).rejects.toThrow("no workspace");
  await host.runtime.remove(member);
  expect(traces()).toEqual(noTraces);
});

test("a container whose disk was cut off before it was its tenant's is not adopted", async () => {
  const member = await start();
  chownSync(join(host.mountRoot, member.memberId), 0, 0);
  member.connection.close();
  const adopting = host.restarted().adopt(await foundAs(member), undefined);
  await expect(adopting).rejects.toThrow("was not finished");
  await host.runtime.remove(member);
  expect(traces()).toEqual(noTraces);
});

test("a warm container of the other kind is not adopted; a leased one is", async () => {
  const member = await start();
  member.connection.close();
  const found = await foundAs(member);
  await expect(host.restarted("tmpfs").adopt(found, undefined)).rejects.toThrow("of the kind loop");
  const again = await host.restarted().adopt(found, undefined);
  const configuration = await configured(again);
  again.connection.close();
  const adopted = await host.restarted("tmpfs").adopt(found, configuration);
  expect((await seenInside(adopted)).type).toBe("ext2/ext3");
  adopted.connection.close();
  await host.runtime.remove(member);
});

test("killed at any step, a host leaves nothing that the sweep of the next one does not remove", async () => {
  const { disks } = host;
  await disks.make("0000aaaa", memberMiB);
  await disks.make("0000bbbb", memberMiB);
  await disks.mount("0000bbbb", 20_000);
  await disks.make("0000cccc", memberMiB);
  await disks.mount("0000cccc", 20_000);
  writeFileSync(join(host.folder, "workspaces", "0000dddd.img"), "cut short");
  await disks.sweep(new Set(["0000cccc"]));
  expect(host.images()).toEqual(["0000cccc.img"]);
  expect(loopDevicesOf(host.folder)).toHaveLength(1);
  await Promise.all([disks.sweep(new Set()), disks.remove("0000cccc")]);
  expect(traces()).toEqual(noTraces);
});

test("a disk that somebody looks into goes all the same, as soon as they leave", async () => {
  const { disks } = host;
  await disks.make("0000eeee", memberMiB);
  await disks.mount("0000eeee", 20_000);
  const point = disks.pointOf("0000eeee");
  execFileSync("sh", ["-c", "sleep 1 >/dev/null 2>&1 &"], { cwd: point });
  await disks.remove("0000eeee");
  expect(existsSync(point)).toBe(false);
  await expect.poll(traces, { timeout: 5_000 }).toEqual(noTraces);
});

test("an image is no tenant's to reach: root's alone, and in no mount of the container", async () => {
  const member = await start();
  const pid = await host.pidOf(member);
  const mounts = readFileSync(`/proc/${pid}/mountinfo`, "utf8");
  expect(mounts).not.toContain(".img");
  expect(mounts).toMatch(/ \/workspace rw,nosuid,nodev,noatime .* - ext4 \/dev\/loop\d+ /);
  expect(existsSync(join("/proc", String(pid), "root", "dev", "loop-control"))).toBe(false);
  await host.runtime.remove(member);
});
