import { createConfig, lintFromString } from "@redocly/openapi-core";
import { expect, test } from "vitest";
import { type ApiRow, api, genericErrors } from "#contract/api";
import { openApiDocument } from "#worker/openapi/document";
import { errorsOf, outsideOfRows } from "#worker/openapi/errors";

const rows: [string, ApiRow][] = Object.entries(api);
const text = () => JSON.stringify(openApiDocument());

test("a linter has nothing to say about the document, not even a warning", async () => {
  const config = await createConfig({
    extends: ["recommended-strict"],
    // Relative servers and operations without a 4XX of their own would be findings; neither is turned off.
    rules: { "operation-operationId-unique": "error", "no-unused-components": "error" },
  });
  const problems = await lintFromString({ source: text(), config });
  expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual(
    [],
  );
});

test("every row is an operation, with its scope as security", () => {
  const document = JSON.parse(text());
  for (const [name, row] of rows) {
    const operation = document.paths[row.path.replace(/:(\w+)/g, "{$1}")][row.method];
    expect(operation.operationId).toBe(name);
    const tenants = [{ bearer: [] }, { apiKey: [] }];
    const security = row.scope === null ? [] : row.scope === "operator" ? [{ adminKey: [] }] : tenants;
    expect(operation.security).toEqual(security);
    expect(Object.keys(operation.responses)).toContain(String(row.status));
  }
});

test("every code that any endpoint can answer is in the operations, or belongs to none", () => {
  const answered = new Set(rows.flatMap(([, row]) => errorsOf(row)));
  expect(genericErrors.filter((code) => !answered.has(code))).toEqual(outsideOfRows);
});

test.each(rows)("the example answer of %s is what its own row promises", (_name, row) => {
  if (row.result) expect(row.result.safeParse(row.example?.result).error).toBeUndefined();
});

test("fields say what they are for, and shapes have names", () => {
  const { ExecRequest, Sandbox } = JSON.parse(text()).components.schemas;
  expect(ExecRequest.properties.command.description).toContain("never seen by a shell");
  expect(Sandbox.properties.endReason.$ref).toBe("#/components/schemas/EndReason");
});
