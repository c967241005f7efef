import { execFileSync } from "node:child_process";
import { pino } from "pino";
import { expect, test } from "vitest";
import type { Member } from "#host/runtime/runtime";
import { proveWorkspaces } from "#host/workspaces/prove";
import { loopDevicesOf } from "../../support/traces.ts";
import { dockerHost } from "./docker-host.ts";
import { configured, seenInside } from "./inside.ts";

const limits = { cpu: 1, memoryMiB: 256, pids: 64 };
const memberMiB = 64;
const log = pino({ level: "silent" });

test("where disks do not work, workspaces are in memory, bounded in bytes and in files, and a finding says why", async () => {
  const path = process.env.PATH;
  process.env.PATH = "/nowhere";
  const broken = await dockerHost({ memberMiB }).finally(() => {
    process.env.PATH = path;
  });
  try {
    expect(broken.workspaces.driver).toBe("tmpfs");
    const finding = broken.workspaces.finding();
    expect(finding).toMatchObject({ name: "workspaces", status: "warning" });
    expect(finding.detail).toContain("in memory, at most 64 MiB each");
    const member = await broken.runtime.start({ memberId: "00facade", template: broken.template, limits });
    expect(broken.runtime.grantDisk(member, memberMiB)).toBe(64);
    expect(() => broken.runtime.grantDisk(member, 65)).toThrow("keeps workspaces in memory");
    await configured(member);
    expect(await seenInside(member)).toMatchObject({ type: "tmpfs", sizeMiB: 64, owner: member.uid });
    await broken.runtime.remove(member);
  } finally {
    await broken.dispose();
  }
});

test("where the machine has no room for a single disk, workspaces are in memory", async () => {
  const small = await dockerHost({ memberMiB, maxMiB: memberMiB - 1 });
  expect(small.workspaces.driver).toBe("tmpfs");
  expect(small.workspaces.finding().detail).toContain("no room for 64 MiB");
  await small.dispose();
});

test("where mounts do not reach containers, the first sandbox shows it, and memory takes over", async () => {
  const deaf = await dockerHost({ memberMiB });
  execFileSync("mount", ["--make-private", deaf.mountRoot]);
  const kept: Member[] = [];
  const deps = {
    ...deaf,
    pool: { put: (member: Member) => void kept.push(member) },
    memberLimits: limits,
    log,
  };
  try {
    await proveWorkspaces(deps, deaf.template);
    expect(deaf.workspaces.driver).toBe("tmpfs");
    expect(deaf.workspaces.finding().status).toBe("warning");
    expect(kept).toHaveLength(1);
    expect(loopDevicesOf(deaf.folder)).toEqual([]);
  } finally {
    await deaf.dispose();
  }
});

test("a fault that has nothing to do with disks leaves them chosen", async () => {
  const other = await dockerHost({ memberMiB });
  const deps = { ...other, pool: { put: () => undefined }, memberLimits: limits, log };
  await proveWorkspaces(deps, { ...other.template, image: "sandgate/none:missing" });
  expect(other.workspaces.driver).toBe("loop");
  expect(other.workspaces.finding().status).toBe("ok");
  await other.dispose();
});
