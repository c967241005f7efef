import { existsSync, readdirSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { uidFolder } from "#host/uids/claim";
import { runDir } from "../../support/traces.ts";
import { dockerHost } from "./docker-host.ts";
import { type RuntimeUnderTest, runtimeConformance } from "./suite.ts";

runtimeConformance("the Docker runtime", () => dockerHost());

let under: RuntimeUnderTest;
beforeAll(async () => {
  under = await dockerHost();
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
    ["workspaces", "ok"],
  ]);
  await under.runtime.remove(member);
});
