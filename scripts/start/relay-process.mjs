// Run as root by relay.ts: node relay-process.mjs <engine socket> <socket to make> <uid that may dial it>
import { chmodSync, chownSync } from "node:fs";
import { connect, createServer } from "node:net";

const [enginePath, ownPath, uid] = process.argv.slice(2);
const server = createServer({ allowHalfOpen: true }, (near) => {
  const far = connect({ path: enginePath, allowHalfOpen: true });
  near.pipe(far).pipe(near);
  near.once("error", () => far.destroy());
  far.once("error", () => near.destroy());
});

// The folder is its owner's alone, so nobody can dial in the moment before these two lines.
server.listen(ownPath, () => {
  chownSync(ownPath, Number(uid), -1);
  chmodSync(ownPath, 0o600);
  process.stdout.write("ready\n");
});
process.stdin.resume().once("close", () => process.exit(0));
