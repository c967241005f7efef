import { parseArgs } from "node:util";

export type Options = {
  isQuick: boolean;
  /** Names of the cases to run, in the order of the catalogue. */
  only: string[];
  jsonPath?: string;
  /** Nothing is measured: the results in this file become the ones in the docs. */
  docsPath?: string;
  isHelp: boolean;
};

/** What was asked for cannot be done; the message says what can. */
export class OptionError extends Error {
  override readonly name = "OptionError";
}

/** @throws OptionError with one sentence */
export function parseOptions(args: readonly string[], caseNames: readonly string[]): Options {
  const values = parse(args);
  const asked = (values.only ?? "").split(",").filter(Boolean);
  const unknown = asked.find((name) => !caseNames.includes(name));
  if (unknown !== undefined)
    throw new OptionError(`There is no case named ${unknown}; there are ${caseNames.join(", ")}.`);
  if (values.only !== undefined && asked.length === 0)
    throw new OptionError(`--only takes names with commas between them: ${caseNames.join(", ")}.`);
  return {
    isQuick: values.quick ?? false,
    only: asked.length === 0 ? [...caseNames] : caseNames.filter((name) => asked.includes(name)),
    isHelp: values.help ?? false,
    ...(values.json !== undefined && { jsonPath: values.json }),
    ...(values.docs !== undefined && { docsPath: values.docs }),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: { type: "boolean" },
        only: { type: "string" },
        json: { type: "string" },
        docs: { type: "string" },
        help: { type: "boolean" },
      },
    }).values;
  } catch (cause) {
    throw new OptionError(`${(cause as Error).message} --help names what there is.`);
  }
}

export function helpText(cases: readonly { name: string; about: string }[]): string {
  return [
    "npm run bench -- [--quick] [--only CASE,CASE] [--json FILE]",
    "npm run bench -- --docs FILE    writes the results in FILE, made by --json, into docs/benchmark.md",
    "",
    "cases:",
    ...cases.map(({ name, about }) => `  ${name.padEnd(12)}${about}`),
  ].join("\n");
}
