import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { limits } from "#contract/limits";
import { Peer } from "#host/attachments/peer";

const server = createServer();
const sockets = new WebSocketServer({ server });
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => void server.close());

/** Both ends of one connection, on which our end asks every so often. */
async function joined(everyMs = 100) {
  const accepted = new Promise<WebSocket>((resolve) => sockets.once("connection", resolve));
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const ours = await accepted;
  if (client.readyState !== WebSocket.OPEN) await new Promise((resolve) => client.once("open", resolve));
  const peer = new Peer(ours, "req_test");
  let alive = 0;
  peer.watch(everyMs, () => alive++);
  return { client, ours, peer, alive: () => alive };
}

test("a client that answers stays, however silent it is", async () => {
  const { client, ours, alive } = await joined();
  await sleep(600);
  expect([ours.readyState, alive() > 2]).toEqual([WebSocket.OPEN, true]);
  client.terminate();
});

test("a client that reads nothing any more is cut by the second time it is asked", async () => {
  const { client, ours } = await joined();
  const closed = new Promise((resolve) => ours.once("close", resolve));
  client.pause();
  await closed;
  expect(ours.readyState).toBe(WebSocket.CLOSED);
  client.terminate();
});

test("a client that we hold up is not taken for dead, and is heard again", async () => {
  const { client, ours, peer } = await joined();
  const release = peer.hold();
  await sleep(500);
  expect(ours.readyState).toBe(WebSocket.OPEN);
  release();
  release();
  const heard = new Promise((resolve) => ours.once("message", resolve));
  client.send("hello");
  await heard;
  client.terminate();
});

test("a client that is cut and says no farewell is gone two seconds later", async () => {
  const { client, ours, peer } = await joined(60_000);
  const closed = new Promise((resolve) => ours.once("close", resolve));
  client.pause();
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    peer.cut("keyRefused");
    vi.advanceTimersByTime(limits.attachCutMs - 1);
    expect(ours.readyState).toBe(WebSocket.CLOSING);
    vi.advanceTimersByTime(1);
    await closed;
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
    client.terminate();
  }
});

test("a client that is cut hears why, and nothing is left to wait for", async () => {
  const { client, ours, peer } = await joined(60_000);
  const closed = new Promise((resolve) => ours.once("close", resolve));
  const heard = new Promise((resolve) => client.once("close", (code) => resolve(code)));
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    peer.cut("keyRefused");
    expect(await heard).toBe(4401);
    await closed;
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
