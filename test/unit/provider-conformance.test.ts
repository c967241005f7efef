import { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { newHostCode, newHostId } from "#contract/ids";
import { hostFetch } from "#test/fakes/host-fetch";
import { FakeProvider } from "#test/fakes/provider";
import { makeHostKeys } from "#worker/hosts/keys";
import { nodeFetch } from "#worker/node-fetch";
import { serveUpgrades } from "#worker/node-passage";
import { agentHostProvider } from "#worker/providers/agent-host/make";
import { providerConformance } from "../conformance/provider/suite.ts";

const host = { code: newHostCode(), hostId: newHostId(), url: "http://127.0.0.1:1" };
const rest = { host, template: "base", close: async () => undefined };

providerConformance("the fake", async () => ({ provider: new FakeProvider(Date.now), ...rest }));

providerConformance("the agent-host client, over a fake host", async () => {
  const hostKeys = makeHostKeys("0123456789abcdef0123456789abcdef");
  const fetch = hostFetch(new FakeProvider(Date.now), hostKeys);
  return { provider: agentHostProvider({ hostKeys, now: Date.now, fetch }), ...rest };
});

providerConformance("the agent-host client, over a connection of the Node entry", async () => {
  const hostKeys = makeHostKeys("0123456789abcdef0123456789abcdef");
  const behind = hostFetch(new FakeProvider(Date.now), hostKeys);
  const server = createAdaptorServer({ fetch: (request: Request) => behind(request) });
  if (!(server instanceof Server)) throw new Error("no HTTP/1.1");
  serveUpgrades(server, (request) => behind(request));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    ...rest,
    provider: agentHostProvider({ hostKeys, now: Date.now, fetch: nodeFetch }),
    host: { ...host, url: `http://127.0.0.1:${address.port}` },
    close: async () => void server.close(),
  };
});
