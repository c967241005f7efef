import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CreateRun, Run } from "#contract/run";
import { gate } from "#test/fakes/gate";
import { type Harness, harness } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";

let h: Harness;
beforeEach(async () => {
  h = await harness({ maxSandboxes: 3 });
});
afterEach(() => h.close());

const python = (source: string): CreateRun => ({ code: { language: "python", source } });
const post = (json: unknown, query = "?wait=30") => h.send("POST", `/v1/runs${query}`, { key: h.key, json });
const call = (method: string, path: string) => h.send(method, `/v1/runs/${path}`, { key: h.key });
async function runOf(response: Response, status = 200): Promise<Run> {
  expect(response.status).toBe(status);
  return Run.parse(await response.json());
}
const run = async (json: unknown) => runOf(await post(json));
const get = async (id: string) => runOf(await call("GET", id));

describe("cancel", () => {
  test.each(["create", "writeFile", "exec"] as const)(
    "during %s: one end, one kill, nothing left",
    async (verb) => {
      const step = gate();
      h.provider.holdNext(verb, step.opened);
      const { id } = await runOf(await post(python("echo"), ""), 202);
      await expect.poll(() => h.provider.calls).toContain(verb);
      const canceled = await runOf(await call("POST", `${id}/cancel`));
      expect(canceled).toMatchObject({ state: "canceled", endReason: "canceled" });
      step.open();
      await h.settled();
      expect(await get(id)).toEqual(canceled);
      expect(h.provider.held.size).toBe(0);
      await h.heartbeat();
      expect(await h.slotsUsed()).toBe(0);
      // It was ended before it began, wherever that was still possible.
      expect(h.provider.calls.filter((each) => each === "exec")).toHaveLength(verb === "exec" ? 1 : 0);
    },
  );

  test("again changes nothing, after another end it is refused", async () => {
    const done = await run(python("echo"));
    const problem = await expectProblem(await call("POST", `${done.id}/cancel`), 409, "run_ended");
    expect(problem.facts).toEqual({ state: "succeeded" });
    const program = gate();
    h.provider.holdNext("exec", program.opened);
    const { id } = await runOf(await post(python("echo"), ""), 202);
    const twice = await Promise.all([call("POST", `${id}/cancel`), call("POST", `${id}/cancel`)]);
    expect(twice.map(({ status }) => status)).toEqual([200, 200]);
    program.open();
  });
});
