import { spawn } from "node:child_process";
import { once } from "node:events";

/** Runs a script with bash, which stops at the first command that fails, and returns all that it printed. */
export async function runScript(script: string, folder: string): Promise<string> {
  const child = spawn("bash", ["-euo", "pipefail", "-c", script], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
    });
  }
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`The script ended with ${code}:\n${script}\nIt printed:\n${printed}`);
  return printed;
}
