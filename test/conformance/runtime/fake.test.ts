import { FakeRuntime } from "../../fakes/runtime.ts";
import { runtimeConformance } from "./suite.ts";

runtimeConformance("the fake runtime", async () => ({
  runtime: new FakeRuntime(),
  template: { name: "base", digest: "d", image: "i" },
  dispose: async () => undefined,
}));
