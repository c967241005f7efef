import { startRawSandboxd } from "../baselines/sandboxd.ts";
import { blockPlan, runBlocks } from "../figures/blocks.ts";
import { summarize } from "../figures/measure.ts";
import { faster, type Outcome, type Row } from "../figures/row.ts";
import { streamExec } from "../load/events.ts";
import type { Stage } from "../stage.ts";

const bytes = 100_000_000;
const print = `import sys
piece = b"a" * 65536
for _ in range(${bytes} // 65536):
    sys.stdout.buffer.write(piece)
sys.stdout.buffer.write(b"a" * (${bytes} % 65536))
`;
const command = ["python3", "-c", print];
/** Longer than any event. */
const expected = "a".repeat(1024 * 1024);

/** 100 MB from a command's standard output to a reader, looked at to the last byte. */
export async function stdoutCase(stage: Stage): Promise<Outcome> {
  const { fleet, bench, stack } = stage;
  const raw = await startRawSandboxd(bench.cleanups);
  const { id } = await fleet.create();
  const container = await bench.docker.run();
  const work = {
    api: () =>
      counted((count) =>
        streamExec(stack, id, command, ({ name, data }) => {
          if (name === "exit") return;
          const { data: text } = JSON.parse(data) as { data: string };
          if (name !== "stdout" || text !== expected.slice(0, text.length))
            throw new Error(`The stream brought ${name} in place of what was printed.`);
          count(text.length);
        }),
      ),
    sandboxd: () => counted((count) => raw.exec([...command], (_, piece) => count(piece.length))),
    docker: () => counted((count) => bench.docker.exec(container, command, (piece) => count(piece.length))),
  };
  const plan = blockPlan(bench.scale.stdouts, [
    { name: "api", times: 1, settle: 1 },
    { name: "sandboxd", times: 1 },
    { name: "docker", times: 1 },
  ]);
  const took = await runBlocks(plan, work);
  await bench.docker.remove(container);
  await fleet.delete(id);
  const row = (name: string, tookMs: number[]): Required<Pick<Row, "name" | "sample" | "figure">> => {
    const sample = summarize(tookMs);
    return { name, sample, figure: { value: bytes / 1e3 / sample.p50, unit: "MB/s" } };
  };
  const ours = row("100 MB of stdout", took.api);
  const others = [row("docker exec, 100 MB", took.docker), row("sandboxd alone, 100 MB", took.sandboxd)];
  const against = others.map(({ name, sample }) => faster(name, ours.sample, sample));
  return { rows: [{ ...ours, against }, ...others] };
}

/** @throws Error when what was counted is not all that was printed */
async function counted(work: (count: (length: number) => void) => Promise<unknown>): Promise<void> {
  let seen = 0;
  await work((length) => {
    seen += length;
  });
  if (seen !== bytes) throw new Error(`${seen} bytes came out of ${bytes}.`);
}
