// `npm run admin -- ...`: what operators do to tenants, keys, plans and hosts, over the admin API.
import { ensureDependencies } from "./dependencies.mjs";

ensureDependencies();
const { run } = await import("./bundle.mjs");
await run("scripts/admin/main.ts");
