import { sql } from "drizzle-orm";
import type { Db } from "./client.ts";

/** Whether the database answers within the time given. */
export async function answersWithin(db: Db, deadlineMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), deadlineMs);
  });
  const answered = db.run(sql`SELECT 1`).then(
    () => true,
    () => false,
  );
  return Promise.race([answered, late]).finally(() => clearTimeout(timer));
}
