import { expect, test } from "vitest";
import { HostCode, newHostId } from "#contract/ids";
import { seededRandom } from "#test/fakes/random";
import type { Host } from "#worker/hosts/directory";
import { chooseHost } from "#worker/placement/choose";

const host = (code: string, available = 0, freeMemoryMiB = 1024): Host => ({
  id: newHostId(),
  code: HostCode.parse(code),
  url: "http://127.0.0.1:1",
  isDraining: false,
  cores: 4,
  freeMemoryMiB,
  pools: [{ template: "base", available, starting: 0 }],
  heartbeatAtMs: 0,
});
const ask = { template: "base", memoryMiB: 256, refused: new Set<HostCode>() };

test("the one host there is gets the work", () => {
  const only = host("haaa");
  expect(chooseHost([only], ask, () => 0.99)).toBe(only);
});

test("no host, or only hosts that refused, is null", () => {
  expect(chooseHost([], ask, () => 0)).toBeNull();
  const only = host("haaa");
  expect(chooseHost([only], { ...ask, refused: new Set([only.code]) }, () => 0)).toBeNull();
});

test("of two hosts the one with warm sandboxes of the template wins, then the one with room", () => {
  const random = seededRandom(1);
  const cold = host("haaa", 0, 4096);
  const warm = host("hbbb", 3, 512);
  for (let i = 0; i < 50; i++) expect(chooseHost([cold, warm], ask, random)).toBe(warm);
  const full = host("hccc", 0, 0);
  for (let i = 0; i < 50; i++) expect(chooseHost([cold, full], ask, random)).toBe(cold);
  const otherTemplate = { ...ask, template: "other" };
  for (let i = 0; i < 50; i++) expect(chooseHost([cold, warm], otherTemplate, random)).toBe(cold);
});

test("equal hosts share the work", () => {
  const random = seededRandom(2);
  const hosts = ["haaa", "hbbb", "hccc", "hddd"].map((code) => host(code, 5));
  const counts = new Map<string, number>();
  for (let i = 0; i < 4000; i++) {
    const code = chooseHost(hosts, ask, random)?.code ?? "none";
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  for (const { code } of hosts) expect(counts.get(code)).toBeGreaterThan(800);
});
