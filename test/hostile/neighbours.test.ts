import { expect, test } from "vitest";
import { processesOfUid } from "./observer.ts";
import { all, api, type Box, newBox, numberAfter, otherApi, outcomes, refusal } from "./support.ts";

const pair = (): Promise<[Box, Box]> => Promise.all([newBox(), newBox({}, otherApi)]);

test("two sandboxes never run as the same uid, and each sees only its own processes and files", async () => {
  const [mine, theirs] = await pair();
  expect(mine.host.uid).not.toBe(theirs.host.uid);
  const running = mine.exec(["sleep", "2"]);
  await expect.poll(() => processesOfUid(mine.host.uid).length, { timeout: 5_000 }).toBe(1);
  expect((await theirs.exec("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")).stdout).not.toContain("sleep");
  expect((await theirs.exec("kill -9 -1; ls -d /proc/[0-9]*")).exitCode).toBeDefined();
  for (const folder of ["/tmp", "/dev/shm", "/workspace", "/home/user", "/dev/mqueue"]) {
    await mine.exec(`mkdir -p ${folder}; echo mine >${folder}/mine`);
    expect((await theirs.exec(`ls -A ${folder} | grep -c mine`)).stdout).toBe("0\n");
  }
  expect(await running).toMatchObject({ exitCode: 0, endReason: "exited" });
});

test("H46: shared memory, message queues and abstract sockets of one sandbox are nothing to another", async () => {
  const [mine, theirs] = await pair();
  const written = [
    await mine.probe(["shm", "write", "TENANT-SECRET"]),
    await mine.probe(["mqueue", "write", "TENANT-SECRET"]),
  ].map(({ stdout }) => stdout);
  expect(written.join("")).toContain("shm: TENANT-SECRET\nprobe mqueue\nmqueue: TENANT-SECRET\n");
  expect(outcomes((await mine.probe(["abstract", "listen", "5"])).stdout)).toEqual({ abstract: "OK" });
  // Each is found where it was made, so that it is the border that hides it from the other.
  const own = await readback(mine);
  expect(own).toEqual({ shm: "TENANT-SECRET", mqueue: "TENANT-SECRET", abstract: "OK" });
  expect(await readback(theirs)).toEqual({ ...all(["shm", "mqueue"], "ENOENT"), abstract: "ECONNREFUSED" });
  expect(
    (await theirs.exec("tail -n +2 /proc/sysvipc/shm; ls -A /dev/mqueue; grep probe /proc/net/unix")).stdout,
  ).toBe("");
});

async function readback(box: Box): Promise<Record<string, string>> {
  const runs = [await box.probe(["shm", "read"]), await box.probe(["mqueue", "read"])];
  runs.push(await box.probe(["abstract", "dial"]));
  return outcomes(runs.map(({ stdout }) => stdout).join(""));
}

test("H46: what one tenant leaves behind is not in the sandbox that comes after it", async () => {
  const first = await newBox();
  await first.probe(["shm", "write", "LEFT-BEHIND"]);
  await first.probe(["mqueue", "write", "LEFT-BEHIND"]);
  await first.exec("echo LEFT-BEHIND >/tmp/left; echo LEFT-BEHIND >/workspace/left");
  await api.delete(first.id);
  const next = await newBox({}, otherApi);
  expect(next.host.container).not.toBe(first.host.container);
  expect(await readback(next)).toMatchObject(all(["shm", "mqueue"], "ENOENT"));
  expect((await next.exec("grep -rl LEFT-BEHIND /tmp /workspace /dev/shm; echo ran")).stdout).toBe("ran\n");
});

test("H47: one sandbox takes every inotify instance that it may have, and another still gets its own", async () => {
  const [mine, theirs] = await pair();
  const greedy = (await mine.probe(["inotify", "5"])).stdout;
  expect(greedy).toContain("EMFILE");
  expect(numberAfter("instances", greedy)).toBeGreaterThan(100);
  expect(numberAfter("instances", (await mine.probe(["inotify"])).stdout)).toBe(0);
  expect(numberAfter("instances", (await theirs.probe(["inotify"])).stdout)).toBe(
    numberAfter("instances", greedy),
  );
});

test("another tenant's sandbox is not there, whatever is asked of it, and the answer names nothing", async () => {
  const mine = await newBox();
  const path = `/v1/sandboxes/${mine.id}`;
  const calls: [string, string, object | string | undefined][] = [
    ["GET", path, undefined],
    ["DELETE", path, undefined],
    ["PATCH", path, { lifetimeSeconds: 600 }],
    ["POST", `${path}/exec`, { command: "id" }],
    ["GET", `${path}/files?path=/etc/passwd`, undefined],
    ["PUT", `${path}/files?path=x`, "x"],
  ];
  const madeUp = `${mine.id.slice(0, -6)}zzzzzz`;
  for (const [method, where, body] of calls) {
    const answer = await refusal(otherApi.call(method, where, body));
    expect([method, where, answer]).toMatchObject([
      method,
      where,
      { status: 404, code: "sandbox_not_found" },
    ]);
    expect(answer.text).not.toContain(mine.host.lease.tenantId);
    // A foreign id and one that nobody has are answered alike.
    const unknown = await refusal(otherApi.call(method, where.replace(mine.id, madeUp), body));
    const withoutId = (text: string) => text.replace(/"requestId":"[^"]*"/, "");
    expect(withoutId(unknown.text)).toBe(withoutId(answer.text));
  }
  expect((await mine.exec("echo mine")).stdout).toBe("mine\n");
});
