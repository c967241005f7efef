import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Member, Runtime, TemplateImage } from "#host/runtime/runtime";
import type { ExecRequest } from "#host/sandboxd/exec";

export type RuntimeUnderTest = {
  runtime: Runtime;
  template: TemplateImage;
  /** The same machine for a host that has just come up and knows nothing of its members. */
  again(): Runtime;
  dispose(): Promise<void>;
};

const limits = { cpu: 1, memoryMiB: 256, pids: 64 };
const newMemberId = () => randomBytes(4).toString("hex");

async function run(member: Member, argv: string[], over: Partial<ExecRequest> = {}) {
  let stdout = "";
  const sink = {
    onOutput(_kind: string, bytes: Buffer) {
      stdout += bytes.toString();
    },
  };
  const exit = await member.connection.exec({ argv, timeoutMs: 10_000, ...over }, sink).exit;
  return { exitCode: exit.exitCode, stdout };
}

function configuration(sandboxId = "h00000000000000000000001") {
  return { sandboxId, generation: 1, key: randomBytes(32), env: { PATH: "/usr/bin:/bin" } };
}

/** What every runtime promises; the fake that other suites use is held to the same. */
export function runtimeConformance(name: string, setUp: () => Promise<RuntimeUnderTest>): void {
  describe(name, () => {
    let under: RuntimeUnderTest;
    beforeAll(async () => {
      under = await setUp();
    });
    afterAll(() => under.dispose());
    const start = () => under.runtime.start({ memberId: newMemberId(), template: under.template, limits });
    const listed = async (member: Member) =>
      (await under.runtime.list()).find((found) => found.memberId === member.memberId);

    test("a started member is listed as running and takes commands, and files once it is configured", async () => {
      const member = await start();
      expect(await listed(member)).toEqual({
        memberId: member.memberId,
        uid: member.uid,
        template: under.template.name,
        templateDigest: under.template.digest,
        handle: member.handle,
        createdAtMs: expect.any(Number),
        isRunning: true,
      });
      expect(await run(member, ["true"])).toMatchObject({ exitCode: 0 });
      await expect(member.connection.readFile({ path: "/etc/passwd" })).rejects.toMatchObject({
        code: "notConfigured",
      });
      await member.connection.configure(configuration());
      expect(await run(member, ["echo", "hello"])).toEqual({ exitCode: 0, stdout: "hello\n" });
      expect(await run(member, ["false"])).toMatchObject({ exitCode: 1 });
      await expect(run(member, ["no-such-program"])).rejects.toMatchObject({ code: "notFound" });
      await expect(member.connection.configure(configuration())).rejects.toMatchObject({
        code: "alreadyConfigured",
      });
      await under.runtime.remove(member);
    });

    test("files come back as they were written", async () => {
      const member = await start();
      await member.connection.configure(configuration());
      const content = randomBytes(300_000);
      async function* body() {
        yield content.subarray(0, 100_000);
        yield content.subarray(100_000);
      }
      const written = await member.connection.writeFile({ path: "/workspace/a/b.bin" }, body());
      expect(written.size).toBe(content.length);
      const { stat, body: read } = await member.connection.readFile({ path: "/workspace/a/b.bin" });
      expect(stat.size).toBe(content.length);
      expect(Buffer.from(await new Response(read).arrayBuffer()).equals(content)).toBe(true);
      await expect(member.connection.readFile({ path: "/workspace/none" })).rejects.toMatchObject({
        code: "notFound",
      });
      await under.runtime.remove(member);
    });

    test("killing ends the connection and what was under way", async () => {
      const member = await start();
      await member.connection.configure(configuration());
      const sleeping = run(member, ["sleep", "60"]);
      sleeping.catch(() => undefined);
      await under.runtime.kill(member);
      expect((await member.connection.closed).code).toBe("closed");
      await expect(sleeping).rejects.toMatchObject({ code: "closed" });
      await under.runtime.remove(member);
    });

    test("removing leaves no trace and may be repeated", async () => {
      const member = await start();
      await under.runtime.remove(member);
      expect(await listed(member)).toBeUndefined();
      await under.runtime.remove(member);
    });

    test("members that live together have different uids", async () => {
      const members = await Promise.all([start(), start(), start()]);
      expect(new Set(members.map(({ uid }) => uid)).size).toBe(3);
      await Promise.all(members.map((member) => under.runtime.remove(member)));
    });

    test("a member dials a restarted host and says who it is; a wrong key is refused", async () => {
      const member = await start();
      const found = await listed(member);
      if (!found) throw new Error("The member is not listed.");
      member.connection.close();
      const again = await under.runtime.adopt(found, undefined);
      expect(again.connection.hello.sandboxId).toBeUndefined();
      const config = configuration();
      await again.connection.configure(config);
      again.connection.close();
      const adopted = await under.runtime.adopt(found, config);
      expect(adopted.connection.hello).toMatchObject({ sandboxId: config.sandboxId, generation: 1 });
      expect(await run(adopted, ["echo", "still here"])).toMatchObject({ stdout: "still here\n" });
      adopted.connection.close();
      const wrong = { ...config, key: randomBytes(32) };
      await expect(under.runtime.adopt(found, wrong)).rejects.toMatchObject({ code: "proof" });
      await under.runtime.remove(member);
    });

    test("a parked member is silent and costs no time, and goes on as soon as it is thawed", async () => {
      const member = await start();
      expect(await under.runtime.park(member)).toBe(true);
      await expect(member.connection.ping(100)).rejects.toMatchObject({ code: "deadline" });
      under.runtime.thaw(member);
      await member.connection.ping(1_000);
      await member.connection.configure(configuration());
      expect(await run(member, ["echo", "awake"])).toEqual({ exitCode: 0, stdout: "awake\n" });
      await under.runtime.remove(member);
    });

    test("a parked member is adopted by a restarted host, and removed without being adopted", async () => {
      const members = [await start(), await start()];
      for (const member of members) await under.runtime.park(member);
      const [first, second] = await Promise.all(members.map(listed));
      if (!first || !second) throw new Error("A parked member is not listed.");
      expect([first.isRunning, second.isRunning]).toEqual([true, true]);
      const restarted = under.again();
      for (const member of members) member.connection.close();
      const adopted = await restarted.adopt(first, undefined);
      await adopted.connection.ping(1_000);
      await restarted.remove(adopted);
      await restarted.remove(second);
      expect(await listed(members[0] as Member)).toBeUndefined();
      expect(await listed(members[1] as Member)).toBeUndefined();
    });

    test("processor time is counted while it lives, and its end is known once it has ended", async () => {
      const member = await start();
      expect(under.runtime.cpuMicros(member)).toBeGreaterThanOrEqual(0);
      expect(await under.runtime.finishedAtMs(member)).toBeUndefined();
      const killedAtMs = Date.now();
      await under.runtime.kill(member);
      await expect.poll(() => under.runtime.finishedAtMs(member), { timeout: 5_000 }).toBeDefined();
      const finishedAtMs = (await under.runtime.finishedAtMs(member)) ?? 0;
      expect(finishedAtMs).toBeGreaterThan(killedAtMs - 1_000);
      expect(finishedAtMs).toBeLessThanOrEqual(Date.now() + 1);
      expect(() => under.runtime.cpuMicros(member)).toThrow();
      await under.runtime.remove(member);
    });

    test("limits may be raised and lowered while it runs", async () => {
      const member = await start();
      const changes = [
        { cpu: 4, memoryMiB: 4096, pids: 4096 },
        { cpu: 0.25, memoryMiB: 128, pids: 32 },
        { cpu: 2, memoryMiB: 512, pids: 128 },
      ];
      for (const wanted of changes) {
        under.runtime.applyLimits(member, wanted);
        expect(under.runtime.keepLimits(member, wanted)).toEqual([]);
      }
      // Somebody else's change is found and put right.
      under.runtime.applyLimits(member, limits);
      expect(under.runtime.keepLimits(member, { ...limits, pids: 33 })).not.toEqual([]);
      expect(under.runtime.keepLimits(member, { ...limits, pids: 33 })).toEqual([]);
      expect(under.runtime.oomKills(member)).toBe(0);
      await under.runtime.remove(member);
    });
  });
}
