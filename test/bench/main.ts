import { readFile, writeFile } from "node:fs/promises";
import { machine } from "../support/machine.ts";
import { PlainDocker } from "./baselines/docker.ts";
import { startEcho } from "./baselines/echo.ts";
import { catalogue, notQuick } from "./catalogue.ts";
import { Cleanups } from "./cleanups.ts";
import { writeDocs } from "./docs.ts";
import { environmentOf } from "./figures/environment.ts";
import { helpText, OptionError, type Options, parseOptions } from "./options.ts";
import { methodOf, printed, type Report, reportOf } from "./report.ts";
import { runCases } from "./run.ts";
import { scales } from "./scale.ts";

const names = catalogue.map(({ name }) => name);
const interrupted = 130;

/** Measures what was asked for. Whatever ends it, nothing of it is left on the machine. */
async function measure(options: Options, signal: AbortSignal): Promise<Report> {
  const startedMs = performance.now();
  const mode = options.isQuick ? "quick" : "full";
  const scale = scales[mode];
  const cleanups = new Cleanups();
  const work = async (): Promise<Report> => {
    const { engine, templates } = await machine();
    const docker = new PlainDocker(engine.socketPath, templates[0].image);
    cleanups.add(() => docker.close());
    await docker.sweep();
    const environment = environmentOf(await docker.version());
    const echo = await startEcho(cleanups);
    const wanted = options.only.filter((name) => !isLeftOut(options, name));
    const report = (line: string) => void process.stderr.write(`${line}\n`);
    const results = await runCases({ scale, docker, echo, cleanups }, wanted, report);
    for (const name of options.only)
      if (isLeftOut(options, name))
        results.skipped.push({ name, reason: "--quick leaves it out unless --only names it" });
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    return reportOf(results, { mode, environment, seconds, method: methodOf(scale) });
  };
  try {
    return await Promise.race([work(), aborted(signal)]);
  } finally {
    await cleanups.close();
  }
}

/** Everything was asked for, and not this one by its name. */
function isLeftOut({ isQuick, only }: Options, name: string): boolean {
  return isQuick && only.length === names.length && notQuick.includes(name);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2), names);
  if (options.isHelp) {
    console.log(helpText(catalogue));
    return 0;
  }
  if (options.docsPath !== undefined) {
    await writeDocs(JSON.parse(await readFile(options.docsPath, "utf8")) as Report);
    return 0;
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      process.stderr.write("Stopping; what was started is being removed.\n");
      stop.abort();
    });
  try {
    const report = await measure(options, stop.signal);
    if (options.jsonPath !== undefined)
      await writeFile(options.jsonPath, `${JSON.stringify(report, null, 2)}\n`);
    console.log(printed(report));
    return 0;
  } catch (cause) {
    if (stop.signal.aborted) return interrupted;
    throw cause;
  }
}

main().then(
  (code) => process.exit(code),
  (cause: unknown) => {
    console.error(cause instanceof OptionError ? cause.message : cause);
    process.exit(1);
  },
);
