import { HostError } from "../errors.ts";

/** @param retryAfterSeconds when it makes sense to come back */
export function noCapacity(retryAfterSeconds: number, cause?: unknown): HostError {
  const unit = retryAfterSeconds === 1 ? "second" : "seconds";
  const sentence = `This host has no room; try again in ${retryAfterSeconds} ${unit}.`;
  return new HostError("no_capacity", sentence, { cause, facts: { retryAfterSeconds } });
}

/** This host does not serve the template, or ends. */
export function closed(): HostError {
  return new HostError("no_capacity", "This host has no room; try another one.");
}
