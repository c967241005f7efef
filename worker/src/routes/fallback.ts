import { type ApiRow, api } from "#contract/api";
import { AppError } from "../errors.ts";
import { answerProblem } from "../middleware/problem.ts";
import type { App } from "./mount.ts";

/** What no row serves: a known path with another method is 405 and says which fit, the rest is 404. */
export function mountFallbacks(app: App): void {
  const rows: ApiRow[] = Object.values(api);
  for (const path of new Set(rows.map((row) => row.path))) {
    const allow = rows
      .filter((row) => row.path === path)
      .map((row) => row.method.toUpperCase())
      .join(", ");
    app.all(path, (c) => {
      const sentence = `This address takes ${allow}.`;
      return answerProblem(c, new AppError("method_not_allowed", sentence, { facts: { allow } }));
    });
  }
  app.notFound((c) => answerProblem(c, new AppError("not_found", "There is nothing at this address.")));
  app.onError((error, c) => answerProblem(c, error));
}
