import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newHostId } from "#contract/ids";
import { createEngine } from "#host/engine/request";
import { propagationOf } from "#host/preflight/member";
import { createMemberFolders } from "#host/runtime/docker/folder";
import { DockerRuntime } from "#host/runtime/docker/runtime";
import { createUidClaims, uidFolder } from "#host/uids/claim";
import { machine } from "../../support/machine.ts";
import { type RuntimeUnderTest, runtimeConformance } from "./suite.ts";

const runDir = "/run/sandgate";

async function dockerRuntime(): Promise<RuntimeUnderTest> {
  const { engine: found, image, templateDigest, sandboxdPath } = await machine();
  const engine = createEngine(found.socketPath);
  const hostId = newHostId();
  const folders = createMemberFolders(runDir, hostId);
  const uids = createUidClaims(hostId);
  const propagation = propagationOf(runDir, readFileSync("/proc/self/mountinfo", "utf8"));
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  const options = { engine, hostId, folders, uids, sandboxdPath, propagation, arch } as const;
  const runtime = new DockerRuntime(options);
  return {
    runtime,
    again: () => new DockerRuntime(options),
    template: { name: "base", digest: templateDigest, image },
    async dispose() {
      await Promise.all((await runtime.list()).map((found) => runtime.remove(found)));
      uids.close();
      folders.close();
      engine.close();
    },
  };
}

runtimeConformance("the Docker runtime", dockerRuntime);

let under: RuntimeUnderTest;
beforeAll(async () => {
  under = await dockerRuntime();
});
afterAll(() => under.dispose());

test("a start that fails leaves no container, folder or uid behind", async () => {
  const claimed = () => (existsSync(uidFolder) ? readdirSync(uidFolder) : []);
  const before = claimed();
  const template = { ...under.template, image: "sandgate/none:missing" };
  const spec = { memberId: "0badcafe", template, limits: { cpu: 1, memoryMiB: 256, pids: 64 } };
  await expect(under.runtime.start(spec)).rejects.toThrow();
  expect(await under.runtime.list()).toEqual([]);
  expect(existsSync(`${runDir}/0badcafe`)).toBe(false);
  expect(claimed()).toEqual(before);
});

test("everything that leases rely on holds for a real member", async () => {
  const limits = { cpu: 1, memoryMiB: 256, pids: 64 };
  const member = await under.runtime.start({ memberId: "0badf00d", template: under.template, limits });
  const findings = await under.runtime.inspect(member, limits);
  expect(findings.map(({ name, status }) => [name, status])).toEqual([
    ["seccomp", "ok"],
    ["freeze", "ok"],
    ["limits", "ok"],
    ["mount propagation", expect.stringMatching(/ok|warning/)],
  ]);
  await under.runtime.remove(member);
});
