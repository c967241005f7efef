import { afterEach, beforeEach, expect, test } from "vitest";
import { type ApiRow, api } from "#contract/api";
import { audited, type MutatingName } from "#contract/audited";
import { Run } from "#contract/run";
import { gate } from "#test/fakes/gate";
import { type Harness, harness } from "#test/support/harness";
import { type Owned, ownedBy, pathOf, sendExample } from "#test/support/rows";

let h: Harness;
beforeEach(async () => {
  h = await harness();
});
afterEach(() => h.close());

/** What must have gone before, so that a call has something to change. */
const before: Partial<Record<MutatingName, MutatingName>> = {
  deleteFile: "writeFile",
  resumeTenant: "suspendTenant",
  undrainHost: "drainHost",
};
async function call(name: MutatingName, owned: Owned): Promise<Response> {
  const row: ApiRow = api[name];
  if (name !== "cancelRun") return sendExample(h, row, owned);
  const program = gate();
  h.provider.holdNext("exec", program.opened);
  const begun = await h.send("POST", "/v1/runs", { key: h.key, json: { command: "sleep" } });
  const canceled = await h.send("POST", pathOf(row, { ...owned, runId: Run.parse(await begun.json()).id }), {
    key: h.key,
  });
  program.open();
  return canceled;
}

async function entriesOf(requestId: string | null) {
  const { rows } = await h.database.client.execute({
    sql: "SELECT action, subject, details FROM audit WHERE request_id = ?",
    args: [requestId],
  });
  return rows;
}

test.each(Object.entries(audited) as [MutatingName, string | null][])(
  "%s leaves %s in the audit, once for each thing that it has changed",
  async (name, action) => {
    const owned = await ownedBy(h);
    const earlier = before[name];
    if (earlier) await call(earlier, owned);
    const response = await call(name, owned);
    expect([response.status, response.ok]).toEqual([response.status, true]);
    const body = await response.text();
    await h.settled();
    const entries = (await entriesOf(response.headers.get("x-request-id"))).filter(
      (entry) => action === null || entry.action === action,
    );
    const changed = name === "createSandboxBatch" ? JSON.parse(body).created : 1;
    const expected = action === null ? 0 : changed;
    expect(entries).toHaveLength(expected);
    expect(new Set(entries.map(({ subject }) => subject)).size).toBe(expected);
    for (const { subject } of entries) expect(`${body} ${Object.values(owned)}`).toContain(subject);
  },
);
