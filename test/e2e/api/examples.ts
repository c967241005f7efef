import { expect, test } from "vitest";
import { type ApiRow, api as contract } from "#contract/api";
import { eventStreamType } from "#contract/events";
import { tagOf } from "#worker/openapi/operation";
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

/** What an `:id` stands for, by the first folder of the path; it is made for one example and ended after it. */
const things: Record<string, (api: Api, row: ApiRow) => Promise<Thing>> = {
  async sandboxes(api, row) {
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
  async runs(api) {
    const begun = await api.call("POST", "/v1/runs", { command: "sleep 30" });
    const { id } = (await begun.json()) as { id: string };
    return { id, end: async () => void (await api.call("POST", `/v1/runs/${id}/cancel`)) };
  },
};

/** Sends the example of every row of the contract, as the documentation shows it, and holds the answer to the row. */
export function examplesSuite(api: () => Api): void {
  test.each(Object.entries(contract) as [string, ApiRow][])("the example of %s works", async (name, row) => {
    expect(row.example, "every row has an example").toBeDefined();
    if (!row.path.includes(":")) return expectExample(api(), row, row.path);
    const make = things[tagOf(row)];
    if (!make) throw new Error(`Say in this file how to make what the :id of ${name} stands for.`);
    const { id, execId = "", processId = "", sessionId = "", end } = await make(api(), row);
    try {
      const path = withParams(row)
        .replace(":id", id)
        .replace(":execId", execId)
        .replace(":processId", processId)
        .replace(":sessionId", sessionId);
      await expectExample(api(), row, path);
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
