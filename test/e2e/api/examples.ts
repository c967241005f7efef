import { expect, test } from "vitest";
import { type ApiRow, api as contract } from "#contract/api";
import { tagOf } from "#worker/openapi/operation";
import type { Api } from "../../support/api.ts";

/** What an `:id` stands for, by the first folder of the path; it is made for one example and ended after it. */
const things: Record<string, (api: Api) => Promise<{ id: string; end: () => Promise<void> }>> = {
  async sandboxes(api) {
    const { id } = await api.create();
    // The example itself may have ended it, which is no fault.
    return { id, end: async () => void (await api.call("DELETE", `/v1/sandboxes/${id}`)) };
  },
};

/** Sends the example of every row of the contract, as the documentation shows it, and holds the answer to the row. */
export function examplesSuite(api: () => Api): void {
  test.each(Object.entries(contract) as [string, ApiRow][])("the example of %s works", async (name, row) => {
    expect(row.example, "every row has an example").toBeDefined();
    if (!row.path.includes(":")) return expectExample(api(), row, row.path);
    const make = things[tagOf(row)];
    if (!make) throw new Error(`Say in this file how to make what the :id of ${name} stands for.`);
    const { id, end } = await make(api());
    try {
      await expectExample(api(), row, row.path.replace(":id", id));
    } finally {
      await end();
    }
  });
}

async function expectExample(api: Api, row: ApiRow, path: string): Promise<void> {
  const query = new URLSearchParams(row.example?.query).toString();
  const body = row.rawBodyMaxBytes === undefined ? (row.example?.body as object | undefined) : "hello\n";
  const response = await api.call(row.method.toUpperCase(), query === "" ? path : `${path}?${query}`, body);
  const text = await response.text();
  expect([response.status, text]).toEqual([row.status, expect.any(String)]);
  expect(response.headers.get("x-request-id")).toMatch(/^req_/);
  if (row.status === 204) return expect(text).toBe("");
  const type = row.result ? "application/json" : (row.resultType ?? "application/octet-stream");
  expect(response.headers.get("content-type")?.split(";")[0]).toBe(type);
  if (row.result) expect(row.result.safeParse(JSON.parse(text)).error).toBeUndefined();
}
