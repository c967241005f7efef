/** One line of a `mountinfo`, as proc(5) has it. */
export type Mount = {
  point: string;
  /** The folder of its file system that is shown there. */
  root: string;
  type: string;
  isShared: boolean;
};

/** Mounts in the order they were made: of those at one place the last one is seen. */
export function parseMountinfo(text: string): Mount[] {
  return text.split("\n").flatMap((line) => {
    const [left = "", right = ""] = line.split(" - ");
    const [, , , root, point, , ...optional] = left.split(" ");
    const [type] = right.split(" ");
    if (root === undefined || point === undefined || type === undefined) return [];
    return { point, root, type, isShared: optional.some((field) => field.startsWith("shared:")) };
  });
}

/** What a container has at /workspace; `missing` where its disk was not mounted, or is no more. */
export type WorkspaceKind = "loop" | "tmpfs" | "missing";

/** @param mountinfo of a process in the container */
export function workspaceKind(mountinfo: string): WorkspaceKind {
  const seen = parseMountinfo(mountinfo).findLast(({ point }) => point === "/workspace");
  if (seen?.type === "ext4") return "loop";
  // The empty folder that a disk is to be mounted on is a part of a tmpfs, the engine's own tmpfs a whole one.
  return seen?.type === "tmpfs" && seen.root === "/" ? "tmpfs" : "missing";
}
