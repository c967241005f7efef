import { randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fieldTag, frameHeaderBytes, frameType, protocolVersion } from "#contract/sandboxd";
import { Fields, FieldWriter } from "#host/sandboxd/fields";
import { encodeFrame } from "#host/sandboxd/frames";
import { type Box, env, generation, noSink, run, sandboxId, shell, startBox, waitUntil } from "./harness.ts";

let box: Box;
beforeAll(async () => {
  box = await startBox({ isConfigured: false });
});
afterAll(() => box?.remove());

test("idle, the daemon holds less than a megabyte", () => {
  expect(box.residentKiB()).toBeLessThan(1024);
});

test("before its configuration a sandbox reads nothing, and runs what its host asks for as the tenant", async () => {
  expect(box.connection.hello).toEqual({ memberId: box.memberId, version: protocolVersion });
  const { stdout } = await run(box.connection, ["/bin/sh", "-c", "id -u; grep CapEff /proc/self/status"]);
  expect(stdout).toMatch(/^[1-9]\d{4}\nCapEff:\s+0{16}\n$/);
  await expect(box.connection.readFile({ path: "/etc/passwd" })).rejects.toMatchObject({
    code: "notConfigured",
  });
});

test("a malformed configuration changes nothing", async () => {
  const bad = { sandboxId: "no/slash", generation, key: box.key, env };
  await expect(box.connection.configure(bad)).rejects.toMatchObject({ code: "badRequest" });
  await expect(box.connection.readFile({ path: "/etc/passwd" })).rejects.toMatchObject({
    code: "notConfigured",
  });
});

test("a configuration is accepted once, and a second one changes nothing", async () => {
  await box.connection.configure({ sandboxId, generation, key: box.key, env });
  const other = { sandboxId: "other", generation: 9, key: randomBytes(32), env: { FROM_CONFIGURE: "no" } };
  await expect(box.connection.configure(other)).rejects.toMatchObject({ code: "alreadyConfigured" });
  expect((await shell(box, "echo $FROM_CONFIGURE")).stdout).toBe("yes\n");
});

test("a lost host is dialled again: the sandbox proves itself, and what ran goes on", async () => {
  const first = box.connection;
  const exec = first.exec({ argv: ["sh", "-c", "echo begun; sleep 1; touch /tmp/went-on"] }, noSink);
  await new Promise((resolve) => setTimeout(resolve, 100));
  first.close();
  await expect(exec.exit).rejects.toMatchObject({ code: "closed" });

  const expected = { sandboxId, generation, key: box.key };
  await expect(box.listen({ ...expected, key: randomBytes(32) })).rejects.toMatchObject({ code: "proof" });
  await expect(box.listen({ ...expected, generation: 2 })).rejects.toMatchObject({ code: "proof" });
  await expect(box.listen({ ...expected, sandboxId: "a0other" })).rejects.toMatchObject({ code: "proof" });

  const again = await box.listen(expected);
  expect(again.hello).toEqual({
    memberId: box.memberId,
    version: protocolVersion,
    sandboxId,
    generation,
  });
  await expect(again.configure({ ...expected, env })).rejects.toMatchObject({ code: "alreadyConfigured" });
  await waitUntil(async () => (await run(again, ["test", "-e", "/tmp/went-on"])).exitCode === 0, 3000);
  again.close();
});

test("a host of the first generation, which names no newest one, is answered in its own", async () => {
  const hello = await new Promise<Buffer>((resolve) => {
    const server = createServer((socket) => {
      const nonce = randomBytes(32);
      const challenge = new FieldWriter().putUint(fieldTag.version, 1, 2).put(fieldTag.nonce, nonce).finish();
      socket.write(encodeFrame(frameType.challenge, 0, challenge));
      socket.once("data", (frame: Buffer) => {
        resolve(frame.subarray(frameHeaderBytes));
        server.close();
        socket.destroy();
      });
    });
    server.listen(box.socketPath);
  });
  expect(new Fields(hello).uint16(fieldTag.version)).toBe(1);
});
