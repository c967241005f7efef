import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { type ApiRow, api as contract } from "#contract/api";
import { eventStreamType } from "#contract/events";
import { randomChars } from "#contract/ids";
import { HostPage } from "#contract/operator-host";
import { type Resource, resourceOf } from "#contract/resources";
import type { Api } from "../../support/api.ts";
import { collect } from "../../support/events.ts";
import { withParams } from "../../support/rows.ts";
import { mustOpen } from "../../support/websocket.ts";

type Thing = {
  id: string;
  execId?: string;
  processId?: string;
  sessionId?: string;
  end: () => Promise<void>;
};

type Callers = { api: Api; operator: Api };

/** What an `:id` stands for, by the folder before it; it is made for one example and ended after it. */
const things: Record<Resource, (callers: Callers, row: ApiRow) => Promise<Thing>> = {
  async sandboxes({ api }, row) {
    const { id } = await api.create();
    // What the examples are about: a file in a folder, and a command that has printed something.
    await api.write(id, "notes/hello.txt", "hello\n");
    if (row.isProxy) await serveFolder(api, id);
    const isAboutExec = row.path.includes(":execId");
    const stream = isAboutExec ? await api.stream(id, { command: "echo hello" }) : undefined;
    if (stream) await collect(stream.events);
    const isAboutProcess = row.path.includes(":processId");
    const process = isAboutProcess
      ? await api.start(id, { command: "echo hello; cat; sleep 300", pty: { cols: 80, rows: 24 } })
      : undefined;
    // The example itself may have ended it, which is no fault.
    return {
      id,
      execId: stream?.execId ?? "",
      processId: process?.id ?? "",
      sessionId: row.path.includes(":sessionId") ? (await api.openSession(id)).id : "",
      end: async () => void (await api.call("DELETE", `/v1/sandboxes/${id}`)),
    };
  },
  async runs({ api }) {
    const begun = await api.call("POST", "/v1/runs", { command: "sleep 30" });
    const { id } = (await begun.json()) as { id: string };
    return { id, end: async () => void (await api.call("POST", `/v1/runs/${id}/cancel`)) };
  },
  async keys({ api }) {
    const made = await api.call("POST", "/v1/keys", { name: "example", scopes: ["runs:read"] });
    const { id } = (await made.json()) as { id: string };
    return { id, end: async () => void (await api.call("DELETE", `/v1/keys/${id}`)) };
  },
  async tenants({ operator }) {
    const made = await operator.call("POST", "/admin/v1/tenants", { name: `example ${randomUUID()}` });
    const { id } = (await made.json()) as { id: string };
    return { id, end: async () => void (await operator.call("DELETE", `/admin/v1/tenants/${id}`)) };
  },
  async plans({ operator }) {
    const id = `example-${randomChars(8)}`;
    await operator.call("PUT", `/admin/v1/plans/${id}`, contract.putPlan.example.body);
    return { id, end: async () => void (await operator.call("DELETE", `/admin/v1/plans/${id}`)) };
  },
  async hosts({ operator }) {
    const listed = await operator.call("GET", "/admin/v1/hosts");
    const [host] = HostPage.parse(await listed.json()).items;
    if (!host) throw new Error("The stack has a host.");
    const undrain = `/admin/v1/hosts/${host.id}/undrain`;
    return { id: host.id, end: async () => void (await operator.call("POST", undrain)) };
  },
};

/** The stack needs its only host to the end; an integration test removes one. */
const notHere: readonly string[] = ["removeHost"];

/** Sends the example of every row of the contract, as the documentation shows it, and holds the answer to the row. */
export function examplesSuite(api: () => Api, operator: () => Api): void {
  const rows = (Object.entries(contract) as [string, ApiRow][]).filter(([name]) => !notHere.includes(name));
  test.each(rows)("the example of %s works", async (name, row) => {
    expect(row.example, "every row has an example").toBeDefined();
    const caller = row.scope === "operator" ? operator() : api();
    if (!row.path.includes(":")) return expectExample(caller, row, row.path);
    const resource = resourceOf(row.path);
    if (!resource) throw new Error(`Say in this file how to make what the :id of ${name} stands for.`);
    const made = await things[resource]({ api: api(), operator: operator() }, row);
    const { id, execId = "", processId = "", sessionId = "", end } = made;
    try {
      const path = withParams(row)
        .replace(":id", id)
        .replace(":execId", execId)
        .replace(":processId", processId)
        .replace(":sessionId", sessionId);
      await expectExample(caller, row, path);
    } finally {
      await end();
    }
  });
}

/** A web server on the port of the examples, with the page that they ask for. */
async function serveFolder(api: Api, id: string): Promise<void> {
  await api.write(id, "site/hello.html", "<p>hello</p>");
  await api.exec(id, "cd site; python3 -m http.server 8000 >/dev/null 2>&1 &");
  const isUp =
    "for i in $(seq 100); do python3 -c \"import socket; socket.create_connection(('127.0.0.1', 8000))\" 2>/dev/null && exit; sleep 0.1; done; exit 1";
  expect((await api.exec(id, isUp)).exitCode).toBe(0);
}

const emptyArchive = new Uint8Array(10_240);

async function expectExample(api: Api, row: ApiRow, path: string): Promise<void> {
  const query = new URLSearchParams(row.example?.query).toString();
  if (row.isWebSocket) return expectUpgrade(api, query === "" ? path : `${path}?${query}`);
  const bytes = row.path.endsWith("/archive") ? emptyArchive : "hello\n";
  const body = row.rawBodyMaxBytes === undefined ? (row.example?.body as object | undefined) : bytes;
  const response = await api.call(row.method.toUpperCase(), query === "" ? path : `${path}?${query}`, body);
  // A stream of events ends when what it is about does.
  const text = row.resultType === eventStreamType ? await firstEvents(response) : await response.text();
  expect([response.status, text]).toEqual([row.status, expect.any(String)]);
  expect(response.headers.get("x-request-id")).toMatch(/^req_/);
  if (row.status === 204) return expect(text).toBe("");
  const type = row.result ? "application/json" : (row.resultType ?? "application/octet-stream");
  expect(response.headers.get("content-type")?.split(";")[0]).toBe(type);
  if (row.result) expect(row.result.safeParse(JSON.parse(text)).error).toBeUndefined();
}

async function expectUpgrade({ url, key }: Api, path: string): Promise<void> {
  const { socket, headers } = await mustOpen(url + path, { authorization: `Bearer ${key}` });
  expect(headers["x-request-id"]).toMatch(/^req_/);
  socket.destroy();
}

async function firstEvents(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  const { value } = (await reader?.read()) ?? {};
  await reader?.cancel();
  return new TextDecoder().decode(value);
}
