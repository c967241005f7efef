import { testStack } from "../../support/stack.ts";
import { apiSuite } from "./suite.ts";

apiSuite("the API on Node", () => testStack());
