import { afterEach, beforeEach, expect, test } from "vitest";
import { SandboxId } from "#contract/ids";
import { PortAccess } from "#contract/ports";
import { type Harness, harness } from "#test/support/harness";

let h: Harness;
beforeEach(async () => {
  h = await harness();
  h.provider.servers.set(8000, () => new Response("hello"));
});
afterEach(() => h.close());

test("whoever has the token is let in during a flood of those who have none, and nobody else is", async () => {
  const id = SandboxId.parse((await h.create({ publicPorts: true })).id);
  const access = await h.send("GET", `/v1/sandboxes/${id}/ports`, { key: h.key });
  const { hostName, trafficToken } = PortAccess.parse(await access.json());
  const url = `http://${hostName.replace("{port}", "8000")}/`;
  const visit = async (headers: Record<string, string>) => (await h.send("GET", url, { headers })).status;
  const visits = async () => [
    await visit({ "e2b-traffic-access-token": trafficToken }),
    await visit({ "e2b-traffic-access-token": "0".repeat(64) }),
    await visit({}),
  ];
  expect(await visits()).toEqual([200, 403, 200]);
  const flood = () => {
    for (let i = 0; i < 10_000; i++) h.deps.portVisits.take(id, "anyone");
  };
  expect(flood).toThrow("more requests");
  expect(await visits()).toEqual([200, 429, 429]);
});
