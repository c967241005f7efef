import { runAdmin } from "./run.ts";

process.exitCode = await runAdmin(process.argv.slice(2), {
  environment: process.env,
  print: (text) => console.log(text),
  complain: (text) => console.error(text),
  fetch,
});
