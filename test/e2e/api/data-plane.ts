import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Api } from "../../support/api.ts";
import { boxOf } from "../../support/box.ts";
import { collect } from "../../support/events.ts";
import type { TestStack } from "../../support/stack.ts";

/** Streams and parts of files, which depend on how a runtime passes bytes on. */
export function dataPlaneSuite(stack: () => TestStack, api: () => Api): void {
  const newBox = () => boxOf(api());

  test("a stream's events come one by one, and its command can be followed from another connection", async () => {
    const id = await newBox();
    const command = "echo one; sleep 0.5; echo two; sleep 0.5; echo three";
    const { execId, events, response } = await api().stream(id, { command });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const startedAtMs = performance.now();
    expect((await events.next()).value).toMatchObject({ id: "4", event: "stdout" });
    expect(performance.now() - startedAtMs).toBeLessThan(400);
    const { stdout, last } = await collect((await api().follow(id, execId, 4)).events);
    expect([stdout.toString(), last.event]).toEqual(["two\nthree\n", "exit"]);
  });

  test("leaving a stream reaches its command", async () => {
    const id = await newBox();
    const command = "echo up; sleep 60";
    const { events, disconnect } = await api().stream(id, { command }, "?cancelOnDisconnect=true");
    await events.next();
    disconnect();
    await sleep(1_500);
    expect((await api().exec(id, "pgrep -c sleep; true")).stdout).toBe("0\n");
  });

  test("megabytes pass through a stream as they were printed", async () => {
    const id = await newBox();
    const command = ["python3", "-c", "for i in range(400000): print(i)"];
    const { stdout, last } = await collect((await api().stream(id, { command })).events);
    expect(stdout.toString()).toBe(Array.from({ length: 400_000 }, (_, i) => `${i}\n`).join(""));
    expect(last.event).toBe("exit");
  });

  test.each(["declared", "chunked"])("a %s upload that breaks off leaves no file", async (kind) => {
    const id = await newBox();
    const isDeclared = kind === "declared";
    const head = [
      `PUT /v1/sandboxes/${id}/files?path=half HTTP/1.1`,
      "host: sandgate",
      `authorization: Bearer ${api().key}`,
      isDeclared ? "content-length: 1000000" : "transfer-encoding: chunked",
    ];
    const socket = connect(Number(new URL(stack().url).port), "127.0.0.1");
    socket.write(`${head.join("\r\n")}\r\n\r\n${isDeclared ? "" : "80000\r\n"}`);
    socket.write(Buffer.alloc(300_000));
    // On its way to the host: what is written shows as a file without a name, which counts against the disk.
    const usedKiB = "df --output=used /home/user | tail -n 1";
    await expect.poll(async () => Number((await api().exec(id, usedKiB)).stdout)).toBeGreaterThan(100);
    socket.destroy();
    await expect.poll(async () => Number((await api().exec(id, usedKiB)).stdout)).toBeLessThan(100);
    expect((await api().exec(id, "ls -A")).stdout).toBe("");
  });

  test("a file's parts, facts and sameness are told", async () => {
    const id = await newBox();
    await api().write(id, "f", "0123456789");
    const file = (method: string, headers: Record<string, string> = {}) =>
      fetch(`${stack().url}/v1/sandboxes/${id}/files?path=f`, {
        method,
        headers: { ...headers, authorization: `Bearer ${api().key}` },
      });
    const part = await file("GET", { range: "bytes=-3" });
    expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([
      206,
      "bytes 7-9/10",
      "789",
    ]);
    const head = await file("HEAD");
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "10"]);
    const same = await file("GET", { "if-none-match": head.headers.get("etag") ?? "" });
    expect([same.status, await same.text()]).toEqual([304, ""]);
    expect((await file("GET", { range: "bytes=10-" })).status).toBe(416);
  });
}
