import { onEdge } from "../../../scripts/edge/stack.ts";
import { testStack } from "../../support/stack.ts";
import { apiSuite } from "./suite.ts";

apiSuite("the API in workerd", () => testStack({}, undefined, onEdge));
