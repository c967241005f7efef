import type { Engine } from "#host/engine/request";

const deadlineMs = 60_000;

/** Runs a command in a fresh container of an image, as a sandbox would be: no network, read-only root. */
export async function runInImage(engine: Engine, image: string, command: string[]) {
  const { Id: id } = await engine.json<{ Id: string }>({
    method: "POST",
    path: "/containers/create",
    // With a terminal, the log is what was written and not frames of it.
    body: {
      Image: image,
      Cmd: command,
      Tty: true,
      HostConfig: { NetworkMode: "none", ReadonlyRootfs: true },
    },
    deadlineMs,
  });
  const container = `/containers/${id}`;
  try {
    await engine.text({ method: "POST", path: `${container}/start`, deadlineMs });
    const { StatusCode } = await engine.json<{ StatusCode: number }>({
      method: "POST",
      path: `${container}/wait`,
      deadlineMs,
    });
    const output = await engine.text({
      method: "GET",
      path: `${container}/logs?stdout=1&stderr=1`,
      deadlineMs,
    });
    return { exitCode: StatusCode, output: output.trim() };
  } finally {
    await engine.text({ method: "DELETE", path: `${container}?force=1&v=1`, deadlineMs });
  }
}
