import { machine } from "./machine.ts";

/** The image that suites start sandboxes from: the `base` template, built where it is not there yet. */
export async function baseImage(): Promise<string> {
  return (await machine()).templates[0].image;
}
