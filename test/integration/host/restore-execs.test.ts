import { pino } from "pino";
import { expect, test } from "vitest";
import { newExecId } from "#contract/ids";
import { exitReason, fieldTag, frameType, keptState, streamWindowBytes } from "#contract/sandboxd";
import { ExecStreams } from "#host/exec-streams/streams";
import { processesOf, shownProcess } from "#host/processes/table";
import { FieldWriter } from "#host/sandboxd/fields";
import { type ExecNotes, encodeNotes } from "#host/sandboxes/exec-notes";
import type { Live } from "#host/sandboxes/registry";
import { restoreExecs } from "#host/sandboxes/restore-execs";
import { hello, meet, type Peer } from "../../support/sandboxd-peer.ts";

const execId = newExecId();
const notes: ExecNotes = {
  kind: "process",
  command: "some command",
  startedAtMs: 1_000,
  keptMs: 60_000,
  oomKills: 0,
  requestId: "req_1",
};
const nothing = Buffer.alloc(0);
const exited = (fields: FieldWriter) =>
  fields
    .put(fieldTag.exitCode, Buffer.from([7, 0, 0, 0]))
    .putUint(fieldTag.signal, 0, 4)
    .putUint(fieldTag.reason, exitReason.exited, 2)
    .putUint(fieldTag.durationMicros, 2_000_000, 8)
    .finish();

type Kept = { tag?: string; metadata?: Buffer; state?: number; cols?: number };
const keptFields = ({
  tag = execId,
  metadata = encodeNotes(notes),
  state = keptState.running,
  cols = 80,
}: Kept = {}) =>
  new FieldWriter()
    .put(fieldTag.tag, tag)
    .put(fieldTag.metadata, metadata)
    .putUint(fieldTag.pid, 41, 4)
    .putUint(fieldTag.keptState, state, 2)
    .putUint(fieldTag.cols, cols, 2)
    .putUint(fieldTag.rows, 24, 2);
const kept = (each: Kept = {}) => keptFields(each).finish();
const ended = (each: Kept = {}) => exited(keptFields({ state: keptState.ended, ...each }));

type Start = { offset?: number; tail?: Buffer; keptBytes?: number; inputCredit?: number };
function recalled({ offset = 0, tail = nothing, keptBytes = 0, inputCredit }: Start = {}): Buffer {
  const fields = new FieldWriter()
    .putUint(fieldTag.stdoutOffset, offset, 8)
    .putUint(fieldTag.stderrOffset, 0, 8)
    .put(fieldTag.stdoutTail, tail)
    .put(fieldTag.stderrTail, nothing)
    .putUint(fieldTag.keptBytes, keptBytes, 8);
  return (inputCredit === undefined ? fields : fields.putUint(fieldTag.inputCredit, inputCredit, 4)).finish();
}

/** A sandboxd that answers a list with `list`, and a recall with `answer`. */
function answering(peer: Peer, list: Buffer[], answer: [number, Buffer][] = []): void {
  peer.onAsked = ({ type, stream }) => {
    if (type === frameType.keptList) {
      for (const each of list) peer.send(frameType.kept, stream, each);
      peer.send(frameType.listEnd, stream, new FieldWriter().putUint(fieldTag.hasMore, 0, 2).finish());
    }
    if (type === frameType.recall)
      for (const [answerType, payload] of answer) peer.send(answerType, stream, payload);
  };
}

type Setting = { version?: number; streams?: ExecStreams };
async function restarted(
  list: Buffer[],
  answer: [number, Buffer][] = [],
  { version, streams = new ExecStreams() }: Setting = {},
) {
  const { peer, connection } = await meet(() => hello(version));
  answering(peer, list, answer);
  const live = {
    lease: { sandboxId: "s1", tenantId: "t1" },
    member: { connection },
    operations: 0,
    lastActiveAtMs: 0,
  } as unknown as Live;
  const deps = {
    runtime: { oomKills: () => 0 },
    now: () => 5_000,
    onExecEnd: () => undefined,
    onSilent: () => undefined,
    streams,
    log: pino({ level: "silent" }),
  };
  const find = () => streams.find(execId, { sandboxId: "s1", tenantId: "t1" });
  return { peer, connection, live, find, restored: restoreExecs(deps, live) };
}

const hostile: [string, Buffer[], [number, Buffer][]?][] = [
  ["an unknown state", [kept({ state: 3 })]],
  ["a tag that no host has given", [kept({ tag: "../../etc" })]],
  ["a start that no clock has", [kept({ metadata: encodeNotes({ ...notes, startedAtMs: 2 ** 53 - 1 }) })]],
  ["another one's notes", [kept({ metadata: Buffer.from("{}") })]],
  ["notes that are no JSON", [kept({ metadata: Buffer.from([0xff, 0xfe]) })]],
  [
    "notes of a time without end",
    [kept({ metadata: Buffer.from(JSON.stringify({ ...notes, keptMs: 1e12 })) })],
  ],
  ["the same tag twice", [kept(), kept()]],
  ["an end without its code", [kept({ state: keptState.ended })]],
  ["more than a sandboxd keeps", Array.from({ length: 300 }, () => kept({ tag: newExecId() }))],
  [
    "a tail that is longer than what it is of",
    [kept()],
    [[frameType.recalled, recalled({ tail: Buffer.from("ab") })]],
  ],
  [
    "a tail that is no tail",
    [kept()],
    [[frameType.recalled, recalled({ offset: 9, tail: Buffer.alloc(4) })]],
  ],
  ["more output than it can keep", [kept()], [[frameType.recalled, recalled({ keptBytes: 2 ** 21 })]]],
  [
    "credit beyond the window",
    [kept()],
    [[frameType.recalled, recalled({ inputCredit: streamWindowBytes + 1 })]],
  ],
  ["output before the answer", [kept()], [[frameType.stdout, Buffer.from("x")]]],
  ["an end before the answer", [kept()], [[frameType.exit, exited(new FieldWriter())]]],
  [
    "two answers",
    [kept()],
    [
      [frameType.recalled, recalled({ keptBytes: 5 })],
      [frameType.recalled, recalled()],
    ],
  ],
];

test.each(hostile)("a sandboxd that lists or recalls %s is not believed", async (_what, list, answer) => {
  const { restored, connection, live } = await restarted(list, answer);
  await expect(restored).rejects.toMatchObject({ code: expect.stringMatching(/^(protocol|closed)$/) });
  connection.close();
  expect(
    processesOf(live)
      .all()
      .filter(({ end }) => end === undefined),
  ).toEqual([]);
});

test("a sandbox that claims another one's command does not get its stream", async () => {
  const streams = new ExecStreams();
  const owner = { sandboxId: "s2", tenantId: "t2" };
  const theirs = streams.open(owner, execId, { onAbandoned: () => undefined });
  const { restored, peer, live } = await restarted([kept()], [[frameType.recalled, recalled()]], { streams });
  await expect.poll(() => peer.asked.map(({ type }) => type)).toContain(frameType.kill);
  const stream = peer.asked.find(({ type }) => type === frameType.recall)?.stream ?? 0;
  peer.send(frameType.exit, stream, exited(new FieldWriter()));
  await restored;
  expect(streams.find(execId, owner)).toBe(theirs);
  expect(processesOf(live).all()).toEqual([]);
});

test("one whose output does not come keeps nobody from the door for ever: closing it ends the wait", async () => {
  const { restored, connection } = await restarted(
    [kept()],
    [[frameType.recalled, recalled({ keptBytes: 5 })]],
  );
  connection.close();
  await expect(restored).rejects.toMatchObject({ code: "closed" });
});

test("an older sandboxd is asked nothing, and has nothing", async () => {
  const { restored, peer, live } = await restarted([kept()], [], { version: 3 });
  await restored;
  expect(peer.asked).toEqual([]);
  expect(processesOf(live).all()).toEqual([]);
});

test("input that was cut short is not taken for the whole; what stays open for more is left alone", async () => {
  const killed = async (over: Partial<ExecNotes>, inputCredit?: number) => {
    const answer: [number, Buffer][] = [
      [frameType.recalled, recalled(inputCredit === undefined ? {} : { inputCredit })],
    ];
    const list = [kept({ metadata: encodeNotes({ ...notes, ...over }) })];
    const { restored, peer, connection } = await restarted(list, answer);
    await restored;
    await connection.ping(200).catch(() => undefined);
    return peer.asked.some(({ type }) => type === frameType.kill);
  };
  expect(await killed({ hasFixedInput: true }, 1_000)).toBe(true);
  expect(await killed({ hasFixedInput: true })).toBe(false);
  expect(await killed({}, 1_000)).toBe(false);
  expect(await killed({ isTied: true })).toBe(true);
});

test("nobody reads on before all that was printed is here, and a begun character stays whole", async () => {
  const answer: [number, Buffer][] = [
    [frameType.recalled, recalled({ offset: 100, tail: Buffer.from([0x61, 0xc3]), keptBytes: 4 })],
    [frameType.stdout, Buffer.from([0xbc, 0x62])],
  ];
  const { restored, peer, find, live } = await restarted([kept()], answer);
  await expect.poll(() => find()?.ring.heldBytes).toBeGreaterThan(0);
  const isOpen = await Promise.race([
    restored.then(() => true),
    new Promise((resolve) => setTimeout(resolve, 50)),
  ]);
  expect(isOpen).toBeUndefined();
  const stream = peer.asked.find(({ type }) => type === frameType.recall)?.stream ?? 0;
  peer.send(frameType.stderr, stream, Buffer.from("!?"));
  await restored;
  peer.send(frameType.exit, stream, exited(new FieldWriter()));
  await expect.poll(() => find()?.ring.isEnded).toBe(true);
  const ring = find()?.ring;
  const cursor = ring?.attach(90, () => undefined, "");
  const frames = cursor ? String(Buffer.concat(ring?.take(cursor) ?? [])) : "";
  const ids = [...frames.matchAll(/^id: (\d+)\ndata: (.*)$/gm)].map(([, id, data]) => [Number(id), data]);
  // 99 bytes were told before; the hundredth was held back as the first half of this one's first character.
  expect(ids[0]).toEqual([99, '{"fromSeq":91,"toSeq":99}']);
  expect(ids[1]).toEqual([102, '{"seq":102,"data":"üb","encoding":"utf8"}']);
  expect(ids[2]).toEqual([104, '{"seq":104,"data":"!?","encoding":"utf8"}']);
  expect(ids[3]?.[0]).toBe(105);
  expect(processesOf(live).all().map(shownProcess)).toMatchObject([
    {
      id: execId,
      pid: 41,
      state: "ended",
      exitCode: 7,
      startedAt: "1970-01-01T00:00:01.000Z",
      endedAt: "1970-01-01T00:00:03.000Z",
    },
  ]);
});

test("sizes and times that nothing can have are not shown", async () => {
  const shown = async (over: Partial<ExecNotes>, cols: number) => {
    const list = [ended({ state: keptState.forgotten, metadata: encodeNotes({ ...notes, ...over }), cols })];
    const { restored, live } = await restarted(list);
    await restored;
    return processesOf(live).all().map(shownProcess)[0];
  };
  const size = { cols: 100, rows: 30 };
  expect(await shown({ size }, 80)).toMatchObject({ pty: { cols: 80, rows: 24 } });
  expect(await shown({ size }, 65_535)).toMatchObject({ pty: size });
  expect(await shown({}, 80)).not.toHaveProperty("pty");
  expect(await shown({ startedAtMs: 4_999 }, 80)).toMatchObject({ endedAt: "1970-01-01T00:00:05.000Z" });
});

test("what has ended long ago is on the list, in the order in which it was started, and its output is let go", async () => {
  const older = newExecId();
  const list = [
    ended({ state: keptState.forgotten }),
    ended({ state: keptState.forgotten, tag: older, metadata: encodeNotes({ ...notes, startedAtMs: 1 }) }),
  ];
  const { restored, live, find, peer } = await restarted(list);
  await restored;
  expect(
    processesOf(live)
      .all()
      .map(({ id, end }) => [id, end?.exitCode]),
  ).toEqual([
    [execId, 7],
    [older, 7],
  ]);
  expect(find()).toBeUndefined();
  expect(peer.asked.map(({ type }) => type)).toEqual([frameType.keptList]);
});
