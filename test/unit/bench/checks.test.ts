import { expect, test } from "vitest";
import { OutputFrames } from "#test/bench/baselines/docker";
import { lacks } from "#test/bench/cases/density";
import { Cleanups } from "#test/bench/cleanups";
import { expectTrue, uidOf } from "#test/bench/load/checks";
import { EventSplitter, parseEvent } from "#test/bench/load/events";

test("a sandbox counts as new only with the right token, no marker of another and a uid that is not root", () => {
  expect(uidOf("abc 20004 0\n", "abc")).toBe(20_004);
  expect(() => uidOf("abd 20004 0\n", "abc")).toThrow("another one's output");
  expect(() => uidOf("abc 20004 1\n", "abc")).toThrow("was used before");
  expect(() => uidOf("abc 0 0\n", "abc")).toThrow("uid 0");
  expect(() => uidOf("abc\n", "abc")).toThrow();
});

test("a command that failed or printed something is no success of `true`", () => {
  const answer = (result: object) => Buffer.from(JSON.stringify({ stdout: "", stderr: "", ...result }));
  expect(() => expectTrue(answer({ exitCode: 0 }))).not.toThrow();
  expect(() => expectTrue(answer({ exitCode: 1 }))).toThrow("ended with 1");
  expect(() => expectTrue(answer({ exitCode: 0, stderr: "x" }))).toThrow("printed");
});

test("what is begun is undone once, the newest first, whoever fails or asks twice", async () => {
  const undone: string[] = [];
  const cleanups = new Cleanups();
  cleanups.add(async () => void undone.push("docker"));
  const inner = cleanups.inside();
  inner.add(async () => void undone.push("stack"));
  inner.add(async () => void undone.push("box"));
  inner.add(() => Promise.reject(new Error("the box would not go")));
  const failed = expect(inner.run()).rejects.toThrow("the box would not go");
  await Promise.all([failed, expect(cleanups.close()).rejects.toThrow("the box would not go")]);
  expect(undone).toEqual(["box", "stack", "docker"]);
  expect(() => inner.add(async () => undefined)).toThrow("Nothing is begun any more.");
});

test("hundreds are not begun where memory, disk or the overcommit has no room for them, and the reason is said", () => {
  const roomy = {
    count: 400,
    more: 200,
    perSandboxMiB: 6,
    availableMiB: 20_000,
    totalMiB: 24_000,
    diskMiB: 9_000,
  };
  expect(lacks(roomy)).toBeUndefined();
  expect(lacks({ ...roomy, availableMiB: 3_000 })).toContain("200 more may take 3248 MiB");
  expect(lacks({ ...roomy, totalMiB: 6_000 })).toContain("more than 16 times");
  expect(lacks({ ...roomy, diskMiB: 6_000 })).toContain("64 times the free disk");
});

test("events come out whole however the stream is cut", () => {
  const text =
    'event: stdout\nid: 1\ndata: {"seq":1,"data":"a\\nb"}\n\n: comment\n\nevent: exit\ndata: {}\n\n';
  for (let size = 1; size <= text.length; size++) {
    const events: string[] = [];
    const splitter = new EventSplitter((event) => events.push(event));
    for (let at = 0; at < text.length; at += size) splitter.push(text.slice(at, at + size));
    expect(events.map(parseEvent)).toEqual([
      { name: "stdout", data: '{"seq":1,"data":"a\\nb"}' },
      undefined,
      { name: "exit", data: "{}" },
    ]);
  }
});

test("the engine's frames are taken off a command's output however they are cut", () => {
  const frame = (text: string) =>
    Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, text.length]), Buffer.from(text)]);
  const bytes = Buffer.concat([frame("abc"), frame("defgh")]);
  for (let size = 1; size <= bytes.length; size++) {
    let seen = "";
    const frames = new OutputFrames((part) => {
      seen += part.toString();
    });
    for (let at = 0; at < bytes.length; at += size) frames.push(bytes.subarray(at, at + size));
    expect(seen).toBe("abcdefgh");
  }
});
