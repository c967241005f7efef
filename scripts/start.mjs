// `npm start`: installs the dependencies if need be, then goes on in TypeScript in this same process, so that a
// signal reaches one program and the exit code is its own.
import { ensureDependencies } from "./dependencies.mjs";

ensureDependencies();
const { run } = await import("./bundle.mjs");
await run("scripts/start/main.ts");
