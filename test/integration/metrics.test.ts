import { afterAll, beforeAll, expect, test } from "vitest";
import { type Harness, harness, problemOf } from "#test/support/harness";
import { formatGauges } from "#worker/metrics/gauges";
import { requireOperator } from "#worker/middleware/operator";
import { testConfig } from "../support/config.ts";

let h: Harness;
beforeAll(async () => {
  h = await harness();
});
afterAll(() => h.close());

const scrape = (key?: string) => h.send("GET", "/metrics", { key });

test("only the operator reads the service's metrics: no tenant, nobody, no near miss", async () => {
  for (const key of [undefined, "", h.key, `${testConfig.adminKey}x`, testConfig.adminKey.slice(0, -1)]) {
    const response = await scrape(key);
    expect(response.status).toBe(401);
    expect((await problemOf(response)).code).toBe("unauthenticated");
  }
});

test("where no admin key is set up nobody is the operator, not even with an empty one", async () => {
  for (const adminKey of ["", "short"]) {
    const headers = new Headers({ authorization: `Bearer ${adminKey || "x"}` });
    await expect(requireOperator(adminKey, headers)).rejects.toMatchObject({ code: "unauthenticated" });
  }
});

test("it tells how many sandboxes and runs there are, and which hosts are heard, and names no tenant", async () => {
  await h.create();
  await h.create();
  await h.heartbeat({ pools: [{ template: "base", available: 3, starting: 1 }] });
  const response = await scrape(testConfig.adminKey);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const text = await response.text();
  expect(text).toContain('sandgate_sandboxes{state="running"} 2\n');
  expect(text).toContain('sandgate_runs{state="queued"} 0\n');
  expect(text).toMatch(/^sandgate_host_up\{host="\w+"\} 1$/m);
  expect(text).toMatch(/^sandgate_host_pool_members\{host="\w+",template="base"\} 3$/m);
  expect(text).not.toContain(h.tenantId);
  h.clock.advance(20_000);
  expect(await (await scrape(testConfig.adminKey)).text()).toMatch(/^sandgate_host_up\{host="\w+"\} 0$/m);
});

test("a label's value cannot end its line or its quotes", () => {
  const text = formatGauges([{ name: "g", help: "h", values: [{ labels: { l: 'a"b\\c\nd' }, value: 1 }] }]);
  expect(text).toContain('g{l="a\\"b\\\\c\\nd"} 1\n');
});
