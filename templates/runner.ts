/** What building an image asks of the machine; `scripts/start/runner.ts` is the real one. */
export type Runner = {
  /** Runs a command as this user and resolves with its output. @throws StopError when it fails */
  run(command: readonly string[]): Promise<string>;
  /** Runs a command with root's rights and resolves with its output. @throws StopError when it fails */
  runAsRoot(command: readonly string[], options?: RootOptions): Promise<string>;
  /** Installs the packages of which something is missing. @throws StopError where that is impossible */
  install(needs: readonly PackageNeed[]): Promise<void>;
  /** Fetches the package lists anew. @throws StopError where that is impossible */
  refreshPackageLists(): Promise<void>;
};

export type RootOptions = {
  env?: Record<string, string>;
  /** Gets each line that the command writes to its standard error. */
  onLine?: (line: string) => void;
  /** Runs also after we were told to stop, and to its end: for what must not stay behind. */
  isCleanup?: boolean;
  /** Is killed when we are told to stop: whatever it leaves is thrown away. Never for what changes the machine. */
  isDisposable?: boolean;
};

/** A command name or an absolute path, and the distribution packages that bring it. */
export type PackageNeed = { provides: string; packages: readonly string[] };

/** One line on what is going on, for a person. */
export type Report = (line: string) => void;
