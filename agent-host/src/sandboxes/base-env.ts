import { homePath } from "#contract/text";

/** What every command in a sandbox begins with. */
export const baseEnv = {
  PATH: "/usr/local/bin:/usr/bin:/bin",
  HOME: homePath,
  USER: "user",
  LOGNAME: "user",
  SHELL: "/bin/bash",
  LANG: "C.UTF-8",
};
