// `npm run logs`: follows what the processes of `npm start` log, as text.
import { ensureDependencies } from "./dependencies.mjs";

ensureDependencies();
const { run } = await import("./bundle.mjs");
await run("scripts/logs/main.ts");
