import { afterEach, beforeEach, expect, test } from "vitest";
import { newHostCode, newHostId, newSandboxId } from "#contract/ids";
import { limits } from "#contract/limits";
import { signatureHeader, unsignedPayload } from "#contract/signature";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { heartbeatOf, heartbeatPath, signedHeartbeat } from "#test/support/heartbeats";
import { toHex } from "#worker/crypto";

let h: Harness;
beforeEach(async () => {
  h = await harness();
  h.clock.advance(1);
});
afterEach(() => h.close());

const send = async (init: RequestInit) => h.app.request(heartbeatPath, init);
const signed = (said = heartbeatOf(h.host, h.clock.now()), createdMs = h.clock.now(), as = h.host) =>
  signedHeartbeat(as, said, createdMs);
const codeOf = async (response: Response) => (await problemOf(response)).code;

test("the same heartbeat sent twice is refused the second time, and so is an older one", async () => {
  const older = await signed();
  h.clock.advance(1);
  const init = await signed();
  expect((await send(init)).status).toBe(200);
  expect(await codeOf(await send(init))).toBe("conflict");
  expect(await codeOf(await send(older))).toBe("conflict");
});

test("a signature from outside of the window is refused", async () => {
  for (const offsetMs of [-limits.signatureWindowMs - 1, limits.signatureWindowMs + 1]) {
    const response = await send(await signed(undefined, h.clock.now() + offsetMs));
    expect(await codeOf(response)).toBe("unauthenticated");
  }
});

test("a body, a header or a path that was changed is refused", async () => {
  const init = await signed();
  const headers = { ...(init.headers as Record<string, string>) };
  const changed: RequestInit[] = [
    { ...init, body: String(init.body).replace('"cores":4', '"cores":9') },
    { ...init, headers: { ...headers, [signatureHeader.nonce]: "another-nonce" } },
    { ...init, headers: { ...headers, [signatureHeader.tenant]: "ten_00000000000000000000" } },
    { ...init, headers: { ...headers, [signatureHeader.created]: String(h.clock.now() + 1) } },
    {
      ...init,
      headers: { ...headers, [signatureHeader.bodySha256]: unsignedPayload, "x-more": "1" },
      body: "{}",
    },
    { ...init, headers: { ...headers, [signatureHeader.signature]: "0".repeat(64) } },
    { ...init, headers: { ...headers, [signatureHeader.signature]: "" } },
    { method: "POST", body: String(init.body) },
    { ...init, headers: { authorization: `Bearer ${h.key}` } },
  ];
  for (const request of changed) expect(await codeOf(await send(request))).toBe("unauthenticated");
  const elsewhere = await h.app.request(`${heartbeatPath}?x=1`, init);
  expect(await codeOf(elsewhere)).toBe("unauthenticated");
});

test("a host that is not registered, or was removed, is told so", async () => {
  const hostId = newHostId();
  const key = toHex(await h.deps.hostKeys.rawKeyOf(hostId));
  const stranger = { ...h.host, hostId, key, code: newHostCode() };
  const said = heartbeatOf(stranger, h.clock.now());
  expect(await codeOf(await send(await signed(said, h.clock.now(), stranger)))).toBe("forbidden");
  await h.database.client.execute("UPDATE hosts SET removed_at_ms = 1");
  expect(await codeOf(await send(await signed()))).toBe("forbidden");
});

test("a host speaks for itself only", async () => {
  const other = await harness({ hosts: 2 });
  const [first, second] = other.hosts;
  if (!first || !second) throw new Error("two hosts");
  const said = heartbeatOf(second, other.clock.now());
  const init = await signedHeartbeat(first, said, other.clock.now());
  expect(await codeOf(await other.app.request(heartbeatPath, init))).toBe("forbidden");

  const sandbox = await other.create();
  const foreign = other.hosts.find((host) => !sandbox.id.startsWith(host.code));
  const report = {
    sandboxId: sandbox.id,
    generation: 1,
    endReason: "oom" as const,
    endedAtMs: other.clock.now(),
  };
  await other.heartbeat({ ended: [report] }, foreign);
  expect((await other.read(sandbox.id)).state).toBe("running");
  await other.close();
});

test("an end is recorded with its reason, its slot is free, and repeating the report is harmless", async () => {
  const { id } = await h.create();
  h.provider.held.clear();
  const report = { sandboxId: id, generation: 1, endReason: "oom" as const, endedAtMs: h.clock.now() };
  const first = await h.heartbeat({ ended: [report] });
  const second = await h.heartbeat({ ended: [{ ...report, endReason: "idle" }] });
  expect(first.acknowledged).toEqual([{ sandboxId: id, generation: 1 }]);
  expect(second.acknowledged).toEqual(first.acknowledged);
  expect(await h.read(id)).toMatchObject({ state: "ended", endReason: "oom" });
  expect(await h.slotsUsed()).toBe(0);
});

test("a report of another generation changes nothing", async () => {
  const { id } = await h.create();
  const report = { sandboxId: id, generation: 2, endReason: "oom" as const, endedAtMs: h.clock.now() };
  await h.heartbeat({ ended: [report] });
  expect((await h.read(id)).state).toBe("running");
});

test("what runs without a row, or after its row has ended, is killed", async () => {
  const stray = { sandboxId: newSandboxId(h.host.code), generation: 1, expiresAtMs: h.clock.now() + 60_000 };
  expect((await h.heartbeat({ live: [stray] })).kill).toEqual([
    { sandboxId: stray.sandboxId, generation: 1, reason: "killed" },
  ]);
});

test("a running sandbox that its host no longer has is crashed, but not by an older snapshot", async () => {
  const { id } = await h.create();
  await h.heartbeat({ live: [] });
  expect((await h.read(id)).state).toBe("running");
  h.clock.advance(limits.snapshotGraceMs);
  await h.heartbeat({ live: [], takenAtMs: h.clock.now() - limits.snapshotGraceMs });
  expect((await h.read(id)).state).toBe("running");
  await h.heartbeat({ live: [] });
  expect(await h.read(id)).toMatchObject({ state: "ended", endReason: "crashed" });
});

test("a heartbeat that was long on its way through us does not end what began meanwhile", async () => {
  const init = await signed();
  const started: string[] = [];
  const slow = new ReadableStream<Uint8Array>({
    async pull(controller) {
      started.push((await h.create()).id);
      h.clock.advance(limits.snapshotGraceMs + 1);
      controller.enqueue(new TextEncoder().encode(String(init.body)));
      controller.close();
    },
  });
  const response = await send({ ...init, body: slow, duplex: "half" } as RequestInit);
  expect(response.status).toBe(200);
  expect((await h.read(started[0] ?? "")).state).toBe("running");
});

test("nobody's body is read before a host's signature", async () => {
  const init = await signed();
  const headers = {
    ...(init.headers as Record<string, string>),
    [signatureHeader.signature]: "0".repeat(64),
  };
  let pulls = 0;
  // Without a queue of its own, a stream is pulled only when somebody reads it.
  const body = new ReadableStream<Uint8Array>({ pull: () => void pulls++ }, { highWaterMark: 0 });
  const response = await send({ ...init, headers, body, duplex: "half" } as RequestInit);
  expect(await codeOf(response)).toBe("unauthenticated");
  expect(pulls).toBe(0);
});

test("a silent host gets no new work, nor does a draining one", async () => {
  const create = () => h.send("POST", "/v1/sandboxes", { key: h.key, json: {} });
  h.clock.advance(limits.hostSilentMs + 1);
  expect(await codeOf(await create())).toBe("no_capacity");
  await h.heartbeat({ isDraining: true });
  expect(await codeOf(await create())).toBe("no_capacity");
  await h.heartbeat();
  expect((await create()).status).toBe(201);
});
