import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { scopes } from "#contract/api";
import type { ErrorCode } from "#contract/errors";
import { issueKey } from "#worker/auth/issue-key";
import { revokeKey } from "#worker/auth/revoke-key";
import { openNodeClient } from "#worker/db/node";
import { makeDeps } from "#worker/deps";
import { configFrom } from "#worker/env";
import { readNodeSettings } from "#worker/node-settings";
import { findTenantByName } from "#worker/tenants/store";
import { Api } from "../support/api.ts";
import { attach } from "../support/attach.ts";
import { containerOf, expectBooksToAgree, rowsOf } from "../support/books.ts";
import { boxOf } from "../support/box.ts";
import { expectProblem } from "../support/problem.ts";
import { type TestStack, testStack } from "../support/stack.ts";
import { removeContainer } from "../support/traces.ts";

let stack: TestStack;
beforeAll(async () => {
  stack = await testStack();
});
afterAll(() => stack?.dispose());

/** Every call that needs the sandbox alive. */
async function expectRefusals(id: string, status: number, code: ErrorCode): Promise<void> {
  const { api } = stack;
  const files = `/v1/sandboxes/${id}/files?path=note`;
  await expectProblem(await api.call("POST", `/v1/sandboxes/${id}/exec`, { command: "true" }), status, code);
  await expectProblem(await api.call("GET", files), status, code);
  await expectProblem(await api.call("PUT", files, "x"), status, code);
  await expectProblem(await api.call("PATCH", `/v1/sandboxes/${id}`, { lifetimeSeconds: 60 }), status, code);
}

describe("an ended sandbox", () => {
  test("is gone for whoever wants to use it, and stays to be read and deleted again", async () => {
    const { id } = await stack.api.create();
    await stack.api.delete(id);
    await expectRefusals(id, 410, "sandbox_ended");
    await stack.api.delete(id);
    expect(await stack.api.get(id)).toMatchObject({ state: "ended", endReason: "killed" });
  });

  test("F5: is gone as well when somebody removed its container behind our back", async () => {
    const { id } = await stack.api.create();
    await removeContainer(await containerOf(stack, id));
    await expect.poll(async () => (await stack.api.get(id)).state, { timeout: 2_000 }).toBe("ended");
    await expectRefusals(id, 410, "sandbox_ended");
  });
});

describe("a key", () => {
  test("that was revoked is refused everywhere within seconds, like one that never was", async () => {
    const key = await keyToRevoke();
    const api = new Api(stack.url, key.key);
    expect((await api.call("GET", "/v1/sandboxes")).status).toBe(200);
    const box = await boxOf(stack.api);
    const attached = await attach(api, box, (await api.start(box, { command: "sleep 300" })).id);
    await attached.told("attached");
    await key.revoke();
    await expect
      .poll(async () => (await api.call("GET", "/v1/sandboxes")).status, { timeout: 10_000 })
      .toBe(401);
    expect(await attached.closed).toEqual({ code: 4401, reason: "unauthenticated" });
    const never = new Api(stack.url, `e2b_${"0".repeat(40)}`);
    const calls = [
      ["POST", "/v1/sandboxes", {}],
      ["GET", `/v1/sandboxes/${"h".repeat(24)}`, undefined],
      ["POST", `/v1/sandboxes/${"h".repeat(24)}/exec`, { command: "true" }],
    ] as const;
    for (const [method, path, body] of calls) {
      const revoked = await expectProblem(await api.call(method, path, body), 401, "unauthenticated");
      const unknown = await expectProblem(await never.call(method, path, body), 401, "unauthenticated");
      expect({ ...revoked, requestId: "" }).toEqual({ ...unknown, requestId: "" });
    }
  });
});

/** A key of the first tenant, made and revoked by another process than the one that serves it. */
async function keyToRevoke() {
  const { values, databaseUrl } = await readNodeSettings({ SANDGATE_DATA_DIR: stack.dataDir });
  const deps = makeDeps({
    client: await openNodeClient(databaseUrl),
    config: configFrom(values),
    log: () => undefined,
    background: () => undefined,
  });
  const tenantId = await findTenantByName(deps.db, "dev");
  if (!tenantId) throw new Error("The first tenant is missing.");
  const { id, key } = await issueKey(deps, { tenantId, name: "to revoke", scopes });
  const revoke = async () => {
    await revokeKey(deps, tenantId, id);
    deps.db.$client.close();
  };
  return { key, revoke };
}

describe("while the host is down", () => {
  test("its sandboxes are unreachable, none is made, and a deletion waits for its return", async () => {
    const { api } = stack;
    const kept = (await api.create()).id;
    const deleted = (await api.create()).id;
    await api.write(kept, "note", "before");
    await stack.kill("agentHost");

    await expectProblem(
      await api.call("GET", `/v1/sandboxes/${kept}/files?path=note`),
      503,
      "host_unreachable",
    );
    // A command that goes out on a connection whose end was not heard of yet may have run: that is another answer.
    const exec = () => api.call("POST", `/v1/sandboxes/${kept}/exec`, { command: "true" });
    await expect.poll(async () => (await exec()).status).toBe(503);
    await expectProblem(await exec(), 503, "host_unreachable");
    await expectProblem(await api.call("POST", "/v1/sandboxes", {}), 503, "no_capacity");
    expect((await rowsOf(stack.dataDir)).held).toEqual([kept, deleted].sort());
    expect(await api.get(kept)).toMatchObject({ state: "running" });
    await api.delete(deleted);
    expect(await api.get(deleted)).toMatchObject({ state: "ending" });

    await stack.startAgain("agentHost");
    await expectBooksToAgree(stack, [kept]);
    expect(String(await api.read(kept, "note"))).toBe("before");
    expect(await api.get(deleted)).toMatchObject({ state: "ended", endReason: "killed" });
    await api.delete(kept);
    await expectBooksToAgree(stack, []);
  });
});
