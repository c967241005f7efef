import { expect, test } from "vitest";
import { newExecId, newTenantId } from "#contract/ids";
import { collect, eventsOf } from "../../support/events.ts";
import type { Ways } from "./ways.ts";

/** What every provider promises about commands that somebody waits for. */
export function execPromises({ provider, call, withSandbox, codeOf }: Ways): void {
  test("a command's exit code and output come back", async () => {
    await withSandbox(async (place) => {
      const echoed = await provider().exec(place, { command: ["echo", "a  b", "$HOME"] }, call);
      expect(echoed).toMatchObject({
        exitCode: 0,
        stdout: "a  b $HOME\n",
        stderr: "",
        endReason: "exited",
      });
      const failed = await provider().exec(place, { command: ["sh", "-c", "exit 3"] }, call);
      expect(failed).toMatchObject({ exitCode: 3, endReason: "exited" });
    });
  });

  test("the environment of the create reaches commands, and theirs comes first", async () => {
    await withSandbox(async (place) => {
      const command = ["printenv", "GREETING"];
      expect((await provider().exec(place, { command }, call)).stdout).toBe("hello\n");
      const env = { GREETING: "bye" };
      expect((await provider().exec(place, { command, env }, call)).stdout).toBe("bye\n");
    });
  });

  test("stdin reaches the command", async () => {
    await withSandbox(async (place) => {
      const echoed = await provider().exec(place, { command: ["cat"], stdin: "grüße\n" }, call);
      expect(echoed.stdout).toBe("grüße\n");
    });
  });

  test("a command that outlives its timeout says so", async () => {
    await withSandbox(async (place) => {
      const ended = await provider().exec(place, { command: ["sleep", "30"], timeoutMs: 200 }, call);
      expect(ended.endReason).toBe("timeout");
      expect(ended.exitCode).not.toBe(0);
    });
  });

  test("a program that is not there is command_not_found, and 127 from a shell", async () => {
    await withSandbox(async (place) => {
      const missing = provider().exec(place, { command: ["no-such-program"] }, call);
      expect(await codeOf(missing)).toBe("command_not_found");
      const shell = await provider().exec(place, { command: "no-such-program" }, call);
      expect(shell.exitCode).toBe(127);
    });
  });

  test("a streamed command's output and exit are events, and can be read again from any of them", async () => {
    await withSandbox(async (place) => {
      const wish = { cancelOnDisconnect: false };
      const command = ["echo", "grüße\n\nevent: exit\ndata: {}"];
      const { execId, stream } = await provider().streamExec(place, { command }, wish, call);
      const { events, stdout, last } = await collect(eventsOf(stream));
      expect(stdout.toString()).toBe(`${command[1]}\n`);
      expect(Number(events.at(-2)?.id), "events are numbered by the bytes before their end").toBe(
        stdout.length,
      );
      expect(Number(last.id)).toBe(stdout.length + 1);
      expect(last).toMatchObject({ event: "exit", json: { exitCode: 0, endReason: "exited" } });
      for (const after of [stdout.length, stdout.length + 1, 10 ** 6]) {
        const again = await provider().followExec(place, execId, after, call);
        expect(await collect(eventsOf(again.stream))).toMatchObject({ last, stdout: Buffer.alloc(0) });
      }
    });
  });

  test("a stream that cannot start is refused, and one that nobody started is not found", async () => {
    await withSandbox(async (place) => {
      const request = { command: ["no-such-program"] };
      const started = provider().streamExec(place, request, { cancelOnDisconnect: true }, call);
      expect(await codeOf(started)).toBe("command_not_found");
      expect(await codeOf(provider().followExec(place, newExecId(), 0, call))).toBe("exec_not_found");
      const foreign = { ...place, tenantId: newTenantId() };
      expect(await codeOf(provider().followExec(foreign, newExecId(), 0, call))).toBe("sandbox_not_found");
    });
  });
}
