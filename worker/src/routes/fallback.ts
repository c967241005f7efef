import { type ApiRow, api } from "#contract/api";
import { AppError } from "../errors.ts";
import { answerProblem } from "../middleware/problem.ts";
import { type App, idOf } from "./mount.ts";

const rows: ApiRow[] = Object.values(api);

/** What no row serves: a known path with another method is 405 and says which fit, the rest is 404. */
export function mountFallbacks(app: App): void {
  for (const path of new Set(rows.map((row) => row.path))) refuseOtherMethods(app, path);
  app.notFound((c) => answerProblem(c, new AppError("not_found", "There is nothing at this address.")));
  app.onError((error, c) => answerProblem(c, error));
}

/** For a path that another row's `:id` would match too, this comes before that row. */
export function refuseOtherMethods(app: App, path: ApiRow["path"]): void {
  const allow = rows
    .filter((row) => row.path === path)
    .map((row) => row.method.toUpperCase())
    .join(", ");
  app.all(path, (c) => {
    // What cannot be an id is nobody's address, whatever the method.
    if (path.includes("/:id")) idOf({ path }, c);
    const sentence = `This address takes ${allow}.`;
    return answerProblem(c, new AppError("method_not_allowed", sentence, { facts: { allow } }));
  });
}
