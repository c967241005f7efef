import { expect } from "vitest";
import { type ApiName, type ApiRow, api, genericErrors } from "#contract/api";
import { errorTable } from "#contract/errors";
import { randomChars } from "#contract/ids";
import { Process } from "#contract/process";
import { type Resource, resourceOf } from "#contract/resources";
import { Run } from "#contract/run";
import { issueKey } from "#worker/auth/issue-key";
import { registerHost } from "#worker/hosts/register";
import { type Harness, problemOf } from "./harness.ts";

/** Every call that needs a key. */
export const guardedRows = (Object.entries(api) as [ApiName, ApiRow][]).filter(
  ([, row]) => row.scope !== null,
);
export const operatorRows = guardedRows.filter(([, row]) => row.scope === "operator");
export const tenantRows = guardedRows.filter(([, row]) => row.scope !== "operator");
export const jsonType = { "content-type": "application/json" };

/** Something for every `:id` to stand for, so that no row is refused for its address alone. */
export type Owned = Record<(typeof ownedAs)[Resource] | "processId" | "sessionId", string>;
const ownedAs = {
  sandboxes: "sandboxId",
  runs: "runId",
  keys: "keyId",
  tenants: "tenantId",
  plans: "planName",
  hosts: "hostId",
} as const satisfies Record<Resource, string>;

export async function ownedBy(h: Harness): Promise<Owned> {
  const { id } = await h.create();
  const begun = await h.send("POST", "/v1/runs?wait=10", { key: h.key, json: { command: "echo" } });
  const started = await h.send("POST", `/v1/sandboxes/${id}/processes`, {
    key: h.key,
    json: { command: "sleep 1000", pty: { cols: 80, rows: 24 } },
  });
  const opened = await h.send("POST", `/v1/sandboxes/${id}/sessions`, { key: h.key, json: {} });
  // Tenants, plans and hosts that nothing else stands on: rows delete them.
  const planName = `own-${randomChars(12)}`;
  await h.send("PUT", `/admin/v1/plans/${planName}`, { key: h.adminKey, json: api.putPlan.example.body });
  const key = await issueKey(h.deps, { tenantId: h.tenantId, name: "spare", scopes: ["runs:read"] });
  return {
    sandboxId: id,
    runId: Run.parse(await begun.json()).id,
    keyId: key.id,
    tenantId: (await h.tenant(`own-${randomChars(12)}`)).tenantId,
    planName,
    hostId: (await registerHost(h.deps, "http://127.0.0.1:8787")).hostId,
    processId: Process.parse(await started.json()).id,
    sessionId: Process.parse(await opened.json()).id,
  };
}

export const everyIdIs = (id: string): Owned => ({
  sandboxId: id,
  runId: id,
  keyId: id,
  tenantId: id,
  planName: id,
  hostId: id,
  processId: id,
  sessionId: id,
});

export function pathOf(row: ApiRow, owned: Owned): string {
  const resource = resourceOf(row.path);
  return withParams(row)
    .replace(":id", resource ? owned[ownedAs[resource]] : ":id")
    .replace(":processId", owned.processId)
    .replace(":sessionId", owned.sessionId);
}

/** The key of whoever a row is for. */
export const keyFor = (h: Harness, row: ApiRow) => (row.scope === "operator" ? h.adminKey : h.key);

/** The path of a row with what its example puts there; the id is still open. */
export function withParams({ path, example }: ApiRow): string {
  const params = Object.entries(example?.params ?? {});
  return params.reduce(
    (filled, [name, value]) => filled.replace(name === "*" ? "*" : `:${name}`, value),
    path,
  );
}

/** The example of a row, as its tenant, or the operator, sends it. */
export function sendExample(h: Harness, row: ApiRow, owned: Owned, query?: string): Promise<Response> {
  const sent = query ?? (row.example?.query ? `?${new URLSearchParams(row.example.query)}` : "");
  return h.send(row.method.toUpperCase(), pathOf(row, owned) + sent, {
    key: keyFor(h, row),
    ...(row.body && { json: row.example?.body }),
    ...(row.rawBodyMaxBytes && { body: "x" }),
  });
}

/** Every refusal is a problem with a code that the row, or the list for all rows, names. */
export async function expectRefusal(response: Response, row: ApiRow): Promise<string> {
  const problem = await problemOf(response);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect([...row.errors, ...genericErrors]).toContain(problem.code);
  expect(response.status).toBe(errorTable[problem.code].status);
  expect(problem.requestId).toMatch(/^req_[a-z0-9]{20}$/);
  expect(problem).not.toHaveProperty("stack");
  return problem.code;
}
