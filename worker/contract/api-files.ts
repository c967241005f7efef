import { type ApiRow, onSandbox, sandbox } from "./api-row.ts";
import { ArchiveQuery, DeleteQuery, EntriesQuery, EntryPage, FileQuery, WrittenFile } from "./files.ts";
import { limits } from "./limits.ts";

const onFile = [
  ...onSandbox,
  "too_many_execs",
  "file_not_found",
  "path_refused",
  "file_permission_denied",
] as const;
const onArchive = [
  ...onFile,
  "not_a_folder",
  "archive_unsupported",
  "process_limit",
  "too_many_execs",
  "exec_interrupted",
] as const;

/** Files, folders and archives of a sandbox. */
export const fileRows = {
  readFile: {
    method: "get",
    path: `${sandbox}/files`,
    summary: "Read a file, or a range of it",
    scope: "files:read",
    tokens: 1,
    query: FileQuery,
    status: 200,
    errors: [...onFile, "not_a_file", "range_not_satisfiable"],
    example: { query: { path: "/etc/os-release" } },
  },
  writeFile: {
    method: "put",
    path: `${sandbox}/files`,
    summary: "Write a file, making its folders",
    scope: "files:write",
    tokens: 1,
    query: FileQuery,
    rawBodyMaxBytes: limits.fileMaxBytes,
    result: WrittenFile,
    status: 200,
    errors: [
      ...onSandbox,
      "too_many_execs",
      "not_a_file",
      "path_refused",
      "file_permission_denied",
      "no_space",
    ],
    example: {
      query: { path: "notes/hello.txt" },
      result: { path: "/home/user/notes/hello.txt", size: 6, mode: "0644" },
    },
  },
  deleteFile: {
    method: "delete",
    path: `${sandbox}/files`,
    summary: "Delete a file, a symlink or a folder",
    scope: "files:write",
    tokens: 1,
    query: DeleteQuery,
    status: 204,
    errors: [...onFile, "not_a_file", "folder_not_empty"],
    example: { query: { path: "notes", recursive: "true" } },
  },
  listEntries: {
    method: "get",
    path: `${sandbox}/entries`,
    summary: "List a folder, or say what a path is",
    scope: "files:read",
    tokens: 1,
    query: EntriesQuery,
    result: EntryPage,
    status: 200,
    errors: [...onFile, "not_a_folder"],
    example: {
      query: { path: "/home/user", depth: "2", limit: "100" },
      result: {
        items: [
          {
            path: "/home/user/notes/hello.txt",
            name: "hello.txt",
            type: "file",
            size: 6,
            mode: "0644",
            uid: 20014,
            gid: 20014,
            owner: "user",
            group: "user",
            modifiedAt: "2026-01-31T12:00:01.234Z",
          },
        ],
      },
    },
  },
  readArchive: {
    method: "get",
    path: `${sandbox}/archive`,
    resultType: "application/x-tar",
    summary: "Read a folder as a tar archive",
    scope: "files:read",
    tokens: 5,
    query: ArchiveQuery,
    status: 200,
    errors: [...onArchive],
    example: { query: { path: "/home/user" } },
  },
  writeArchive: {
    method: "put",
    path: `${sandbox}/archive`,
    summary: "Unpack a tar archive into a folder",
    scope: "files:write",
    tokens: 5,
    query: ArchiveQuery,
    rawBodyMaxBytes: limits.fileMaxBytes,
    status: 204,
    errors: [...onArchive, "archive_invalid", "no_space"],
    example: { query: { path: "/home/user" } },
  },
} as const satisfies Record<string, ApiRow>;
