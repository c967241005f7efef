import { afterAll, beforeAll, expect, test } from "vitest";
import { type Box, noSink, python, run, shell, startBox } from "./harness.ts";

let box: Box;
beforeAll(async () => {
  box = await startBox();
});
afterAll(() => box?.remove());

test("stdout and stderr are separate and byte exact", async () => {
  const script = `import os
os.write(1, bytes(range(256)) * 1000)
os.write(2, bytes(range(255, -1, -1)) * 10)`;
  const result = await python(box, script);
  const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  expect(result.stdout).toBe(all.toString("latin1").repeat(1000));
  expect(result.stderr).toBe(Buffer.from(all.toReversed()).toString("latin1").repeat(10));
});

test.each([0, 1, 124, 125, 126, 127, 137, 139, 143, 255])(
  "exit code %i is reported as it is",
  async (code) => {
    expect(await shell(box, `exit ${code}`)).toMatchObject({ exitCode: code, signal: 0, reason: "exited" });
  },
);

test.each([9, 11, 15])("a program ended by its own signal %i is not an exit code", async (signal) => {
  const result = await shell(box, `kill -${signal} $$`);
  expect(result).toMatchObject({ exitCode: -1, signal, reason: "signaled" });
});

test("durations are of the program, in microseconds", async () => {
  const { durationMicros } = await run(box.connection, ["sleep", "0.2"]);
  expect(durationMicros).toBeGreaterThan(199_000);
  expect(durationMicros).toBeLessThan(1_000_000);
});

test("stdin arrives whole, however much of it, and ends", async () => {
  let bytes = 0;
  const exec = box.connection.exec(
    { argv: ["cat"], stdin: true },
    {
      onOutput: (_kind, chunk) => {
        bytes += chunk.length;
      },
    },
  );
  for (let i = 0; i < 30; i++) await exec.write(Buffer.alloc(100_000, i));
  exec.endStdin();
  expect((await exec.exit).exitCode).toBe(0);
  expect(bytes).toBe(3_000_000);
});

test("a program that never reads its stdin holds up nobody", async () => {
  const exec = box.connection.exec({ argv: ["sleep", "0.1"], stdin: true }, noSink);
  const written = exec.write(Buffer.alloc(5_000_000)).catch((cause: unknown) => cause);
  expect((await exec.exit).exitCode).toBe(0);
  await written;
});

test("without stdin a program reads the end of file at once", async () => {
  expect((await run(box.connection, ["cat"])).stdout).toBe("");
});

test("the exec's environment is laid over the configured one", async () => {
  const { stdout } = await run(box.connection, ["env"], { env: { HOME: "/tmp", OWN: "a=b" } });
  const lines = stdout.trim().split("\n");
  expect(lines).toContain("HOME=/tmp");
  expect(lines).toContain("OWN=a=b");
  expect(lines).toContain("FROM_CONFIGURE=yes");
  expect(lines.filter((line) => line.startsWith("HOME="))).toHaveLength(1);
});

test("a name is looked up in the merged PATH, a path is executed as it is", async () => {
  await shell(box, "printf '#!/bin/sh\\necho own' >/tmp/tool; chmod +x /tmp/tool");
  expect((await run(box.connection, ["tool"], { env: { PATH: "/nowhere:/tmp" } })).stdout).toBe("own\n");
  expect((await run(box.connection, ["/tmp/tool"])).stdout).toBe("own\n");
});

test("what cannot be executed says why", async () => {
  await shell(box, "echo text >/tmp/plain; echo junk >/tmp/junk; chmod +x /tmp/junk");
  await expect(run(box.connection, ["nonesuch"])).rejects.toMatchObject({ code: "notFound" });
  await expect(run(box.connection, ["/tmp/none/such"])).rejects.toMatchObject({ code: "notFound" });
  await expect(run(box.connection, ["/tmp/plain"])).rejects.toMatchObject({ code: "permissionDenied" });
  await expect(run(box.connection, ["/tmp/junk"])).rejects.toMatchObject({ code: "permissionDenied" });
  await expect(run(box.connection, ["/tmp"])).rejects.toMatchObject({ code: "permissionDenied" });
  await expect(run(box.connection, [])).rejects.toMatchObject({ code: "badRequest" });
  await expect(run(box.connection, ["a\0b"])).rejects.toMatchObject({ code: "badRequest" });
});

test("a working folder is entered as the tenant", async () => {
  expect((await run(box.connection, ["pwd"], { cwd: "/workspace" })).stdout).toBe("/workspace\n");
});

test.each([
  "/nonesuch",
  "/etc/passwd",
  "/root",
  "/run/sandgate",
  "/proc",
  "/proc/self/fd/3",
  "/proc/self/cwd",
  "/tmp/p",
  "/sys",
])("the working folder %s is refused", async (cwd) => {
  await shell(box, "ln -sfn /proc/1 /tmp/p");
  await expect(run(box.connection, ["pwd"], { cwd })).rejects.toMatchObject({ code: "cwdRefused" });
});

test("a tenant process has no capability, no way to one, and is the first to go when memory ends", async () => {
  const { stdout } = await shell(
    box,
    "grep -E '^(Cap|NoNewPrivs|Groups|Uid)' /proc/self/status; cat /proc/self/oom_score_adj; ulimit -n; ulimit -c; umask",
  );
  expect(stdout.match(/^Cap\w+:\s+0000000000000000$/gm)).toHaveLength(5);
  expect(stdout).toMatch(/^NoNewPrivs:\s+1$/m);
  expect(stdout).toMatch(/^Groups:\s*$/m);
  expect(stdout).toMatch(new RegExp(`^Uid:\\s+${[box.uid, box.uid, box.uid, box.uid].join("\\s+")}$`, "m"));
  expect(stdout.trim().split("\n").slice(-4)).toEqual(["1000", "1024", "0", "0022"]);
});

test("a program starts as leader of its session with three descriptors and default signals", async () => {
  const script = `import os
print(os.getsid(0) == os.getpid(), sorted(map(int, os.listdir("/proc/self/fd")))[:4])
print([l for l in open("/proc/self/status") if l.startswith(("SigBlk", "SigIgn"))])`;
  const { stdout } = await python(box, script);
  expect(stdout).toMatch(/^True \[0, 1, 2, 3\]/); // 3 is the listing itself
  expect(stdout).toContain("SigBlk:\\t0000000000000000");
});

test("64 programs run at once and the next is refused, by name", async () => {
  const results = await Promise.allSettled(
    Array.from({ length: 70 }, () => run(box.connection, ["sleep", "0.5"])),
  );
  expect(results.filter((r) => r.status === "fulfilled")).toHaveLength(64);
  for (const result of results) {
    if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "tooMany" });
  }
});

test("a slow reader blocks the program, and the daemon's memory stays flat", async () => {
  await run(box.connection, ["head", "-c", "5000000", "/dev/zero"]);
  const beforeKiB = box.residentKiB();
  let bytes = 0;
  let mostKiB = 0;
  const onOutput = async (_kind: string, chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes % 17 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    mostKiB = Math.max(mostKiB, box.residentKiB());
  };
  const exec = box.connection.exec({ argv: ["head", "-c", "100000000", "/dev/zero"] }, { onOutput });
  expect((await exec.exit).exitCode).toBe(0);
  expect(bytes).toBe(100_000_000);
  expect(mostKiB - beforeKiB).toBeLessThan(1024);
});

test("a reader that stops reading gets every byte in the end, however late", async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let bytes = 0;
  const onOutput = async (_kind: string, chunk: Buffer) => {
    bytes += chunk.length;
    await held;
  };
  const exec = box.connection.exec(
    { argv: ["head", "-c", "1100000", "/dev/zero"], graceMs: 50 },
    { onOutput },
  );
  setTimeout(release, 600);
  expect((await exec.exit).exitCode).toBe(0);
  expect(bytes).toBe(1_100_000);
});
