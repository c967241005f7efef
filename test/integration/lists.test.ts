import { afterAll, beforeAll, expect, test } from "vitest";
import { limits } from "#contract/limits";
import { type Sandbox, SandboxPage } from "#contract/sandbox";
import { type Harness, harness } from "#test/support/harness";
import { expectProblem } from "#test/support/problem";
import { registerTemplate } from "#worker/templates/register";

let h: Harness;
beforeAll(async () => {
  h = await harness({ maxSandboxes: 1_000 });
});
afterAll(() => h.close());

const list = (query: Record<string, string>, key = h.key) =>
  h.send("GET", `/v1/sandboxes?${new URLSearchParams(query)}`, { key });
async function pageOf(query: Record<string, string>, key = h.key) {
  const response = await list(query, key);
  if (response.status !== 200) throw new Error(await response.text());
  return SandboxPage.parse(await response.json());
}
async function all(query: Record<string, string>, key: string, between = async () => undefined as unknown) {
  const items: Sandbox[] = [];
  let cursor: string | undefined;
  do {
    const page = await pageOf({ ...query, ...(cursor && { cursor }) }, key);
    items.push(...page.items);
    cursor = page.nextCursor;
    await between();
  } while (cursor);
  return items.map(({ id }) => id);
}

test("pages hold everything that was there once, in order, whatever is made while paging", async () => {
  const { key } = await h.tenant("concurrent");
  const made: string[] = [];
  for (let i = 0; i < 12; i++) {
    made.push((await h.create({}, key)).id);
    if (i % 3 === 0) h.clock.advance(1);
  }
  await h.heartbeat();
  const seen = await all({ limit: "5" }, key, () => Promise.all([h.create({}, key), h.create({}, key)]));
  expect(new Set(seen).size).toBe(seen.length);
  const old = seen.filter((id) => made.includes(id));
  expect(old).toHaveLength(made.length);
  expect(old).toEqual((await all({ limit: "100" }, key)).filter((id) => made.includes(id)));
});

test("state, template and metadata filter together, and an alias is its template", async () => {
  const { key } = await h.tenant("filters");
  await registerTemplate(h.deps, { name: "other", aliases: ["ruby"], digest: "sha256:1" });
  h.clock.advance(20_000);
  await h.heartbeat();
  const a = await h.create({ template: "python", metadata: { team: "x", n: "1" } }, key);
  const b = await h.create({ template: "base", metadata: { team: "x", n: "2" } }, key);
  const c = await h.create({ template: "ruby", metadata: { team: "x", n: "1" } }, key);
  await h.send("DELETE", `/v1/sandboxes/${b.id}`, { key });
  expect((await all({ template: "node" }, key)).sort()).toEqual([a.id, b.id].sort());
  expect(await all({ template: "ruby" }, key)).toEqual([c.id]);
  expect(await all({ template: "base", state: "running" }, key)).toEqual([a.id]);
  expect((await all({ "metadata.n": "1" }, key)).sort()).toEqual([a.id, c.id].sort());
  expect(await all({ "metadata.team": "x", "metadata.n": "2" }, key)).toEqual([b.id]);
  expect(await all({ "metadata.team": "x", "metadata.n": "3" }, key)).toEqual([]);
  await expectProblem(await list({ template: "cobol" }, key), 404, "template_not_found");
});

test("A35: names and values of metadata are compared as they are, whatever they hold", async () => {
  const { key } = await h.tenant("odd metadata");
  const odd = [
    'a"b',
    "a\\b",
    "$.a",
    "a.b",
    "' OR 1=1--",
    "é\u001b[31m",
    "a\nb",
    "%",
    "0",
    "[0]",
    "x".repeat(64),
  ];
  for (const name of odd) {
    const { id } = await h.create({ metadata: { [name]: name } }, key);
    expect([name, await all({ [`metadata.${name}`]: name }, key)]).toEqual([name, [id]]);
  }
  expect(await all({ "metadata.%": "%%" }, key)).toEqual([]);
});

test("a page that looks for rare metadata looks through so many rows only, and says where to go on", async () => {
  const { key, tenantId } = await h.tenant("many");
  const oldest = await h.create({ metadata: { rare: "1" } }, key);
  const copies = limits.listScanMaxRows + 10;
  await h.database.client.execute({
    sql: `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
      INSERT INTO sandboxes SELECT substr(id, 1, 4) || printf('%020d', i), tenant_id, host_id, generation, template,
        'ended', cpu, memory_mib, lifetime_seconds, idle_seconds, '{}', created_at_ms + i, started_at_ms,
        expires_at_ms, created_at_ms + i, 'exited', pids, disk_mib, public_ports, cap_micros FROM sandboxes, n WHERE tenant_id = ?`,
    args: [copies, tenantId],
  });
  const first = await pageOf({ "metadata.rare": "1" }, key);
  expect([first.items.length, typeof first.nextCursor]).toEqual([0, "string"]);
  expect(await all({ "metadata.rare": "1" }, key)).toEqual([oldest.id]);
});

test.each(["x", "e30", "AAAA", "%20", btoa("1.short"), btoa(`1.${"a".repeat(24)}`), "a".repeat(256), "Ā"])(
  "A32: the cursor %j is refused",
  async (cursor) => {
    const problem = await expectProblem(await list({ cursor }), 400, "invalid_request");
    expect(problem.issues?.[0]?.path).toBe("cursor");
  },
);

test("A32: another tenant's cursor is refused", async () => {
  const other = await h.tenant("cursor");
  await h.create();
  await h.create();
  const { nextCursor = "" } = await pageOf({ limit: "1" });
  await expectProblem(await list({ cursor: nextCursor }, other.key), 400, "invalid_request");
  expect((await pageOf({ cursor: nextCursor })).items.length).toBeGreaterThan(0);
});

test.each(["0", "-1", "101", "1000000000", "1e9", "1.5", "", "٣"])(
  "A32: the limit %j is refused",
  async (limit) => {
    const problem = await expectProblem(await list({ limit }), 400, "invalid_request");
    expect(problem.issues?.[0]?.path).toBe("limit");
  },
);

test.each([
  { metadata: "x" },
  { metadata: "x", "metadata.a": "1" },
  { "metadata.": "1" },
  { "metadata.__proto__": "1" },
  { [`metadata.${"k".repeat(65)}`]: "1" },
  { "metadata.a": "v".repeat(513) },
  { "metadata.a": "1", "metadata.b": "1", "metadata.c": "1", "metadata.d": "1", "metadata.e": "1" },
  { state: "dead" },
  { template: "a/b" },
])("the filter %j is refused", async (query) => {
  const problem = await expectProblem(
    await list(query as unknown as Record<string, string>),
    400,
    "invalid_request",
  );
  expect(problem.issues?.[0]?.path).toMatch(/^(metadata|state|template)/);
});
