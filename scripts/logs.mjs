// `npm run logs`: follows what the processes of `npm start` log, as text.
import { ensureDependencies } from "./dependencies.mjs";

ensureDependencies();
const { register } = await import("tsx/esm/api");
register();
await import("./logs/main.ts");
