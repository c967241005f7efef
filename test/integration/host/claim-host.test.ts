import { expect, test } from "vitest";
import { newHostId } from "#contract/ids";
import { claimHost } from "#host/claim-host";

test("a host's identity is in use once, and free again when its process lets go", async () => {
  const hostId = newHostId();
  const release = await claimHost(hostId);
  await expect(claimHost(hostId)).rejects.toThrow("runs already");
  const other = await claimHost(newHostId());
  release();
  other();
  const again = await claimHost(hostId);
  again();
});
