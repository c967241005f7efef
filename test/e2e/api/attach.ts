import { createHash, randomBytes } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import type { ProcessRequest } from "#contract/process";
import type { Api } from "../../support/api.ts";
import { attach } from "../../support/attach.ts";
import { boxOf } from "../../support/box.ts";

const pty = { cols: 80, rows: 24 };

/** WebSockets to processes, through everything that is between them and a client in this runtime. */
export function attachSuite(api: () => Api): void {
  async function started(request: ProcessRequest) {
    const box = await boxOf(api());
    const { id } = await api().start(box, request);
    return { box, id };
  }

  test("a terminal over a WebSocket: typing, echo, a new size, Ctrl-C, and the exit with its code", async () => {
    const { box, id } = await started({ command: ["bash", "--norc", "--noprofile"], pty });
    const terminal = await attach(api(), box, id);
    onTestFinished(() => terminal.socket.terminate());
    expect(terminal.socket.protocol).toBe("sandgate.v1");
    expect(await terminal.told("attached")).toMatchObject({ id, after: 0, pty });
    await terminal.see(/\$ $/);
    terminal.type("echo size $(stty size)\n");
    await terminal.see(/size 24 80\r\n/);
    terminal.command({ type: "resize", cols: 132, rows: 50 });
    await expect.poll(async () => (await api().process(box, id)).pty).toEqual({ cols: 132, rows: 50 });
    terminal.type("sleep 300\n");
    await terminal.see(/sleep 300\r\n/);
    terminal.type("\u0003");
    await terminal.see(/\^C/);
    terminal.type("echo size $(stty size); exit 7\n");
    await terminal.see(/size 50 132\r\n/);
    expect(await terminal.told("exit")).toMatchObject({ exitCode: 7, endReason: "exited" });
    expect(await terminal.closed).toEqual({ code: 1000, reason: "exited" });
  });

  test("bytes of any kind go in and come out as they were, megabytes of them, without a terminal", async () => {
    const { box, id } = await started({ command: ["sh", "-c", "cat; echo done >&2"], stdin: true });
    const both = await attach(api(), box, id);
    const sent = randomBytes(6_000_000);
    for (let at = 0; at < sent.length; at += 100_000) both.type(sent.subarray(at, at + 100_000));
    both.command({ type: "eof" });
    expect(await both.told("exit")).toMatchObject({ exitCode: 0 });
    const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    expect([digest(both.output), both.stderr.toString()]).toEqual([digest(sent), "done\n"]);
  });

  test("who comes back reads on after the event that they had last", async () => {
    const { box, id } = await started({ command: "for i in $(seq 1 30); do echo $i; sleep 0.05; done" });
    const first = await attach(api(), box, id);
    await first.see(/\b5\n/);
    first.socket.terminate();
    await first.closed;
    const second = await attach(api(), box, id, { after: first.seq });
    const exit = await second.told("exit");
    const lines = (first.output.toString() + second.output.toString()).trim().split("\n").map(Number);
    expect(lines).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(exit.seq).toBe(second.seq + 1);
  });

  test("where a client is stays right where it is not told all that was printed, or not as it was", async () => {
    const command = "printf '\\377\\376ab'; sleep 0.3; printf xyz >&2; sleep 0.3; printf cdefgh >&2";
    const { box, id } = await started({ command, outputEncoding: "utf8", maxOutputBytes: 4 });
    const client = await attach(api(), box, id);
    const exit = await client.told("exit");
    expect([client.output.toString(), client.stderr.toString()]).toEqual(["\ufffd\ufffdab", "xyzc"]);
    const again = await attach(api(), box, id, { after: exit.seq - 1 });
    expect((await again.told("attached")).after).toBe(exit.seq - 1);
    expect(await again.told("exit")).toEqual(exit);
    expect(client.texts.find(({ type }) => type === "at")).toEqual({ type: "at", seq: 4 });
  });

  test("a key comes as a subprotocol or a header, one and valid, and what is refused says why", async () => {
    const { box, id } = await started({ command: "sleep 300" });
    const { key } = api();
    const refused = (protocols: string[], headers = {}) =>
      attach(api(), box, id, { protocols, headers }).then(
        () => "opened",
        (cause: Error) => cause.message,
      );
    const authorization = `Bearer ${key}`;
    expect(await refused([], { authorization })).toBe("opened");
    expect(await refused(["sandgate.v1"])).toBe("401 unauthenticated");
    expect(await refused(["sandgate.v1", `key.${key}`, `key.${key}x`])).toBe("401 unauthenticated");
    expect(await refused(["sandgate.v1", "key.e2b_0000"], { authorization })).toBe("401 unauthenticated");
    expect(await refused([`key.${key}`])).toBe("400 invalid_request");
    expect(await refused(["other", `key.${key}`])).toBe("400 invalid_request");
    const gone = attach(api(), box, "exe_00000000000000000000");
    await expect(gone).rejects.toThrow("404 process_not_found");
    await expect(attach(api(), "h00000000000000000000000", id)).rejects.toThrow("404 sandbox_not_found");
  });
}
