// `npm run migrate`: brings the database that the settings name up to date, and does nothing else.
import { ensureDependencies } from "./dependencies.mjs";

ensureDependencies();
const { register } = await import("tsx/esm/api");
register();
await import("./start/migrate.ts");
