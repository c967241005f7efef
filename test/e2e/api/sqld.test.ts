import { describe } from "vitest";
import { onEdge } from "../../../scripts/edge/stack.ts";
import { hasSqld, startSqld } from "../../support/sqld.ts";
import { testStack } from "../../support/stack.ts";
import { apiSuite } from "./suite.ts";

// At low concurrency only: this release of sqld hangs under many write transactions at once.
describe.runIf(hasSqld)("with a real libSQL server", () => {
  apiSuite("the API in workerd", () =>
    testStack({}, undefined, (input) => onEdge(input, ({ dataDir }) => startSqld(dataDir))),
  );
});
