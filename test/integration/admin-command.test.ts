import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { api } from "#contract/api";
import { Tenant } from "#contract/tenant";
import { type Harness, harness } from "#test/support/harness";
import { commands } from "../../scripts/admin/commands.ts";
import { runAdmin } from "../../scripts/admin/run.ts";
import { usage } from "../../scripts/admin/show.ts";

let h: Harness;
let folder: string;
beforeEach(async () => {
  h = await harness();
  folder = mkdtempSync(join(tmpdir(), "sandgate-admin-"));
});
afterEach(async () => {
  rmSync(folder, { recursive: true, force: true });
  await h.close();
});

/** The command as a person types it, over the real API. */
async function admin(line: string, environment: Record<string, string> = {}) {
  let said = "";
  const say = (text: string) => {
    said += `${text}\n`;
  };
  const code = await runAdmin(line.split(" "), {
    environment: {
      SANDGATE_URL: "http://127.0.0.1:8787",
      SANDGATE_ADMIN_KEY: h.adminKey,
      SANDGATE_DATA_DIR: folder,
      ...environment,
    },
    print: say,
    complain: say,
    fetch: async (input, init) => h.app.request(new Request(input as URL, init)),
  });
  return { code, said };
}
const read = async (id: string) =>
  Tenant.parse(await (await h.send("GET", `/admin/v1/tenants/${id}`, { key: h.adminKey })).json());

test("a tenant is made, shown, changed, suspended, resumed and deleted", async () => {
  const made = await admin("tenants create --name acme --plan free --burst 5 --monthly-cap-micros 7 --json");
  expect(made.code).toBe(0);
  const { id, apiKey } = JSON.parse(made.said);
  expect((await h.send("GET", "/v1/sandboxes", { key: apiKey })).status).toBe(200);
  expect((await admin(`tenants show ${id}`)).said).toMatch(/^limits\.burst +5$/m);
  writeFileSync(join(folder, "limits.json"), '{"burst":null,"createsPerDay":3}');
  const set = `tenants set ${id} --monthly-cap-micros none --concurrent-runs 2 --limits-file ${folder}/limits.json`;
  expect((await admin(set)).code).toBe(0);
  expect(await read(id)).toMatchObject({ overrides: { concurrentRuns: 2, createsPerDay: 3 } });
  for (const [verb, state] of [
    ["suspend", "suspended"],
    ["resume", "active"],
    ["delete", "deleted"],
  ] as const) {
    expect((await admin(`tenants ${verb} ${id}`)).code).toBe(0);
    expect((await read(id)).state).toBe(state);
  }
});

test("lists are tables with a heading, and say how to go on", async () => {
  await h.tenant("second");
  const { said } = await admin("tenants list --limit 1");
  const [heading, row, more] = said.split("\n");
  expect(heading).toMatch(/^ID +NAME +PLAN +STATE/);
  expect(row).toMatch(/^ten_\w+ +\w+ +scale +active/);
  const next = await admin(`tenants list ${more?.replace("More with ", "")}`);
  expect(next.said.split("\n")[1]).toMatch(/^ten_/);
  expect((await admin("tenants list --state deleted")).said).toBe("There are none.\n");
});

test("keys, plans and hosts have their commands", async () => {
  const made = await admin(`keys create ${h.tenantId} --name ci --scopes exec,files:read --json`);
  const { id } = JSON.parse(made.said);
  expect((await admin(`keys list ${h.tenantId}`)).said).toMatch(/ci +e2b_\w+ +- +- +exec files:read/);
  expect((await admin(`keys revoke ${id}`)).said).toBe("Done.\n");
  writeFileSync(join(folder, "plan.json"), JSON.stringify(api.putPlan.example.body));
  expect((await admin(`plans set team --file ${folder}/plan.json`)).code).toBe(0);
  expect((await admin("plans list")).said).toMatch(/^team +20/m);
  expect((await admin("plans delete team")).code).toBe(0);
  expect((await admin(`hosts drain ${h.host.hostId}`)).said).toMatch(/^state +draining$/m);
  expect((await admin(`hosts remove ${h.host.hostId} --confirm-dead`)).said).toMatch(/^endedSandboxes +0$/m);
});

test("what cannot be done is said in one sentence, and told apart by the exit code", async () => {
  expect(await admin("tenants show ten_00000000000000000000")).toMatchObject({
    code: 1,
    said: expect.stringMatching(/^There is no tenant with this id\. \(tenant_not_found, req_\w+\)\n$/),
  });
  const usageErrors = [
    "tenants",
    "tenants eat",
    "tenants show",
    "tenants list now",
    "hosts list --nothing 1",
  ];
  for (const line of usageErrors) expect([line, (await admin(line)).code]).toEqual([line, 2]);
  expect((await admin("tenants create --name a --burst many")).said).toContain("--burst must be a number");
  const noKey = await admin("tenants list", { SANDGATE_ADMIN_KEY: "" });
  expect(noKey).toMatchObject({ code: 2, said: expect.stringContaining("SANDGATE_ADMIN_KEY") });
  const wrong = await admin("tenants list", { SANDGATE_ADMIN_KEY: "wrong" });
  expect(wrong).toMatchObject({ code: 1, said: expect.stringContaining("unauthenticated") });
});

test("credentials come from dev.env where the environment has none", async () => {
  const lines = `SANDGATE_URL=http://127.0.0.1:8787\nSANDGATE_ADMIN_KEY=${h.adminKey}\n`;
  writeFileSync(join(folder, "dev.env"), lines);
  const none = { SANDGATE_URL: "", SANDGATE_ADMIN_KEY: "" };
  expect((await admin("plans list", none)).code).toBe(0);
});

test("what a tenant has chosen cannot draw on the operator's terminal", async () => {
  await h.database.client.execute({ sql: "UPDATE keys SET name = ?", args: ["a\u001b[2Jb\u202ec"] });
  expect((await admin(`keys list ${h.tenantId}`)).said).toContain("a\uFFFD[2Jb\uFFFDc");
});

test("every row of the admin API that operators call by hand has a command, and every command a line of help", () => {
  const rows = Object.entries(api).filter(([, { scope }]) => scope === "operator");
  const commanded = new Set(Object.values(commands).map(({ row }) => row));
  expect(rows.map(([name]) => name).filter((name) => !commanded.has(name as never))).toEqual([]);
  for (const words of Object.keys(commands)) {
    expect(usage()).toContain(`  ${words}`);
    expect(usage(words)).toContain("--json");
  }
});
