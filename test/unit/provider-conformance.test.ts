import { newHostCode, newHostId } from "#contract/ids";
import { hostFetch } from "#test/fakes/host-fetch";
import { FakeProvider } from "#test/fakes/provider";
import { makeHostKeys } from "#worker/hosts/keys";
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
