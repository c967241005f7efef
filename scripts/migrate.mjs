// `npm run migrate`: brings the database that the settings name up to date, and does nothing else.
import { ensureDependencies } from "./dependencies.mjs";

ensureDependencies();
const { run } = await import("./bundle.mjs");
await run("scripts/start/migrate.ts");
