import { expect, test } from "vitest";
import { newExecId, newKeyId, newTenantId } from "#contract/ids";
import type { ProcessRequest } from "#contract/process";
import { toBytes } from "#worker/bytes";
import { webSocketOf } from "#worker/node-fetch";
import { nodePassage } from "#worker/node-passage";
import type { Place, SandboxProvider } from "#worker/providers/provider";
import { collect, eventsOf } from "../../support/events.ts";

const handshake = nodePassage.handshake(
  new Headers({ "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version": "13" }),
);
const call = { requestId: "req_conformance00000000", deadlineMs: 20_000 };

/** What every provider promises about processes that nobody waits for. */
export function processPromises(
  provider: () => SandboxProvider,
  withSandbox: (work: (place: Place) => Promise<void>) => Promise<void>,
  codeOf: (work: Promise<unknown>) => Promise<string>,
): void {
  const start = (place: Place, request: ProcessRequest) => provider().startProcess(place, request, call);
  const follow = async (place: Place, id: string, after = 0) => {
    const name = (await provider().getProcess(place, id as never, call)).id;
    return collect(eventsOf((await provider().followProcess(place, name, after, call)).stream));
  };

  test("a process runs on by itself, is listed, and is gone once it was killed", () =>
    withSandbox(async (place) => {
      const started = await start(place, { command: "sleep 300", tag: "nap" });
      expect(started).toMatchObject({ kind: "process", command: "sleep 300", tag: "nap", state: "running" });
      expect(started.pid).toBeGreaterThan(1);
      expect((await provider().listProcesses(place, call)).items).toEqual([started]);
      await provider().killProcess(place, started.id, call);
      const ended = await provider().getProcess(place, started.id, call);
      expect(ended).toMatchObject({ state: "ended", exitCode: 137, signal: 9, endReason: "killed" });
      // Killing what has ended changes nothing.
      await provider().killProcess(place, started.id, call);
      expect(await provider().getProcess(place, started.id, call)).toEqual(ended);
      expect((await follow(place, started.id)).last).toMatchObject({ event: "exit" });
    }));

  test("what a process printed can be read after its end, from any event on", () =>
    withSandbox(async (place) => {
      const { id, pid } = await start(place, { command: ["echo", "hello"] });
      const { stdout, last } = await follow(place, id);
      expect([stdout.toString(), last.json.exitCode]).toEqual(["hello\n", 0]);
      const rest = await follow(place, String(pid), stdout.length);
      expect(rest.events.map(({ event }) => event)).toEqual(["exit"]);
    }));

  test("a process reads what it is sent, and ends when its input does", () =>
    withSandbox(async (place) => {
      const { id } = await start(place, { command: ["cat"], stdin: true });
      const send = (text: string, isLast: boolean) =>
        provider().writeInput(place, id, { bytes: toBytes(text), isLast }, call);
      await send("one\n", false);
      await send("two\n", true);
      const { stdout, last } = await follow(place, id);
      expect([stdout.toString(), last.json.exitCode]).toEqual(["one\ntwo\n", 0]);
      await expect.poll(() => codeOf(send("three\n", false))).toBe("process_ended");
      const deaf = await start(place, { command: "sleep 300" });
      const input = { bytes: toBytes("x"), isLast: false };
      expect(await codeOf(provider().writeInput(place, deaf.id, input, call))).toBe("input_closed");
    }));

  test("a signal reaches a process, alone or with all that it has started", () =>
    withSandbox(async (place) => {
      for (const tree of [false, true]) {
        const { id } = await start(place, { command: ["sleep", "300"] });
        await provider().signalProcess(place, id, { signal: "SIGTERM", tree }, call);
        expect((await follow(place, id)).last.json).toMatchObject({ signal: 15, exitCode: 143 });
        const again = provider().signalProcess(place, id, { signal: "SIGTERM" }, call);
        expect(await codeOf(again)).toBe("process_ended");
      }
    }));

  test("a terminal is as large as it was made, or was told since; what has none is not told", () =>
    withSandbox(async (place) => {
      const { id, pty } = await start(place, { command: "sleep 300", pty: { cols: 80, rows: 24 } });
      expect(pty).toEqual({ cols: 80, rows: 24 });
      await provider().resizeProcess(place, id, { cols: 132, rows: 50 }, call);
      expect(await provider().getProcess(place, id, call)).toMatchObject({ pty: { cols: 132, rows: 50 } });
      const plain = await start(place, { command: "sleep 300" });
      const refused = provider().resizeProcess(place, plain.id, { cols: 1, rows: 1 }, call);
      expect(await codeOf(refused)).toBe("not_a_terminal");
    }));

  test("a WebSocket is opened to what has output, and to nothing else", () =>
    withSandbox(async (place) => {
      const { id } = await start(place, { command: "sleep 300" });
      const wish = { after: 0, handshake, keyId: newKeyId(), untilMs: null };
      const attach = (where: Place, name: string) =>
        provider().attachProcess(where, name as never, wish, call);
      const opened = await attach(place, id);
      expect(opened.status).toBe(101);
      webSocketOf(opened)?.socket.destroy();
      const session = await provider().createSession(place, {}, call);
      for (const name of [newExecId(), "1", session.id])
        expect(await codeOf(attach(place, name))).toBe("process_not_found");
      expect(await codeOf(attach({ ...place, tenantId: newTenantId() }, id))).toBe("sandbox_not_found");
    }));

  test("a session runs one command after the other, until one of them ends it", () =>
    withSandbox(async (place) => {
      const { id, kind } = await provider().createSession(place, { tag: "shell" }, call);
      expect(kind).toBe("session");
      const exec = (command: string) => provider().execInSession(place, id, { command }, call);
      const first = await exec("echo one");
      expect(first).toMatchObject({ exitCode: 0, stdout: "one\n", stderr: "", sessionState: "running" });
      expect(await exec("exit 3")).toMatchObject({ exitCode: 3, sessionState: "ended" });
      expect(await codeOf(exec("echo two"))).toBe("process_ended");
      expect(await provider().getProcess(place, id, call)).toMatchObject({ state: "ended", exitCode: 3 });
      const plain = await start(place, { command: "sleep 300" });
      const refused = provider().execInSession(place, plain.id, { command: "echo" }, call);
      expect(await codeOf(refused)).toBe("process_not_found");
    }));

  test("a process that cannot be started is refused, and is on no list", () =>
    withSandbox(async (place) => {
      expect(await codeOf(start(place, { command: ["/no/such/program"] }))).toBe("command_not_found");
      expect((await provider().listProcesses(place, call)).items).toEqual([]);
    }));

  test("another tenant finds no process, and an id of nobody is process_not_found", () =>
    withSandbox(async (place) => {
      const { id } = await start(place, { command: "sleep 300" });
      const foreign = { ...place, tenantId: newTenantId() };
      const refused = [
        start(foreign, { command: "echo" }),
        provider().listProcesses(foreign, call),
        provider().getProcess(foreign, id, call),
        provider().killProcess(foreign, id, call),
        provider().followProcess(foreign, id, 0, call),
        provider().writeInput(foreign, id, { bytes: toBytes("x"), isLast: true }, call),
        provider().createSession(foreign, {}, call),
        provider().execInSession(foreign, id, { command: "echo" }, call),
        provider().resizeProcess(foreign, id, { cols: 1, rows: 1 }, call),
        provider().signalProcess(foreign, id, { signal: "SIGTERM" }, call),
      ];
      // All at once: each of them has to be waited for before it can fail.
      expect(new Set(await Promise.all(refused.map(codeOf)))).toEqual(new Set(["sandbox_not_found"]));
      for (const name of [newExecId(), "1", "4194304"])
        expect(await codeOf(provider().killProcess(place, name, call))).toBe("process_not_found");
      expect(await provider().getProcess(place, id, call)).toMatchObject({ state: "running" });
    }));
}
