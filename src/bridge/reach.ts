/** What one command reaches over the network: decided once for each host, and told with the command's result. */
import { permitted } from "../core/permits.ts";
import type { MayReach } from "../files/port.ts";

/** A command that tries more hosts is refused the others, and people are not asked about them. */
const mostHosts = 20;

export class Reach {
  readonly #decide: (host: string) => Promise<string>;
  readonly #decided = new Map<string, Promise<string>>();
  #over = false;

  /** @param decide Resolves to {@link permitted}, or to what the agent reads. */
  constructor(decide: (host: string) => Promise<string>) {
    this.#decide = decide;
  }

  readonly may: MayReach = async (host) => {
    let decided = this.#decided.get(host);
    if (decided === undefined) {
      if (this.#decided.size >= mostHosts) {
        this.#over = true;
        return `${host}: ${tooMany}`;
      }
      decided = this.#decide(host);
      this.#decided.set(host, decided);
    }
    const reply = await decided;
    return reply === permitted ? undefined : `${host}: ${reply}`;
  };

  /** What was not reached, and why: lines for the agent. A host whose decision failed is not in it. */
  async told(): Promise<readonly string[]> {
    const lines: string[] = [];
    for (const [host, decided] of this.#decided) {
      const reply = await decided.catch(() => permitted);
      if (reply !== permitted) lines.push(`Not reached: ${host}. ${reply}`);
    }
    return this.#over ? [...lines, `Not reached: further hosts. ${tooMany}`] : lines;
  }
}

const tooMany = `Not done: one command reaches at most ${mostHosts} hosts.`;
