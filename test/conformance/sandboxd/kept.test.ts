import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { metadataMaxBytes, streamWindowBytes } from "#contract/sandboxd";
import type { SandboxdConnection } from "#host/sandboxd/connection";
import type { ExecExit, ExecHandle, ExecRequest } from "#host/sandboxd/exec";
import type { Recalled } from "#host/sandboxd/kept";
import { type Box, generation, noSink, run, sandboxId, startBox, waitUntil } from "./harness.ts";

const ringBytes = 1024 * 1024 - 4;
const metadata = Buffer.from("what the host needs to know");

let box: Box;
let host: SandboxdConnection;
beforeAll(async () => {
  box = await startBox();
  host = box.connection;
});
afterAll(() => box?.remove());

/** What a host finds that is started again. */
async function comeBack(): Promise<SandboxdConnection> {
  host.close();
  host = await box.listen({ sandboxId, generation, key: box.key });
  return host;
}

let count = 0;
let tag = "";
beforeEach(() => {
  count++;
  tag = `exe_${count}`;
});

type Heard = { stdout: string; stderr: string; order: string[]; recalled: Recalled; handle: ExecHandle };

type Output = Omit<Heard, "handle" | "recalled">;

function listener(): { heard: Output; sink: Parameters<SandboxdConnection["exec"]>[1] } {
  const heard: Output = { stdout: "", stderr: "", order: [] };
  const sink = {
    onOutput: (kind: "stdout" | "stderr", bytes: Buffer) => {
      heard[kind] += bytes.toString("latin1");
      if (heard.order.at(-1) !== kind) heard.order.push(kind);
    },
  };
  return { heard, sink };
}

/** Starts a script under this test's tag, and resolves when it has said `ready`. */
async function start(script: string, request: Partial<ExecRequest> = {}): Promise<ExecHandle> {
  return new Promise((resolve, reject) => {
    const argv = ["python3", "-uc", `import os, sys, time\nprint('ready')\n${script}`];
    let said = "";
    const onOutput = (_kind: string, bytes: Buffer) => {
      said += bytes.toString("latin1");
      if (said.startsWith("ready")) resolve(handle);
    };
    const handle: ExecHandle = host.exec({ argv, tag, metadata, ...request }, { onOutput });
    handle.exit.catch(reject);
  });
}

/** Resolves when sandboxd has said what there is of it. */
function recall(): Promise<Heard> {
  const { heard, sink } = listener();
  return new Promise((resolve, reject) => {
    const onRecalled = (recalled: Recalled) => resolve(Object.assign(heard, { handle, recalled }));
    const handle = host.recall(tag, { ...sink, onRecalled });
    handle.exit.catch(reject);
  });
}
const keptNow = async () => (await host.kept()).find((kept) => kept.tag === tag);
const untilEnded = () => waitUntil(async () => (await keptNow())?.state === "ended", 10_000);
const exited = (exitCode: number): Partial<ExecExit> => ({ exitCode, reason: "exited", signal: 0 });

test("what ends while its host is away is listed with its code, its notes and all that it printed, in order", async () => {
  await start(
    "time.sleep(0.3); print('out'); print('err', file=sys.stderr); time.sleep(0.1); print('more'); sys.exit(7)",
  );
  await comeBack();
  await untilEnded();
  expect(await keptNow()).toMatchObject({ tag, metadata, state: "ended", end: { exit: exited(7) } });
  const heard = await recall();
  expect(await heard.handle.exit).toMatchObject(exited(7));
  expect(heard).toMatchObject({
    stdout: "ready\nout\nmore\n",
    stderr: "err\n",
    order: ["stdout", "stderr", "stdout"],
  });
  expect(heard.recalled).toMatchObject({ offsets: { stdout: 0, stderr: 0 }, keptBytes: 19 });
});

test("what still runs is listed, and its output and end come to the host that is there now", async () => {
  await start("for i in range(20): print(i); time.sleep(0.05)\nsys.exit(3)");
  await comeBack();
  const kept = await keptNow();
  expect(kept).toMatchObject({ tag, state: "running" });
  expect((await run(host, ["cat", `/proc/${kept?.pid}/comm`])).stdout).toBe("python3\n");
  const heard = await recall();
  expect(await heard.handle.exit).toMatchObject(exited(3));
  expect(heard.stdout).toBe(`ready\n${Array.from({ length: 20 }, (_, i) => `${i}\n`).join("")}`);
});

test("ten megabytes while the host is away hold the program up nowhere: the newest MiB is kept, and counted", async () => {
  await start(
    "time.sleep(0.2)\nfor i in range(1000): os.write(1 + i % 2, bytes([97 + i % 26]) * 10_000)\nos.write(1, b'end')",
  );
  await comeBack();
  await untilEnded();
  const heard = await recall();
  expect(await heard.handle.exit).toMatchObject(exited(0));
  const { stdout, stderr } = heard;
  const { offsets, tails, keptBytes } = heard.recalled;
  expect(keptBytes).toBe(stdout.length + stderr.length);
  expect(offsets.stdout + stdout.length).toBe(6 + 5_000_000 + 3);
  expect(offsets.stderr + stderr.length).toBe(5_000_000);
  expect(keptBytes).toBeGreaterThan(ringBytes - 1000);
  expect(stdout.endsWith("end")).toBe(true);
  // What went before goes on in what is kept.
  expect(String(tails.stderr)).toMatch(/^(.)\1\1$/);
});

test("input and signals reach what a former host has started, and its credit is neither lost nor doubled", async () => {
  const script =
    "data = sys.stdin.buffer.read(3_000_000)\nprint(len(data))\nprint(sys.stdin.read())\ntime.sleep(60)";
  const first = await start(script, { stdin: true });
  void first.write(Buffer.alloc(1_000_000, "a"));
  await new Promise((resolve) => setTimeout(resolve, 100));
  await comeBack();
  const heard = await recall();
  await heard.handle.write(Buffer.alloc(2_000_000, "b"));
  await heard.handle.write(Buffer.from("the end"));
  heard.handle.endStdin();
  await waitUntil(async () => heard.stdout.includes("the end"), 5_000);
  expect(heard.stdout).toBe("ready\n3000000\nthe end\n");
  heard.handle.kill(15);
  expect(await heard.handle.exit).toMatchObject({ exitCode: -1, signal: 15, reason: "killed" });
});

test("a terminal stays one, and has the size that it was given last", async () => {
  const first = await start("sys.stdin.readline(); print(os.get_terminal_size())", {
    terminal: { cols: 80, rows: 24 },
  });
  first.resize({ cols: 101, rows: 33 });
  await host.ping(1_000);
  await comeBack();
  expect(await keptNow()).toMatchObject({ state: "running", terminal: { cols: 101, rows: 33 } });
  const heard = await recall();
  await heard.handle.write(Buffer.from("go\n"));
  expect(await heard.handle.exit).toMatchObject(exited(0));
  expect(heard.stdout).toContain("os.terminal_size(columns=101, lines=33)");
});

test("input that was read while nobody was there makes room for more", async () => {
  const first = await start("time.sleep(0.3)\nprint(len(sys.stdin.buffer.read(1_900_000)))", { stdin: true });
  void first.write(Buffer.alloc(streamWindowBytes, "a"));
  await host.ping(1_000);
  await comeBack();
  await new Promise((resolve) => setTimeout(resolve, 600));
  const heard = await recall();
  await heard.handle.write(Buffer.alloc(1_900_000 - streamWindowBytes, "b"));
  expect(await heard.handle.exit).toMatchObject(exited(0));
  expect(heard.stdout).toBe("ready\n1900000\n");
});

test("a host may die again: what was recalled half is there for the next one, whole", async () => {
  await start("print('x' * 500_000); time.sleep(0.5); print('last')");
  await comeBack();
  host.recall(tag, noSink).exit.catch(() => {});
  await comeBack();
  const heard = await recall();
  expect(await heard.handle.exit).toMatchObject(exited(0));
  expect(heard.stdout).toBe(`ready\n${"x".repeat(500_000)}\nlast\n`);
});

test("what its host needs no more frees its memory and keeps its end", async () => {
  const first = await start("print('y' * 1_000_000); sys.exit(9)");
  expect(await first.exit).toMatchObject(exited(9));
  const full = box.residentKiB();
  host.forget(tag);
  await expect.poll(async () => (await keptNow())?.state).toBe("forgotten");
  expect(full - box.residentKiB()).toBeGreaterThan(900);
  expect(await keptNow()).toMatchObject({ end: { exit: exited(9) } });
  await expect(recall()).rejects.toMatchObject({ code: "notFound" });
});

test("of an exec that ends with its host the input ends, and nothing but its end is kept", async () => {
  await start("sys.stdin.read(); print('ended'); sys.exit(5)", { stdin: true, endsWithHost: true });
  await comeBack();
  await waitUntil(async () => (await keptNow())?.state === "forgotten", 5_000);
  expect(await keptNow()).toMatchObject({ end: { exit: exited(5) } });
});

test("an exec without a tag, or one that never began, is nothing to come back to", async () => {
  host.exec({ argv: ["sleep", "0.5"] }, noSink).exit.catch(() => {});
  await expect(host.exec({ argv: ["no-such"], tag, metadata }, noSink).exit).rejects.toMatchObject({
    code: "notFound",
  });
  await comeBack();
  expect(await keptNow()).toBeUndefined();
  await expect(recall()).rejects.toMatchObject({ code: "notFound" });
  const again = host.exec({ argv: ["true"], tag, metadata }, noSink).exit;
  expect(await again).toMatchObject(exited(0));
});

test("a tag is one exec's, and bounded as its notes are", async () => {
  await start("time.sleep(60)");
  const refused = { code: "badRequest" };
  const attempt = (request: Partial<ExecRequest>) => host.exec({ argv: ["true"], ...request }, noSink).exit;
  await expect(attempt({ tag })).rejects.toMatchObject(refused);
  await expect(attempt({ tag: "x".repeat(65) })).rejects.toMatchObject(refused);
  await expect(attempt({ tag: "y", metadata: Buffer.alloc(metadataMaxBytes + 1) })).rejects.toMatchObject(
    refused,
  );
  await expect(recall()).rejects.toMatchObject(refused);
});

test("many that print much share what is kept: four MiB in all, and the newest ends", async () => {
  const last = 210;
  for (let i = 0; i <= last; i++) {
    const bytes = i > last - 10 ? 1_000_000 : 10_000;
    const request = { argv: ["head", "-c", String(bytes), "/dev/zero"], tag: `many_${i}`, metadata };
    await host.exec(request, noSink).exit;
  }
  expect(box.residentKiB()).toBeLessThan(8 * 1024);
  await comeBack();
  const ends = (await host.kept()).filter(({ state }) => state !== "running");
  expect(ends).toHaveLength(64);
  tag = `many_${last}`;
  const heard = await recall();
  await heard.handle.exit;
  expect(heard.stdout).toHaveLength(1_000_000);
  await expect(host.recall("many_0", noSink).exit).rejects.toMatchObject({ code: "notFound" });
  for (const end of ends) host.forget(end.tag);
});
