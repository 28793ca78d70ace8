/** Prometheus' text format, read back. */

export class Metrics {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** The sum of all samples of this name that carry these labels; 0 when there is none. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    let sum = 0;
    for (const line of this.text.split("\n")) {
      const match = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
      if (match?.[1] !== name) continue;
      const has = match[2] ?? "";
      const fits = Object.entries(labels).every(([label, value]) => has.split(",").includes(`${label}="${value}"`));
      if (fits) sum += Number(match[3]);
    }
    return sum;
  }
}
