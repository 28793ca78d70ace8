/**
 * Looks for secrets in files before they are committed: what is in a commit is in the room, and stays there.
 *
 * The patterns of services' keys are those of secretlint, whose authors follow the services and keep them free of
 * catastrophic backtracking; `secret-patterns.ts` adds what it does not look for. Only its rules are used: its core keeps
 * every match and 20 kB a file for ever, takes 5 s for a file of 1 MiB with a token on every line, and obeys comments in
 * the file that switch it off. The rules are loaded with the first file: they take some MB, which a bridge without tasks
 * need not carry.
 */
import { extname } from "node:path";
import type { SecretLintRuleContext, SecretLintSourceCode } from "@secretlint/types";
import { holdsSettings, realInAddress, secretPatterns, settingIn } from "./secret-patterns.ts";

export interface SecretScanner {
  /**
   * What looks like a secret in a file, for a person and without showing it: `an AWS access key on line 3`. `undefined`:
   * nothing does, or it was not looked at, because it is binary or has more than 1 MiB.
   * @param path Relative, with `/`. Its name decides whether it is a file of settings.
   */
  secretIn(this: void, path: string, content: Uint8Array): Promise<string | undefined>;
}

/** Secrets are written by people and programs into small files; a larger one is data. */
const mostBytes = 1024 * 1024;
/** Where git looks for a zero byte to know a binary file. */
const binaryWithin = 8_000;
/** Longer lines are no settings that a person wrote. */
const mostLineLength = 2_000;

/** By the rule's id. A rule of a later version that is not here is `a secret`. */
const names: Readonly<Record<string, string>> = {
  "1password": "a 1Password token",
  anthropic: "an Anthropic API key",
  aws: "an AWS secret access key",
  basicauth: "a password in an address",
  cloudflare: "a Cloudflare token",
  "database-connection-string": "a database's password",
  databricks: "a Databricks token",
  docker: "a Docker token",
  figma: "a Figma token",
  gcp: "a Google Cloud key",
  github: "a GitHub token",
  gitlab: "a GitLab token",
  grafana: "a Grafana token",
  groq: "a Groq API key",
  "hashicorp-vault": "a Vault token",
  huggingface: "a Hugging Face token",
  linear: "a Linear token",
  notion: "a Notion token",
  npm: "an npm token",
  openai: "an OpenAI API key",
  privatekey: "a private key",
  sendgrid: "a SendGrid API key",
  shopify: "a Shopify token",
  slack: "a Slack token",
  stripe: "a Stripe key",
  tailscale: "a Tailscale key",
  vercel: "a Vercel token",
};
/** Rules that find passwords by their place: agents write `postgres://postgres:postgres@db` into every compose file. */
const inAddress: ReadonlySet<string> = new Set(["basicauth", "database-connection-string"]);
const rulePrefix = "@secretlint/secretlint-rule-";

interface Finding {
  readonly name: string;
  /** From 1. */
  readonly line: number;
}

/** One finding of a rule at most. */
type Rules = (path: string, text: string) => Promise<readonly Finding[]>;

export function createSecretScanner(): SecretScanner {
  let loading: Promise<Rules> | undefined;
  return {
    secretIn: async (path, content) => {
      const text = textOf(content);
      if (text === undefined || text === "") return undefined;
      // If it cannot be loaded, that is thrown: it must not look like a file without secrets.
      const rules = await (loading ??= loadRules());
      // In this order, because of two on one line the first is named, and secretlint knows more names.
      const found = [...(await rules(path, text)), ...ownFindings(path, text)].toSorted(
        (one, other) => one.line - other.line,
      );
      return sentence(found);
    },
  };
}

function textOf(content: Uint8Array): string | undefined {
  if (content.length > mostBytes) return undefined;
  const [first, second] = content;
  // What Windows' tools write, e.g. the `>` of PowerShell.
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(content);
  if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be").decode(content);
  return content.subarray(0, binaryWithin).includes(0) ? undefined : new TextDecoder().decode(content);
}

function ownFindings(path: string, text: string): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { name, pattern, real } of secretPatterns) {
    for (const match of text.matchAll(pattern)) {
      if (real?.(match[0]) === false) continue;
      findings.push({ name, line: lineAt(text, match.index) });
      // One of each kind is enough to ask, and a file of a million must not take long.
      break;
    }
  }
  if (!holdsSettings(path)) return findings;
  for (const [index, line] of text.split("\n").entries()) {
    const setting = line.length > mostLineLength ? undefined : settingIn(line);
    if (setting === undefined) continue;
    findings.push({ name: `a value for \`${setting}\``, line: index + 1 });
    break;
  }
  return findings;
}

function lineAt(text: string, index: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < index; at = text.indexOf("\n", at + 1)) line += 1;
  return line;
}

async function loadRules(): Promise<Rules> {
  const { rules } = await import("@secretlint/secretlint-rule-preset-recommend");
  // A comment in the file would switch the others off, and whoever writes the file is whom they guard against.
  const scanners = rules.filter((rule) => rule.meta.id !== `${rulePrefix}filter-comments`);
  return async (path, text) => {
    // The only rule that asks for the ending reads JSON, and what is called `.p12`, which is binary.
    const ext = extname(path) === ".json" ? ".json" : "";
    // No rule but the one left out asks for places in the text.
    const source = { content: text, filePath: path, ext, contentType: "text" } as SecretLintSourceCode;
    const findings: Finding[] = [];
    for (const rule of scanners) {
      const id = rule.meta.id.replace(rulePrefix, "");
      let at: number | undefined;
      const context: SecretLintRuleContext = {
        sharedOptions: {},
        // Its sentences show the secret.
        createTranslator: () => (messageId) => ({ message: "", messageId: String(messageId), data: undefined }),
        report: ({ range: [start, end] }) => {
          if (at === undefined && (!inAddress.has(id) || realInAddress(text.slice(start, end)))) at = start;
        },
        ignore: () => undefined,
      };
      await rule.create(context, {}).file?.(source);
      if (at !== undefined) findings.push({ name: names[id] ?? "a secret", line: lineAt(text, at) });
    }
    return findings;
  };
}

/** Names the first, and how many other kinds there are. */
function sentence(findings: readonly Finding[]): string | undefined {
  const [first] = findings;
  if (first === undefined) return undefined;
  // The same one may be found by both, maybe under two names.
  const more = new Set(findings.filter(({ line }) => line !== first.line).map(({ name }) => name)).size;
  return `${first.name} on line ${first.line}${more === 0 ? "" : `, and ${more} more`}`;
}
