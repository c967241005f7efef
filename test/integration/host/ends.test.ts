import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { Heartbeat, type HostIdentity } from "#contract/host";
import { newHostCode, newHostId, newSandboxId } from "#contract/ids";
import { beat } from "#host/control/heartbeat";
import { endSandbox } from "#host/sandboxes/end";
import { reap } from "#host/sandboxes/reap";
import { sweep } from "#host/sandboxes/sweep";
import { hostsOfThisFile } from "../../support/host-harness.ts";

const host = hostsOfThisFile();

/** Holds what `method` of the machine does until the test lets it go. */
function hold<T extends object, K extends keyof T>(machine: T, method: K) {
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  const original = (machine[method] as (...args: unknown[]) => Promise<unknown>).bind(machine);
  machine[method] = (async (...args: unknown[]) => {
    await held;
    return original(...args);
  }) as T[K];
  return letGo;
}

test("an end that cannot be put on record still ends the sandbox, and the host goes on", async () => {
  const { deps, create, registry, runtime, leases, pool } = host();
  const { sandboxId } = await create();
  const live = registry.peek(sandboxId);
  leases.end = () => {
    throw new Error("ENOSPC: no space left on device");
  };
  if (live) await endSandbox(deps, live, "idle");
  expect(registry.size).toBe(0);
  await expect.poll(() => runtime.containers.has(live?.member.handle ?? "")).toBe(false);
  await expect.poll(() => pool.state()[0]?.available).toBe(3);
});

/** A control plane that only listens: `speak` sends one heartbeat, `beats` has what came. */
async function listener(deps: ReturnType<typeof host>["deps"]) {
  const beats: Heartbeat[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      beats.push(JSON.parse(body));
      response.end(JSON.stringify({ acknowledged: [], kill: [], deadlines: [] }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const controlUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const identity: HostIdentity = {
    hostId: newHostId(),
    code: newHostCode(),
    key: "00".repeat(32),
    controlUrl,
  };
  const facts = () => ({ url: controlUrl, isDraining: false, cores: 2, freeMemoryMiB: 1, pools: [] });
  return { beats, speak: () => beat({ ...deps, identity, key: Buffer.alloc(32), facts }) };
}

test("a sandbox that is being ended is reported as live until its end is on record", async () => {
  const { deps, clock, create, runtime, leases } = host();
  const { sandboxId } = await create({ idleSeconds: 10 });
  clock.nowMs += 11_000;
  const letGo = hold(runtime, "kill");
  const reaped = reap(deps);
  const { beats, speak } = await listener(deps);
  await speak();
  letGo();
  await reaped;
  await speak();
  expect(beats.map(({ live, ended }) => [live.length, ended.length])).toEqual([
    [1, 0],
    [0, 1],
  ]);
  expect(leases.ends()).toMatchObject([{ sandboxId, endReason: "idle" }]);
});

test("ends that one heartbeat has no room for are reported as live until there is", async () => {
  const { deps, leases } = host();
  const code = newHostCode();
  for (let i = 0; i < 1003; i++)
    leases.end({ sandboxId: newSandboxId(code), generation: 1, endReason: "idle", endedAtMs: 1 });
  const { beats, speak } = await listener(deps);
  await speak();
  const [first] = beats;
  if (!first) throw new Error("No heartbeat came.");
  expect(Heartbeat.safeParse(first).error).toBeUndefined();
  expect([first.ended.length, first.live.length]).toEqual([1000, 3]);
  expect(new Set([...first.ended, ...first.live].map(({ sandboxId }) => sandboxId)).size).toBe(1003);
  for (const end of first.ended) leases.acknowledge(end);
  await speak();
  expect([beats[1]?.ended.length, beats[1]?.live.length]).toEqual([3, 0]);
});

test("a sandbox is reported as live only once it is configured: until then its create may fail", async () => {
  const { deps, create, registry } = host();
  await create();
  const [live] = registry.all();
  if (!live) throw new Error("not live");
  const { beats, speak } = await listener(deps);
  live.isConfigured = false;
  await speak();
  live.isConfigured = true;
  await speak();
  expect(beats.map((each) => each.live.length)).toEqual([0, 1]);
});

test("a sweep that takes its time over a leftover spares what was started meanwhile", async () => {
  const { deps, pool, create, runtime } = host({ pool: { min: 3 } });
  await pool.warmUp(1_000);
  const template = { name: "base", digest: "digest-1", image: "i" };
  await runtime.start({ memberId: "deadbeef", template, limits: { cpu: 1, memoryMiB: 256, pids: 64 } });
  const letGo = hold(runtime, "remove");
  const remove = vi.spyOn(runtime, "remove");
  let alive: ReadonlySet<string> = new Set();
  runtime.sweep = async (members) => {
    alive = members;
  };
  const swept = sweep(deps);
  await expect.poll(() => remove.mock.calls.length).toBe(1);
  await create();
  await expect.poll(() => pool.state()[0]?.available).toBe(3);
  const started = pool.memberIds();
  letGo();
  await swept;
  for (const memberId of started) expect(alive).toContain(memberId);
});

test("a leftover that cannot be removed does not keep the others", async () => {
  const { deps, runtime } = host({ pool: { target: 0 } });
  const template = { name: "base", digest: "digest-1", image: "i" };
  const limits = { cpu: 1, memoryMiB: 256, pids: 64 };
  for (const memberId of ["0000dead", "0000beef"]) await runtime.start({ memberId, template, limits });
  const remove = runtime.remove.bind(runtime);
  runtime.remove = async (member) => {
    if (member.memberId === "0000dead") throw new Error("driver busy");
    return remove(member);
  };
  let alive: ReadonlySet<string> = new Set();
  runtime.sweep = async (members) => {
    alive = members;
  };
  await sweep(deps);
  expect([...runtime.containers.keys()]).toEqual(["c-0000dead"]);
  // Its processes may still hold the uid.
  expect(alive).toContain("0000dead");
  runtime.containers.clear();
});
