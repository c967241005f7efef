import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { readNodeSettings } from "#worker/node-settings";
import { startHrana } from "./hrana/server.ts";
import { sayReady, stopWithParent } from "./stop-with-parent.ts";

// The database of the edge stack as a process of its own, so that a long statement holds up nobody else.
// The file holds what only its owner may read.
process.umask(0o077);
const { dataDir, values } = await readNodeSettings(process.env);
await mkdir(dataDir, { recursive: true, mode: 0o700 });
const server = await startHrana({
  path: join(dataDir, "sandgate.db"),
  token: values.SANDGATE_DATABASE_TOKEN,
});
stopWithParent(() => server.close());
sayReady(server.url);
