import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Harness, harness } from "#test/support/harness";
import { openApiDocument } from "#worker/openapi/document";

let h: Harness;
beforeAll(async () => {
  h = await harness();
});
afterAll(() => h.close());

test("the OpenAPI document is served to everyone, the same each time", async () => {
  const first = await h.send("GET", "/openapi.json");
  expect([first.status, first.headers.get("content-type")]).toEqual([200, "application/json"]);
  const text = await first.text();
  expect(JSON.parse(text)).toEqual(openApiDocument());
  expect(await (await h.send("GET", "/openapi.json")).text()).toBe(text);
});

test("the reference shows every operation, every shape and every error", async () => {
  const page = await (await h.send("GET", "/docs")).text();
  const document = JSON.parse(JSON.stringify(openApiDocument()));
  for (const methods of Object.values(document.paths) as Record<string, { operationId: string }>[]) {
    for (const { operationId } of Object.values(methods)) expect(page).toContain(`id="${operationId}"`);
  }
  for (const name of Object.keys(document.components.schemas)) expect(page).toContain(`id="schema-${name}"`);
  const targets = [...page.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
  for (const id of targets) expect(page).toContain(`id="${id}"`);
});

test("the reference asks nobody else for anything, and runs nothing", async () => {
  const response = await h.send("GET", "/docs");
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  const policy = response.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/unsafe|https?:|script-src|\*/);
  const page = await response.text();
  const [, sheet = ""] = /<style>([\s\S]*?)<\/style>/.exec(page) ?? [];
  expect(policy).toContain(`style-src 'sha256-${createHash("sha256").update(sheet).digest("base64")}'`);
  const loads = [...page.matchAll(/\b(?:src|srcset|href|action|poster|data)="([^"]*)"|url\(|@import/g)];
  const elsewhere = loads
    .map(([, address]) => address ?? "css")
    .filter((address) => !/^(#|data:,$|\/)/.test(address));
  expect(elsewhere).toEqual([]);
  expect(page).not.toMatch(/<(script|iframe|object|embed|link rel="stylesheet")/i);
  expect(page).not.toMatch(/\son[a-z]+=|\sstyle=/i);
});
