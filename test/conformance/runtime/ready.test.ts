import { afterAll, beforeAll, expect, test } from "vitest";
import { untilReady } from "#host/pool/ready";
import type { Member } from "#host/runtime/runtime";
import { dockerHost } from "./docker-host.ts";

let under: Awaited<ReturnType<typeof dockerHost>>;
let member: Member;
beforeAll(async () => {
  under = await dockerHost();
  const limits = { cpu: 1, memoryMiB: 256, pids: 64 };
  member = await under.runtime.start({ memberId: "0badd00d", template: under.template, limits });
});
afterAll(() => under?.dispose());

test("a readiness command is repeated until it ends well, as the tenant's user, before there is a tenant", async () => {
  const command = 'test "$(id -u)" -ge 20000 && { test -e /tmp/seen || { touch /tmp/seen; exit 1; }; }';
  await untilReady(member, command, 5_000);
  await untilReady(member, "test -e /tmp/seen", 1_000);
});

test("one that never ends well is given up at its deadline, with the end of what it said", async () => {
  const command = "head -c 100000 /dev/zero | tr '\\0' x; echo no database; exit 3";
  const failure = await untilReady(member, command, 1_500).catch((cause: Error) => cause);
  expect(String(failure)).toMatch(/ended with 3: x*no database$/s);
  expect(String(failure).length).toBeLessThan(700);
});

test("one that hangs is ended at its deadline", async () => {
  await expect(untilReady(member, "sleep 60", 300)).rejects.toThrow("did not end in time");
});

test("what was run before does not keep the sandbox from being handed out", async () => {
  await untilReady(member, "true", 1_000);
  const sandboxId = "h00000000000000000000001";
  await member.connection.configure({ sandboxId, generation: 1, key: Buffer.alloc(32), env: {} });
  await expect(member.connection.list({ path: "/tmp", depth: 1, limit: 10 })).resolves.toMatchObject({});
});
