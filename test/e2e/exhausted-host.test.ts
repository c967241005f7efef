import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { Problem } from "#contract/errors";
import { ageCreates, expectBooksToAgree } from "../support/books.ts";
import { collect } from "../support/events.ts";
import { scratchFolder } from "../support/machine.ts";
import { type TestStack, testStack } from "../support/stack.ts";
import { readText } from "../support/traces.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function newStack(settings: Record<string, string> = {}): Promise<TestStack> {
  const stack = await testStack({ SANDGATE_SWEEP_SECONDS: "1", ...settings });
  cleanUps.push(() => stack.dispose());
  return stack;
}

/** Refused in time, with a code that says to come back, and not in the words of whatever failed. */
async function expectCleanRefusal(answer: Response): Promise<void> {
  const problem = Problem.parse(await answer.json());
  expect([answer.status, problem.retryable]).toEqual([503, true]);
  expect(["no_capacity", "host_unreachable", "unavailable"]).toContain(problem.code);
  expect(problem.detail).not.toMatch(/E[A-Z]{4,}|spawn|mkfs|loop|mount/);
}

/**
 * What is promised about a host that has run out of something: creates end in sandboxes that work or in clean refusals,
 * at least one in a refusal; what was there goes on; and once there is enough again, so does everything.
 */
async function expectToBearIt(
  stack: TestStack,
  { take, giveBack }: { take(): void; giveBack(): void },
): Promise<void> {
  const { api } = stack;
  const { pid } = stack.agentHost;
  const { id: kept } = await api.create();
  await expectBooksToAgree(stack, [kept]);
  const running = await api.stream(kept, { command: "echo up; while [ ! -e /tmp/go ]; do sleep 0.1; done" });
  await running.events.next();
  take();
  cleanUps.push(giveBack);
  const made: string[] = [];
  let refusals = 0;
  for (let round = 0; round < 3 && refusals === 0; round++) {
    const asked = Array.from({ length: stack.poolTarget + 1 }, () => api.call("POST", "/v1/sandboxes", {}));
    for (const answer of await Promise.all(asked)) {
      if (answer.status === 201) made.push(((await answer.json()) as { id: string }).id);
      else {
        await expectCleanRefusal(answer);
        refusals++;
      }
    }
  }
  expect(refusals).toBeGreaterThan(0);
  // All that the host does by itself comes round meanwhile, and must not end it.
  await sleep(3_000);
  expect(stack.agentHost.pid).toBe(pid);
  giveBack();
  await api.write(kept, "/tmp/go", "");
  expect((await collect(running.events)).last).toMatchObject({ event: "exit", json: { exitCode: 0 } });
  for (const id of made) expect((await api.exec(id, "echo works")).stdout).toBe("works\n");
  // A create that the host has not heard of holds its slot until its deadline, in case it has.
  await ageCreates(stack.dataDir);
  await expectBooksToAgree(stack, [kept, ...made]);
  await Promise.all([kept, ...made].map((id) => api.delete(id)));
  await expectBooksToAgree(stack, []);
  const { id: after } = await api.create();
  expect((await api.exec(after, "echo works")).stdout).toBe("works\n");
}

test("F18: a host without a free file descriptor refuses what is new, and recovers", async () => {
  const stack = await newStack();
  const { pid } = stack.agentHost;
  const limitTo = (files: string) => execFileSync("prlimit", ["--pid", String(pid), `--nofile=${files}:`]);
  const allowed = /^Max open files\s+(\d+)/m.exec(readText(`/proc/${pid}/limits`))?.[1] ?? "";
  await expectToBearIt(stack, {
    take: () => limitTo(String(readdirSync(`/proc/${pid}/fd`).length)),
    giveBack: () => limitTo(allowed),
  });
});

test("F18: a host that may start no process refuses what is new, and recovers", async () => {
  const stack = await newStack();
  const { pid } = stack.agentHost;
  const root = existsSync("/sys/fs/cgroup/pids") ? "/sys/fs/cgroup/pids" : "/sys/fs/cgroup";
  const group = join(root, `sandgate-test-${pid}`);
  const move = (to: string) => writeFileSync(join(to, "cgroup.procs"), String(pid));
  const former = join(root, /^(?:\d+:pids|0:):(.*)$/m.exec(readText(`/proc/${pid}/cgroup`))?.[1] ?? "");
  await expectToBearIt(stack, {
    take: () => {
      mkdirSync(group);
      move(group);
      writeFileSync(join(group, "pids.max"), readText(join(group, "pids.current")));
    },
    giveBack: () => {
      if (!existsSync(group)) return;
      move(former);
      rmdirSync(group);
    },
  });
});

test("F18: a host without a free loop device hands out the disks it has, then refuses, and recovers", async () => {
  const scratch = scratchFolder();
  cleanUps.push(scratch.dispose);
  const flag = join(scratch.path, "none-left");
  const mount = execFileSync("which", ["mount"]).toString().trim();
  const sentence = "mount: /mnt: failed to setup loop device for image: No space left on device.";
  // The kernel makes devices on demand and cannot be talked out of it: what `mount` says when it does not is said here.
  const script = `#!/bin/sh\n[ -e ${flag} ] && case "$*" in *loop,*) echo '${sentence}' >&2; exit 32;; esac\nexec ${mount} "$@"\n`;
  writeFileSync(join(scratch.path, "mount"), script);
  chmodSync(join(scratch.path, "mount"), 0o755);
  const stack = await newStack({ PATH: `${scratch.path}:${process.env.PATH}` });
  await expectToBearIt(stack, {
    take: () => writeFileSync(flag, ""),
    giveBack: () => rmSync(flag, { force: true }),
  });
});
