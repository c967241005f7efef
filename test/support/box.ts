import { onTestFinished } from "vitest";
import type { CreateSandbox } from "#contract/sandbox";
import type { Api } from "./api.ts";

/** The id of a sandbox that ends with the test it is made in. */
export async function boxOf(api: Api, input: CreateSandbox = {}): Promise<string> {
  const { id } = await api.create(input);
  onTestFinished(() => api.delete(id).catch(() => undefined));
  return id;
}
