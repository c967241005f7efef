import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { StopError } from "#templates/stop";
import { bundle } from "../bundle.mjs";
import { openLog } from "./log-file.ts";

const projectFolder = fileURLToPath(new URL("../..", import.meta.url));

export type ChildInput = {
  name: string;
  /** The program's TypeScript entry, from the project's folder. */
  entry: string;
  environment: NodeJS.ProcessEnv;
  logPath: string;
  /** Prefix that starts it as root, such as `sudo -n`; empty where we are root. */
  asRoot?: string[];
};

/** A program of ours that lives until its stdin closes, so that it ends with us whatever ends us. */
export type Child = {
  name: string;
  /** The process id. @throws Error when it does not run: a signal to a stale id would reach somebody else. */
  readonly pid: number;
  logPath: string;
  /** The `ready` line of its log. @throws StopError when it ended or stayed silent instead. */
  ready: Promise<Record<string, unknown>>;
  /** Resolves with a sentence when it ends without being asked to. */
  died: Promise<string>;
  stop(): Promise<void>;
};

const readyMs = 120_000;
/** A host with eighty sandboxes drains in a few seconds; this is for one whose engine hangs. */
const stopMs = 60_000;

/** Starts a program and keeps its log in a file; its being ready is not waited for. */
export async function startChild(input: ChildInput): Promise<Child> {
  const file = await bundle(input.entry).catch((cause: Error) => {
    throw new StopError(cause.message);
  });
  const command = [
    ...(input.asRoot ?? []),
    process.execPath,
    "--enable-source-maps",
    file,
    "--stop-with-parent",
  ];
  const [program = process.execPath, ...args] = command;
  const log = openLog(input.logPath);
  const child = spawn(program, args, {
    cwd: projectFolder,
    env: input.environment,
    stdio: ["pipe", "pipe", "pipe"],
    // Ctrl-C reaches every process of the terminal's group; the order of stopping is ours to keep.
    detached: true,
  });
  child.stdout.on("data", log.write);
  child.stderr.on("data", log.write);
  let lastWords = "";
  child.stderr.on("data", (chunk: Buffer) => {
    lastWords = (lastWords + chunk.toString()).slice(-2_000);
  });
  let isStopping = false;
  const ended = new Promise<string>((resolve) => {
    child.once("error", (cause) => resolve(`${input.name} could not be started: ${cause.message}`));
    child.once("close", (code) => {
      log.close();
      resolve(sentenceOf(input, lastWords, code));
    });
  });
  child.stdin.on("error", () => undefined); // it may have ended already
  return {
    name: input.name,
    get pid() {
      const isRunning = child.exitCode === null && child.signalCode === null;
      if (child.pid === undefined || !isRunning) throw new Error(`The ${input.name} does not run.`);
      return child.pid;
    },
    logPath: input.logPath,
    ready: readyLine(child, input, ended),
    died: new Promise((resolve) => void ended.then((sentence) => !isStopping && resolve(sentence))),
    async stop() {
      isStopping = true;
      child.stdin.end();
      const timer = setTimeout(() => child.kill("SIGKILL"), stopMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

function readyLine(child: ChildProcess, input: ChildInput, ended: Promise<string>) {
  const ready = new Promise<Record<string, unknown>>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new StopError(`${input.name} is not ready yet; see ${input.logPath}.`)),
      readyMs,
    );
    const settle = () => clearTimeout(timer);
    void ended.then((sentence) => {
      settle();
      reject(new StopError(sentence));
    });
    if (!child.stdout) return;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const event = line.includes('"event":"ready"') ? parseLine(line) : undefined;
      if (!event) return;
      settle();
      resolve(event);
    });
  });
  ready.catch(() => undefined); // whoever waits for it gets the failure
  return ready;
}

function parseLine(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** A program that stops for a reason of the user's says it in one line; anything else is in its log. */
function sentenceOf(input: ChildInput, lastWords: string, code: number | null): string {
  const [sentence = "", ...rest] = lastWords.trim().split("\n");
  if (sentence !== "" && rest.length === 0) return sentence;
  return `${input.name} ended with code ${code ?? "none"}; see ${input.logPath}.`;
}
