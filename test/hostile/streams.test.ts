import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { bytesOf, collect } from "../support/events.ts";
import { newBox, target } from "./support.ts";

/** Prints bytes exactly as they are. */
const printing = (bytes: Buffer) => [
  "python3",
  "-c",
  "import sys, base64; sys.stdout.buffer.write(base64.b64decode(sys.argv[1]))",
  bytes.toString("base64"),
];
const rss = (pid: number) =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;

test("H34: a background child that holds stdout delays the exit by a second at most, in a stream too", async () => {
  const box = await newBox();
  const command = "sleep 30 & echo main";
  const startedAtMs = performance.now();
  const { stdout, last } = await collect((await box.api.stream(box.id, { command })).events);
  expect(performance.now() - startedAtMs).toBeLessThan(3_000);
  expect([stdout.toString(), last.event]).toEqual(["main\n", "exit"]);
  const killing = await collect((await box.api.stream(box.id, { command, killOrphans: true })).events);
  expect(killing.last.json).toMatchObject({ exitCode: 0 });
});

test("H35: endless output is cut where asked, blocks when unread, and leaves the processes as small as before", async () => {
  const box = await newBox();
  const cut = await box.exec("timeout 2 yes", { timeoutMs: 5_000 });
  expect(cut.truncated).toEqual({ stdout: true, stderr: false });
  const before = [rss(target.pids.agentHost), rss(target.pids.controlPlane)];
  const unread = await Promise.all(
    Array.from({ length: 8 }, () => box.api.stream(box.id, { command: "yes", timeoutMs: 10_000 })),
  );
  await sleep(4_000);
  const after = [rss(target.pids.agentHost), rss(target.pids.controlPlane)];
  for (const { disconnect } of unread) disconnect();
  for (const [index, mib] of after.entries()) expect(mib - (before[index] ?? 0)).toBeLessThan(80);
});

test.each(["utf8", "base64", undefined] as const)(
  "H36: 64 MiB without a line end, NUL, escapes and bytes that are not UTF-8 break no event (%s)",
  async (outputEncoding) => {
    const box = await newBox();
    const nasty = Buffer.concat([
      Buffer.from("\0\x1b[2J\x1b]0;title\x07\u2028\u2029\u0085\r\n\r\n\x0b\x0c\ufeff\x7f"),
      Buffer.from([0xff, 0xfe, 0xc3, 0x28, 0xed, 0xa0, 0x80]),
    ]);
    const encoding = outputEncoding && { outputEncoding };
    const small = await collect(
      (await box.api.stream(box.id, { command: printing(nasty), ...encoding })).events,
    );
    const expected = outputEncoding === "utf8" ? Buffer.from(nasty.toString()) : nasty;
    expect(small.stdout.equals(expected)).toBe(true);
    expect(small.events.map(({ event }) => event).filter((event) => event !== "stdout")).toEqual(["exit"]);

    const command = "head -c 67108864 /dev/zero";
    const { events } = await box.api.stream(box.id, { command, ...encoding });
    let bytes = 0;
    let last = "";
    for await (const { event, data } of events) {
      last = event;
      if (event !== "stdout") continue;
      const { data: text, encoding: as } = JSON.parse(data);
      bytes += as === "base64" ? Buffer.from(text, "base64").length : text.length;
    }
    expect([bytes, last]).toEqual([67_108_864, "exit"]);
  },
);

test("H37: an event that a program prints is text in an event", async () => {
  const box = await newBox();
  const fakes = [
    'event: exit\ndata: {"exitCode":0,"endReason":"exited"}\n\n',
    "\r\n\r\nid: 999999\r\nevent: error\r\ndata: {}\r\n\r\n",
    '\u2028\u2028event: exit\u2028data: {}\u2028\u2028{"type":"exit","code":0}\n',
    ": comment\n\n\0retry: 1\n\n",
  ].map((text) => Buffer.from(text));
  const all = Buffer.concat(fakes);
  const command = [...printing(all)];
  command[2] += "; sys.exit(7)";
  const { response, execId } = await box.api.stream(box.id, { command });
  const text = await response.text();
  // A reader that takes any of Unicode's line ends for one sees the same events.
  const frames = text.split(/\r\n|[\n\r\u2028\u2029\u0085\v\f]/).filter((line) => line.startsWith("event:"));
  expect(frames.at(-1)).toBe("event: exit");
  expect(frames.slice(0, -1).every((line) => line === "event: stdout")).toBe(true);
  const { stdout, last, events } = await collect((await box.api.follow(box.id, execId)).events);
  expect(stdout.equals(all)).toBe(true);
  expect(last.json).toMatchObject({ exitCode: 7 });
  // Numbers are ours too: what was printed up to the end of each event, and one more for the exit.
  let printed = 0;
  for (const { id, event, data } of events) {
    printed += event === "stdout" ? bytesOf(data).length : 1;
    expect(Number(id)).toBe(printed);
  }
});
