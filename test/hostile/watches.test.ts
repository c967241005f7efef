import { expect, test } from "vitest";
import type { ServerEvent } from "../support/events.ts";
import { api, newBox, otherApi, refusal } from "./support.ts";

/** The events of a watch until one of this name, which must come. */
async function until(events: AsyncGenerator<ServerEvent>, name: string): Promise<ServerEvent[]> {
  const seen: ServerEvent[] = [];
  for await (const event of events) {
    seen.push(event);
    if (event.event === name) return seen;
  }
  throw new Error(`No ${name} in ${seen.length} events.`);
}

test("H40: a tree that is made, moved, swapped for symlinks and deleted while it is watched leads nowhere else", async () => {
  const box = await newBox();
  await box.exec("mkdir -p tree");
  const { events } = await api.watch(box.id, "tree", true);
  const churning = `
import os, shutil, threading, time
def churn(name):
    for _ in range(300):
        try:
            os.makedirs(f"/home/user/tree/{name}/a/b", exist_ok=True)
            os.rename(f"/home/user/tree/{name}/a", f"/home/user/tree/{name}-moved")
            os.symlink("/proc/self", f"/home/user/tree/{name}/a"); os.symlink("/", f"/home/user/tree/{name}/top")
            os.unlink(f"/home/user/tree/{name}/a")
            shutil.rmtree(f"/home/user/tree/{name}-moved", ignore_errors=True)
            shutil.rmtree(f"/home/user/tree/{name}", ignore_errors=True)
        except OSError:
            # Another one was faster: what it left half-way must not stop all that comes after.
            for left in (name, f"{name}-moved"): shutil.rmtree(f"/home/user/tree/{left}", ignore_errors=True)
threads = [threading.Thread(target=churn, args=(f"n{i % 2}",)) for i in range(4)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
time.sleep(0.3)
shutil.rmtree("/home/user/tree")`;
  const churned = box.exec(["python3", "-c", churning]);
  const seen = await until(events, "end");
  expect(await churned).toMatchObject({ exitCode: 0 });
  expect(seen.length).toBeGreaterThan(100);
  const paths = seen.flatMap(({ data }) => [JSON.parse(data).path ?? []].flat());
  expect(paths.filter((path) => !path.startsWith("/home/user/tree"))).toEqual([]);
  // Nothing is told from behind a symlink: `top` leads to a root full of names.
  expect(paths.filter((path) => /\/(?:top|a)\/(?!b$)/.test(path))).toEqual([]);
  expect(await box.exec("echo here")).toMatchObject({ stdout: "here\n" });
});

test("H47: watching is counted as the sandbox's user's, who runs out alone", async () => {
  const [box, other] = [await newBox(), await newBox()];
  const taking =
    "import ctypes, time\nlibc = ctypes.CDLL(None)\nwhile libc.inotify_init() >= 0: pass\nprint('full', flush=True)\ntime.sleep(300)";
  const { events, disconnect } = await api.stream(box.id, { command: ["python3", "-c", taking] });
  await events.next();
  const path = (id: string) => `/v1/sandboxes/${id}/watch?path=/tmp`;
  expect(await refusal(api.call("GET", path(box.id)))).toMatchObject({ status: 409, code: "watch_limit" });
  const free = await api.call("GET", path(other.id));
  expect(free.status).toBe(200);
  await free.body?.cancel();
  disconnect();
});

test("more folders than a watch may have are refused at its start, and end it when they come later", async () => {
  const box = await newBox({ memoryMiB: 512 });
  await box.exec(
    "mkdir /workspace/many /workspace/late; cd /workspace/many; for i in $(seq 1 90); do mkdir $i; done; for i in $(seq 1 90); do (cd $i; mkdir $(seq 1 92)); done",
  );
  const refused = await refusal(
    api.call("GET", `/v1/sandboxes/${box.id}/watch?path=/workspace/many&recursive=true`),
  );
  expect(refused).toMatchObject({ status: 409, code: "watch_limit" });
  const { events } = await api.watch(box.id, "/workspace/late", true);
  await events.next();
  await box.exec("mv /workspace/many /workspace/late/many");
  const last = (await until(events, "error")).at(-1);
  expect(JSON.parse(last?.data ?? "{}")).toMatchObject({ code: "watch_limit" });
  const deep = `import os\nos.chdir("/home/user")\nfor _ in range(300): os.mkdir("d"); os.chdir("d")`;
  await box.exec(["python3", "-c", deep]);
  expect(
    await refusal(api.call("GET", `/v1/sandboxes/${box.id}/watch?path=/home/user&recursive=true`)),
  ).toMatchObject({ code: "watch_limit" });
});

test("another tenant's sandbox is watched by nobody else", async () => {
  const box = await newBox();
  const refused = await refusal(otherApi.call("GET", `/v1/sandboxes/${box.id}/watch?path=/tmp`));
  expect(refused).toMatchObject({ status: 404, code: "sandbox_not_found" });
});
