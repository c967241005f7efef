import { FakeRuntime } from "../../fakes/runtime.ts";
import { runtimeConformance } from "./suite.ts";

runtimeConformance("the fake runtime", async () => {
  const runtime = new FakeRuntime();
  const template = { name: "base", digest: "d", image: "i" };
  return { runtime, template, again: () => runtime, dispose: async () => undefined };
});
