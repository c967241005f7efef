import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type ApiRow, api } from "#contract/api";
import { type Harness, harness } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";
import { guardedRows, type Owned, ownedBy, sendExample } from "#test/support/rows";
import { AppError } from "#worker/errors";
import { lineLog } from "#worker/log";

let h: Harness;
let owned: Owned;
beforeEach(async () => {
  h = await harness();
  owned = await ownedBy(h);
  h.events.length = 0;
});
afterEach(() => h.close());

/** What goes to a sandbox's host by the id alone. */
const needsNoDatabase = (row: ApiRow) => row.path.startsWith("/v1/sandboxes/:id/");
const onHosts = [
  ["create", api.createSandbox, "no_capacity"],
  ["exec", api.exec, "host_unreachable"],
  ["readFile", api.readFile, "host_unreachable"],
  ["writeFile", api.writeFile, "host_unreachable"],
] as const;

describe.each(guardedRows)("A33: %s", (_name, row) => {
  test("says that the database is away, and nothing about it", async () => {
    h.database.client.close();
    if (!needsNoDatabase(row)) {
      await expectProblem(await sendExample(h, row, owned), 503, "unavailable");
    }
    // By now nobody knows the key any more.
    h.clock.advance(10_000);
    await expectProblem(await sendExample(h, row, owned), 503, "unavailable");
    expect(JSON.stringify(h.events)).not.toContain(h.key);
  });
});

describe.each(onHosts)("A33: %s on a host", (verb, row, code) => {
  test("says that the host is away, and nothing about it", async () => {
    const cause = new Error("connect ECONNREFUSED 10.0.0.7:4000");
    const error = new AppError("host_unreachable", "The host does not answer at the moment.", { cause });
    h.provider.failNext(verb, error);
    await expectProblem(await sendExample(h, row, owned), 503, code);
    const logged = JSON.stringify(h.events);
    expect(logged).toContain("ECONNREFUSED");
    expect(logged).not.toContain(h.key);
  });

  test("tells nothing of a fault of ours", async () => {
    h.provider.failNext(verb, new Error("boom at /srv/app.ts on 10.0.0.7:4000"));
    await expectProblem(await sendExample(h, row, owned), 500, "internal");
  });
});

test("A34: whatever a caller sends, one request is one line of JSON in the log, without an escape", async () => {
  const lines: string[] = [];
  const log = lineLog("debug", (line) => lines.push(line), h.clock.now);
  const evil = '\r\n{"level":"error","event":"forged"}\u001b[2J\u2028';
  const metadata = { [evil]: evil };
  const escaped = encodeURIComponent(evil);
  const requests: [string, string, object][] = [
    ["POST", "/v1/sandboxes", { json: { metadata } }],
    ["POST", "/v1/sandboxes", { json: { template: evil } }],
    ["GET", `/v1/sandboxes/${escaped}`, {}],
    ["GET", `/v1/sandboxes?${escaped}=1`, {}],
    ["POST", "/v1/runs?wait=10", { json: { command: ["echo", evil], metadata, stdin: evil } }],
    ["POST", `/v1/sandboxes/${owned.sandboxId}/exec`, { json: { command: evil } }],
    ["PUT", `/v1/sandboxes/${owned.sandboxId}/files?path=${escaped}`, { body: evil }],
    ["GET", "/v1/sandboxes", { headers: { "user-agent": "a\u001b[31m", "idempotency-key": "x" } }],
  ];
  for (const [method, path, sent] of requests) await h.send(method, path, { key: h.key, ...sent });
  await h.settled();
  h.provider.failNext("exec", new Error(evil));
  await sendExample(h, api.exec, owned);
  for (const event of h.events) log(event);
  expect(h.events.filter(({ event }) => event === "request")).toHaveLength(requests.length + 1);
  for (const line of lines) {
    expect([...line].every((char) => char >= " ")).toBe(true);
    expect(JSON.parse(line)).toMatchObject({ event: expect.not.stringContaining("forged") });
  }
});
