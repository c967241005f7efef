import { Listr } from "listr2";
import type { Report } from "#templates/runner";

export type Show = {
  /** Gets plain lines where the display does not move. */
  report: Report;
  /** Shows steps as lines that move; for terminals only. */
  isLive: boolean;
};

/** Whether lines can move here: a terminal that knows its width. Some that CI systems open have none. */
export function canShowLive(stream: { isTTY?: boolean; columns?: number }): boolean {
  return stream.isTTY === true && (stream.columns ?? 0) >= 40;
}

/** What a step brought, and the sentence that is true from now on. */
type Done<T> = { value: T; sentence: string };

/** Runs one step under its title: with a moving line on a terminal, with plain lines elsewhere. */
export async function runStep<T>(
  show: Show,
  title: string,
  work: (report: Report) => Promise<Done<T>>,
): Promise<T> {
  if (show.isLive) return runLive(title, work);
  const { value, sentence } = await work(show.report);
  show.report(sentence);
  return value;
}

async function runLive<T>(title: string, work: (report: Report) => Promise<Done<T>>): Promise<T> {
  const values: T[] = [];
  const list = new Listr(
    {
      title,
      task: async (_context, task) => {
        const { value, sentence } = await work((line) => {
          task.output = line;
        });
        values.push(value);
        task.title = sentence;
      },
    },
    {
      // Ctrl-C is handled by whoever called: a build under way must be undone before the process ends.
      registerSignalListeners: false,
      renderer: "default",
      // The caller prints the sentence once, below the list.
      rendererOptions: { showErrorMessage: false },
    },
  );
  await list.run();
  const [value] = values;
  if (value === undefined) throw new Error(`The step "${title}" ended without a result.`);
  return value;
}
