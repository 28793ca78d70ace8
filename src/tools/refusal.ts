/**
 * How a refusal reads: it begins with `Not`, what was not done, and a stop or colon, as in `Not sent: …`. The agent
 * understands it as it is; over MCP it is marked as an error as well.
 */

/** `Not done: <why>. <what would be allowed>` */
export function refusal(done: string, why: string, allowed = ""): string {
  return `Not ${done}: ${why}.${allowed === "" ? "" : ` ${allowed}`}`;
}

export function isRefusal(text: string): boolean {
  return /^Not [a-z][a-z ]{0,30}[.:]/.test(text);
}
