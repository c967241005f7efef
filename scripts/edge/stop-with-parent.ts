/** Runs `stop` once, on a signal or when the process that started this one has ended, then ends this process. */
export function stopWithParent(stop: () => Promise<void>): void {
  let isStopping = false;
  const stopOnce = () => {
    if (isStopping) return;
    isStopping = true;
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on("SIGTERM", stopOnce).on("SIGINT", stopOnce);
  if (process.argv.includes("--stop-with-parent")) process.stdin.once("end", stopOnce).resume();
}

/** One line for whoever started this process: it is ready, and where. */
export function sayReady(url: string): void {
  process.stdout.write(`${JSON.stringify({ level: "info", event: "ready", url })}\n`);
}
