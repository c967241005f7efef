import { expect, test } from "vitest";
import type { BenchClient, Created } from "#test/bench/load/client";
import { Fleet } from "#test/bench/load/fleet";

/** The three calls that a fleet makes, answered by hand. */
function service() {
  const live = new Map<string, { uid: number; isUsed: boolean }>();
  let next = 0;
  let gate: Promise<void> = Promise.resolve();
  const api = {
    async create(): Promise<Created> {
      const id = `s${next++}`;
      await gate;
      live.set(id, { uid: 20_000 + next, isUsed: false });
      return { id, requestId: "" };
    },
    async exec(id: string, command: string[]) {
      const sandbox = live.get(id);
      const stdout = `${command.at(-1)} ${sandbox?.uid} ${sandbox?.isUsed ? 1 : 0}\n`;
      return { exitCode: 0, stdout, stderr: "" };
    },
    async delete(id: string) {
      live.delete(id);
    },
  };
  const wait = (until: Promise<void>) => {
    gate = until;
  };
  // Only what a fleet uses is there.
  return { api: api as unknown as BenchClient, live, wait };
}

test("two live sandboxes under one uid end the run; the uid of a deleted one may come again", async () => {
  const { api, live } = service();
  const fleet = new Fleet(api);
  const [first, second] = [await fleet.create(), await fleet.create()];
  await fleet.inspect(first.id);
  live.set(second.id, { uid: 20_001, isUsed: false });
  await expect(fleet.inspect(second.id)).rejects.toThrow("Two live sandboxes run under the uid 20001.");
  await fleet.delete(first.id);
  await fleet.inspect(second.id);
});

test("a sandbox that somebody has used ends the run", async () => {
  const { api, live } = service();
  const fleet = new Fleet(api);
  const { id } = await fleet.create();
  live.set(id, { uid: 20_001, isUsed: true });
  await expect(fleet.inspect(id)).rejects.toThrow("it was used before");
});

test("a fleet that is closed leaves nothing, not even what is only being made", async () => {
  const { api, live, wait } = service();
  const fleet = new Fleet(api);
  await fleet.create();
  let open = () => {};
  wait(new Promise((resolve) => (open = resolve)));
  const coming = fleet.create();
  const closed = fleet.close();
  await expect(fleet.create()).rejects.toThrow("The stage is over.");
  open();
  await coming;
  await closed;
  expect(live.size).toBe(0);
});
