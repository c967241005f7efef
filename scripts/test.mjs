// `npm test`: prepares a fresh machine as `npm start` does, then runs every check and every test.
import { ensureDependencies } from "./dependencies.mjs";

ensureDependencies();
const { register } = await import("tsx/esm/api");
register();
await import("./start/test.ts");
