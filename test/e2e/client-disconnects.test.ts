import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { boxOf } from "../support/box.ts";
import { collect } from "../support/events.ts";
import { type TestStack, testStack } from "../support/stack.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack();
});
afterAll(() => stack?.dispose());

/** Asks for a stream over a connection whose end is the test's to choose, and waits for the first event. */
async function streaming(box: string, command: string, query: string) {
  const { hostname, port } = new URL(stack.url);
  const socket = connect(Number(port), hostname);
  const body = JSON.stringify({ command });
  socket.on("error", () => undefined);
  socket.write(
    [
      `POST /v1/sandboxes/${box}/exec${query} HTTP/1.1`,
      `host: ${hostname}`,
      `authorization: Bearer ${stack.api.key}`,
      "accept: text/event-stream",
      "content-type: application/json",
      `content-length: ${Buffer.byteLength(body)}`,
      "",
      body,
    ].join("\r\n"),
  );
  let seen = "";
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    seen += chunk;
    if (seen.includes("event: stdout")) break;
  }
  const execId = /x-sandgate-exec-id: (\S+)/i.exec(seen)?.[1] ?? "";
  expect(execId).not.toBe("");
  return { socket, execId };
}

const ways: Record<string, (socket: Socket) => void> = {
  "a reset": (socket) => socket.resetAndDestroy(),
  "a closed connection": (socket) => socket.destroy(),
  "a half-closed connection": (socket) => socket.end(),
};

test.each(Object.entries(ways))(
  "F20: %s ends a command that was tied to its reader, all of it, and no other",
  async (_how, leave) => {
    const box = await boxOf(stack.api);
    const tied = await streaming(box, "echo up; setsid sleep 401 & sleep 402", "?cancelOnDisconnect=true");
    const free = await streaming(box, "echo up; sleep 2; echo on", "");
    leave(tied.socket);
    leave(free.socket);
    const left = async () => (await stack.api.exec(box, "pgrep -c -f 'sleep 40[12]' || true")).stdout;
    await expect.poll(left, { timeout: 5_000 }).toBe("0\n");
    const ended = await collect((await stack.api.follow(box, tied.execId)).events);
    expect(ended.last).toMatchObject({ event: "exit", json: { endReason: "killed" } });
    const whole = await collect((await stack.api.follow(box, free.execId)).events);
    expect([whole.stdout.toString(), whole.last.json.exitCode]).toEqual(["up\non\n", 0]);
    tied.socket.destroy();
    free.socket.destroy();
  },
);

test("F20: readers who vanish by the hundred leave no connections behind that pile up, in any program", async () => {
  const box = await boxOf(stack.api);
  const { execId, socket } = await streaming(box, "echo up; sleep 60", "");
  const open = ({ pid }: { pid: number }) => readdirSync(`/proc/${pid}/fd`).length;
  const comeAndGo = async () => {
    const readers = await Promise.all(Array.from({ length: 100 }, () => stack.api.follow(box, execId)));
    for (const { disconnect } of readers) disconnect();
    await sleep(1_000);
    return [open(stack.controlPlane), open(stack.agentHost)];
  };
  // The first may leave what is kept alive for the next; nobody after them leaves any more.
  const first = await comeAndGo();
  for (let i = 0; i < 3; i++) await comeAndGo();
  const last = await comeAndGo();
  for (const [i, files] of last.entries()) expect(files - (first[i] ?? 0)).toBeLessThan(60);
  socket.destroy();
});
