import { expect } from "vitest";
import { type ApiName, type ApiRow, api, genericErrors } from "#contract/api";
import { errorTable } from "#contract/errors";
import { Process } from "#contract/process";
import { Run } from "#contract/run";
import { type Harness, problemOf } from "./harness.ts";

/** Every call that needs a key. */
export const guardedRows = (Object.entries(api) as [ApiName, ApiRow][]).filter(
  ([, row]) => row.scope !== null,
);
export const jsonType = { "content-type": "application/json" };

/** Something of a tenant for every `:id` to stand for, so that no row is refused for its address alone. */
export type Owned = { sandboxId: string; runId: string; processId: string; sessionId: string };

export async function ownedBy(h: Harness): Promise<Owned> {
  const { id } = await h.create();
  const begun = await h.send("POST", "/v1/runs?wait=10", { key: h.key, json: { command: "echo" } });
  const started = await h.send("POST", `/v1/sandboxes/${id}/processes`, {
    key: h.key,
    json: { command: "sleep 1000", pty: { cols: 80, rows: 24 } },
  });
  const opened = await h.send("POST", `/v1/sandboxes/${id}/sessions`, { key: h.key, json: {} });
  return {
    sandboxId: id,
    runId: Run.parse(await begun.json()).id,
    processId: Process.parse(await started.json()).id,
    sessionId: Process.parse(await opened.json()).id,
  };
}

export function pathOf(row: ApiRow, { sandboxId, runId, processId, sessionId }: Owned): string {
  return withParams(row)
    .replace("/runs/:id", `/runs/${runId}`)
    .replace("/sandboxes/:id", `/sandboxes/${sandboxId}`)
    .replace(":processId", processId)
    .replace(":sessionId", sessionId);
}

/** The path of a row with what its example puts there; the id is still open. */
export function withParams({ path, example }: ApiRow): string {
  const params = Object.entries(example?.params ?? {});
  return params.reduce(
    (filled, [name, value]) => filled.replace(name === "*" ? "*" : `:${name}`, value),
    path,
  );
}

/** The example of a row, as its tenant sends it. */
export function sendExample(h: Harness, row: ApiRow, owned: Owned, query?: string): Promise<Response> {
  const sent = query ?? (row.example?.query ? `?${new URLSearchParams(row.example.query)}` : "");
  return h.send(row.method.toUpperCase(), pathOf(row, owned) + sent, {
    key: h.key,
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
