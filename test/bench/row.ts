/** What the bench says: one row per figure, beside its limit and what it is compared with. */

export interface Row {
  readonly what: string;
  /** With its unit. */
  readonly figure: string;
  /** With its unit; `-` for a figure that is only there to compare with. */
  readonly limit: string;
  readonly comparedWith: string;
  /** `undefined` without a limit. */
  readonly ok?: boolean;
  /** The figure of every run, unrounded, for `--json`. */
  readonly runs: readonly number[];
}

/** One measurement: it makes all that it needs and takes it down again. */
export type Measure = (progress: (line: string) => void) => Promise<readonly Row[]>;

export function table(rows: readonly Row[]): string {
  const head = ["", "figure", "limit", "compared with", ""];
  const cells = [head, ...rows.map((row) => [row.what, row.figure, row.limit, row.comparedWith, verdict(row)])];
  const widths = head.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const text = cells.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  text.splice(1, 0, widths.map((width) => "-".repeat(width)).join("  "));
  return text.join("\n");
}

function verdict({ ok }: Row): string {
  return ok === undefined ? "" : ok ? "ok" : "over";
}
