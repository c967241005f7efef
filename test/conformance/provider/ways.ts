import type { HostCreate } from "#contract/host";
import type { Call, Place, SandboxProvider } from "#worker/providers/provider";

/** What a chapter of the suite is given to ask a provider with. */
export type Ways = {
  provider: () => SandboxProvider;
  call: Call;
  withSandbox: (work: (place: Place) => Promise<void>, over?: Partial<HostCreate>) => Promise<void>;
  codeOf: (work: Promise<unknown>) => Promise<string>;
};
