// `npm test`: prepares a fresh machine as `npm start` does, then runs every check and every test.
import { ensureDependencies } from "./dependencies.mjs";

ensureDependencies();
const { run } = await import("./bundle.mjs");
await run("scripts/start/test.ts");
