import type { Clock } from "../context.ts";
import type { Db } from "../db/client.ts";
import { formatGauges, serviceGauges } from "../metrics/gauges.ts";
import type { Recorder } from "../metrics/recorder.ts";
import { requireOperator } from "../middleware/operator.ts";
import { answerProblem } from "../middleware/problem.ts";
import type { App } from "./mount.ts";

type Deps = { db: Db; now: Clock; adminKey: string; recorder: Recorder | undefined };

/** What Prometheus reads. Not a row of the public contract: it is the operator's, by the admin key. */
export function mountMetrics(app: App, deps: Deps): void {
  app.get("/metrics", async (c) => {
    c.get("state").route = "metrics";
    try {
      await requireOperator(deps.adminKey, c.req.raw.headers);
      const gauges = formatGauges(await serviceGauges(deps));
      const counted = (await deps.recorder?.text()) ?? "";
      return new Response(`${gauges}\n${counted}`, {
        headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
      });
    } catch (error) {
      return answerProblem(c, error);
    }
  });
}
