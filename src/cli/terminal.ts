/** What a command knows of the world that it was started in. */
export interface Terminal {
  /** One line for whoever reads the command's result. */
  out(line: string): void;
  /** Resolves when who reads it has come after: what is long is not to pile up in memory. */
  readonly caughtUp?: () => Promise<void>;
  /** One line about what went wrong. */
  err(line: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** 0 done, 1 failed, 2 wrong usage, 130 interrupted before it was done. */
export type ExitCode = 0 | 1 | 2 | 130;
