import { afterAll, expect, test } from "vitest";
import { scratchFolder } from "#test/support/machine";
import { manifestOf } from "#test/support/manifest";
import { startHostOnly } from "../../../scripts/start/host-only.ts";
import type { PreparedMachine } from "../../../scripts/start/steps.ts";

const folder = scratchFolder();
afterAll(() => folder.dispose());

test("a host for a control plane elsewhere does not start without knowing where that is", async () => {
  const prepared = {
    engine: { socketPath: "", startedByUs: false, startedNow: false },
    templates: [{ ...manifestOf(), digest: "sha256:0", image: "image" }] as PreparedMachine["templates"],
    sandboxdPath: "sandboxd",
  };
  const start = (environment: NodeJS.ProcessEnv) =>
    startHostOnly({ prepared, dataDir: folder.path, environment, asRoot: [] });
  await expect(start({})).rejects.toThrow("Set SANDGATE_PUBLIC_URL:");
  const url = "https://api.example.com";
  await expect(start({ SANDGATE_PUBLIC_URL: url })).rejects.toThrow("Set SANDGATE_DATABASE_URL:");
  const here = { SANDGATE_PUBLIC_URL: url, SANDGATE_DATABASE_URL: "libsql://db.example.com" };
  await expect(start(here)).rejects.toThrow("Set SANDGATE_HOST_SECRET:");
});
