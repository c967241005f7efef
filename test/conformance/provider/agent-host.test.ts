import { pino } from "pino";
import { newHostCode, newHostId } from "#contract/ids";
import { resolveSettings } from "#contract/settings";
import { createEngine } from "#host/engine/request";
import { runHost } from "#host/run";
import { makeHostKeys } from "#worker/hosts/keys";
import { nodeFetch } from "#worker/node-fetch";
import { agentHostProvider } from "#worker/providers/agent-host/make";
import { machine, scratchFolder } from "../../support/machine.ts";
import { providerConformance } from "./suite.ts";

const secret = "0123456789abcdef0123456789abcdef";

/** A real host with real containers, in this process; nobody hears its heartbeats. */
providerConformance("the agent-host with Docker", async () => {
  const prepared = await machine();
  const folder = scratchFolder();
  const engine = createEngine(prepared.engine.socketPath);
  const [hostId, code] = [newHostId(), newHostCode()];
  const hostKeys = makeHostKeys(secret);
  const { values } = resolveSettings({ ...process.env, SANDGATE_POOL_TARGET: "2" });
  const config = {
    settings: values,
    hostFolder: folder.path,
    identity: {
      hostId,
      code,
      key: Buffer.from(await hostKeys.rawKeyOf(hostId)).toString("hex"),
      controlUrl: "http://127.0.0.1:9",
    },
    prepared: {
      sandboxdPath: prepared.sandboxdPath,
      templates: prepared.templates.map(({ name, digest, image }) => ({ name, digest, image })),
    },
  };
  const host = await runHost(config, engine, pino({ level: "silent" }), AbortSignal.abort());
  return {
    provider: agentHostProvider({ hostKeys, now: Date.now, fetch: nodeFetch }),
    host: { hostId, code, url: host.url },
    template: "base",
    async close() {
      await host.stop();
      engine.close();
      folder.dispose();
    },
  };
});
