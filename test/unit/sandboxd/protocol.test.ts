import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { protocolOldestVersion, protocolSnapshot, protocolVersion } from "#contract/sandboxd";

type Snapshot = Record<string, number | Record<string, number>>;
const snapshotOf = (generation: number): Snapshot =>
  JSON.parse(readFileSync(new URL(`./protocol-v${generation}.json`, import.meta.url), "utf8"));
const header = readFileSync(new URL("../../../agent-host/sandboxd/protocol.h", import.meta.url), "utf8");

/** `{stdinEnd: 19}` as the C header spells it: `FRAME_STDIN_END = 19`. */
function asConstants(prefix: string, table: Record<string, number>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(table).map(([name, value]) => [
      `${prefix}_${name.replace(/[A-Z]/g, "_$&").toUpperCase()}`,
      value,
    ]),
  );
}

test("the newest generation of the wire is frozen: a change needs a new version and a new snapshot", () => {
  expect(protocolSnapshot).toEqual(snapshotOf(protocolSnapshot.protocolVersion));
});

test("what an older generation has means the same in every newer one", () => {
  for (let older = protocolOldestVersion; older < protocolVersion; older++) {
    const { protocolVersion: _, ...kept } = snapshotOf(older);
    expect(snapshotOf(older + 1)).toMatchObject(kept);
  }
});

test("protocol.h holds the numbers of the contract, and no others", () => {
  const inHeader = Object.fromEntries(
    [...header.matchAll(/^\s*(?:#define )?([A-Z][A-Z0-9_]+)(?: = | )(\d+),?$/gm)].map(([, name, value]) => [
      name,
      Number(value),
    ]),
  );
  const snapshot = protocolSnapshot;
  expect(inHeader).toEqual({
    PROTOCOL_VERSION: snapshot.protocolVersion,
    PROTOCOL_OLDEST_VERSION: snapshot.protocolOldestVersion,
    FRAME_HEADER_BYTES: snapshot.frameHeaderBytes,
    FRAME_PAYLOAD_MAX_BYTES: snapshot.framePayloadMaxBytes,
    STREAM_WINDOW_BYTES: snapshot.streamWindowBytes,
    PORT_WINDOW_BYTES: snapshot.portWindowBytes,
    TAG_MAX_BYTES: snapshot.tagMaxBytes,
    METADATA_MAX_BYTES: snapshot.metadataMaxBytes,
    ...asConstants("FRAME", snapshot.frameType),
    ...asConstants("FIELD", snapshot.fieldTag),
    ...asConstants("EXEC_FLAG", snapshot.execFlag),
    ...asConstants("KEPT_STATE", snapshot.keptState),
    SHELL_RECORD_HEADER_BYTES: snapshot.shellRecordHeaderBytes,
    ...asConstants("SHELL_RECORD", snapshot.shellRecord),
    WATCH_RECORD_HEADER_BYTES: snapshot.watchRecordHeaderBytes,
    ...asConstants("WATCH_RECORD", snapshot.watchRecord),
    ...asConstants("WATCH_FLAG", snapshot.watchFlag),
    ...asConstants("ENTRY_TYPE", snapshot.entryType),
    ...asConstants("EXIT_REASON", snapshot.exitReason),
    ...asConstants("ERROR", snapshot.sandboxdError),
  });
});
