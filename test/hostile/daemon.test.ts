import { expect, test } from "vitest";
import { all, type Box, newBox, outcomes } from "./support.ts";

const signals = ["kill", "stop", "signal-0", "sigqueue", "pidfd-kill"];
const tracing = ["trace", "seize", "vm-read", "vm-write", "pidfd-getfd"];
const tuning = ["renice", "pin", "idle", "io-idle", "prlimit"];
const writing = ["mem-write", "oom_score_adj", "clear_refs"];
const folders = ["fd", "fdinfo", "map_files", "root", "cwd"];
const files = ["environ", "mem", "maps", "pagemap", "auxv", "stack", "syscall", "io", "exe"];

/** Sandboxd and, while a command runs, its supervisor: everything here that does not run as the tenant. */
const attacks = [...signals, ...tracing, ...tuning, ...writing, ...folders, ...files];
const isRefusal = (outcome: string) => ["EPERM", "EACCES", "ESRCH", "ENOENT"].includes(outcome);

test("H9: sandboxd and every supervisor cannot be signalled, traced, tuned or looked into", async () => {
  const { probe, host, exec } = await newBox();
  const background = exec(["sleep", "2"]);
  await expect.poll(() => host.processes().length, { timeout: 5_000 }).toBeGreaterThanOrEqual(3);
  const result = outcomes((await probe(["roots", ...attacks])).stdout);
  const targets = new Set(Object.keys(result).map((name) => name.split(" ")[0]));
  // PID 1, the supervisor of `sleep` and that of the probe itself.
  expect(targets).toContain("1");
  expect(targets.size).toBeGreaterThanOrEqual(3);
  expect(Object.keys(result).length).toBe(targets.size * attacks.length);
  const admitted = Object.entries(result).filter(([, outcome]) => !isRefusal(outcome));
  expect(admitted).toEqual([]);
  expect(await background).toMatchObject({ exitCode: 0, endReason: "exited" });
  expect(host.processes()[0]).toBe(host.pid1);
});

test("the host's folder cannot be entered, listed, opened up or dialled; a second dialler is never heard", async () => {
  const box = await newBox();
  const attempts = ["enter-folder", "list-folder", "stat-socket", "dial", "replace-socket", "chmod-folder"];
  const outcome = await box.attempts(attempts);
  expect(Object.keys(outcome)).toEqual(attempts);
  expect(Object.values(outcome).filter((value) => !["EACCES", "EPERM", "EROFS"].includes(value))).toEqual([]);
  // sandboxd's own program in the tenant's hands is a program without rights.
  const again = await box.exec([
    "/sandboxd",
    "--member",
    box.host.lease.memberId,
    "--uid",
    "1",
    "--gid",
    "1",
  ]);
  expect(again).toMatchObject({ exitCode: 70, stderr: expect.stringContaining("not started as root") });
  expect((await box.exec("echo alive")).stdout).toBe("alive\n");
});

test("the one socket of the daemon that shows is a name that leads nowhere, and none can be made for it", async () => {
  const { exec, host } = await newBox();
  const shown = (await exec("grep -o '/.*' /proc/net/unix")).stdout;
  expect(shown).toBe(`/run/sandgate/${host.lease.memberId}/sock\n`);
  expect((await exec(`stat ${shown}`)).stderr).toContain("Permission denied");
  const own = "mkdir -p run/sandgate && ln -s /run/sandgate run/real && ls run/real/ 2>&1";
  expect((await exec(own)).stdout).toContain("Permission denied");
});

test("a tenant shares no descriptor with the daemon but its own three streams", async () => {
  const { exec } = await newBox();
  const { stdout } = await exec(["ls", "-l", "/proc/self/fd"], { stdin: "x" });
  const links = [...stdout.matchAll(/ (\d+) -> (.*)$/gm)].map(([, fd, target]) => [fd, target]);
  expect(links.slice(0, 3).map(([fd]) => fd)).toEqual(["0", "1", "2"]);
  expect(links.filter(([, target]) => target?.startsWith("socket:") || target?.includes("event"))).toEqual(
    [],
  );
  expect(links.length).toBe(4); // the fourth is the listing itself
});

test("H33: kill and stop of everything end only what the tenant itself runs", async () => {
  const box = await newBox();
  const victim = box.exec(["sleep", "30"]);
  await expect.poll(() => box.host.tenantProcesses().length, { timeout: 5_000 }).toBe(1);
  expect((await box.exec("kill -9 1; kill -15 1; kill -STOP 1; echo tried")).stdout).toBe("tried\n");
  await box.exec("kill -9 -1");
  expect(await victim).toMatchObject({ exitCode: 137, signal: 9, endReason: "exited" });
  await expectUsable(box);
  const stopped = box.exec(["sleep", "30"], { timeoutMs: 1_500 });
  await expect.poll(() => box.host.tenantProcesses().length, { timeout: 5_000 }).toBe(1);
  await box.exec("kill -STOP -1", { timeoutMs: 1_000 });
  expect(await stopped).toMatchObject({ endReason: "timeout" });
  await expectUsable(box);
});

async function expectUsable({ exec, host, api, id }: Box): Promise<void> {
  expect((await exec("echo usable")).stdout).toBe("usable\n");
  expect(host.processes()[0]).toBe(host.pid1);
  expect((await api.get(id)).state).toBe("running");
}

const storm = { execs: Number(process.env.SANDGATE_STORM_EXECS ?? 1_000), parallel: 8 };

test(`H33: ${storm.execs} commands under a storm of stops and kills each end with a result or a typed error`, {
  timeout: 60_000 + storm.execs * 60,
}, async () => {
  const box = await newBox();
  const counts: Record<string, number> = {};
  const startedAtMs = performance.now();
  let left = storm.execs;
  let isOver = false;
  const attack = async () => {
    let calls = 0;
    while (!isOver) {
      const { stdout } = await box.probe(["storm", "1000"], { timeoutMs: 10_000 });
      calls += Number(/^calls (\d+)/m.exec(stdout)?.[1] ?? 0);
    }
    return calls;
  };
  const work = async () => {
    while (left-- > 0) {
      const outcome = await outcomeOf(box);
      counts[outcome] = (counts[outcome] ?? 0) + 1;
    }
  };
  const stormed = attack();
  await Promise.all(Array.from({ length: storm.parallel }, work));
  isOver = true;
  const calls = await stormed;
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1);
  if (process.env.SANDGATE_STORM_EXECS) console.info({ seconds, calls, counts });
  expect(calls).toBeGreaterThan(1_000);
  expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(storm.execs);
  const known = all(["exited 0", "exited 137", "timeout", "exec_interrupted", "process_limit"], "");
  expect(Object.keys(counts).filter((outcome) => !(outcome in known))).toEqual([]);
  await expectUsable(box);
});

async function outcomeOf({ id, api }: Box): Promise<string> {
  const response = await api.call("POST", `/v1/sandboxes/${id}/exec`, {
    command: ["true"],
    timeoutMs: 2_000,
  });
  const answer = (await response.json()) as { code?: string; endReason?: string; exitCode?: number };
  if (answer.code) return answer.code;
  return answer.endReason === "exited" ? `exited ${answer.exitCode}` : String(answer.endReason);
}
