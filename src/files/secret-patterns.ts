/**
 * What looks like a secret and `@secretlint/secretlint-rule-preset-recommend` does not look for, or too narrowly.
 *
 * Each pattern is linear by its form: it begins with a fixed word, every repeat is of one character class that does not
 * contain what follows it, or is bounded. A file's author must not be able to stop the bridge.
 *
 * Left out on purpose: JSON web tokens (tests and docs are full of them, most are long expired, and each alarm asks a
 * person), and passwords in programs (there `password = …` is nearly always a variable); see {@link settingIn}.
 */

export interface SecretPattern {
  /** For a person, with its article. */
  readonly name: string;
  /** With the flag `g`. */
  readonly pattern: RegExp;
  /** Whether a match is random enough to be one. Default: every match is. */
  readonly real?: (match: string) => boolean;
}

/** In the published examples of AWS and of many others. */
const notExample = (match: string): boolean => !/EXAMPLE|X{6}|x{6}/.test(match);

export const secretPatterns: readonly SecretPattern[] = [
  // The preset only takes RSA and OpenSSH keys: the others begin with other bytes or are shorter than it wants.
  {
    name: "a private key",
    pattern:
      /-----BEGIN (?:[A-Z0-9]{1,16} ){0,2}PRIVATE KEY(?: BLOCK)?-----(?:\\r|\\n|[\s"'+,]){1,8}[A-Za-z0-9+/=]{40}/g,
  },
  // With a header: an RSA key under a passphrase, or one of OpenPGP.
  {
    name: "a private key",
    pattern: /-----BEGIN (?:[A-Z0-9]{1,16} ){0,2}PRIVATE KEY(?: BLOCK)?-----\r?\n(?:Proc-Type|Version|Comment): /g,
  },
  // There it comes with the scan for account numbers, which any twelve digits are.
  { name: "an AWS access key", pattern: /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/g, real: notExample },
  { name: "a Google API key", pattern: /\bAIza[\w-]{35}(?![\w-])/g, real: notExample },
  // There only with the lengths of some years; other services give out keys in this form, too.
  { name: "an OpenAI API key", pattern: /\bsk-(?:proj|svcacct|admin|or-v1)-[\w-]{40,300}/g, real: mixed },
  { name: "an API key", pattern: /\bsk-[A-Za-z0-9]{32,64}\b/g, real: mixed },
  { name: "a Telegram bot token", pattern: /\b\d{8,10}:AA[\w-]{33}(?![\w-])/g },
  { name: "a PyPI token", pattern: /\bpypi-AgE[\w-]{50,250}/g },
  // Synapse: access, login and refresh tokens. Matrix Authentication Service: access, compatibility and refresh tokens.
  { name: "a Matrix access token", pattern: /\bsy[tlr]_[A-Za-z0-9+/=-]{2,400}_[A-Za-z0-9]{20}_[A-Za-z0-9]{6}\b/g },
  { name: "a Matrix access token", pattern: /\bm(?:at|ct|cr)_[A-Za-z0-9]{30}_[A-Za-z0-9]{6}\b/g },
  { name: "a Matrix signing key", pattern: /^ed25519 \w{1,64} [A-Za-z0-9+/]{43}$/gm },
  {
    name: "a token of an application service",
    pattern: /\b(?:as_token|hs_token)["']?[:=] ?["']?[\w-]{20,200}/g,
    real: mixed,
  },
];

const settingsFile =
  /(?:^|\/)(?:\.env[\w.-]{0,40}|[^/]{0,200}\.(?:env|ini|properties|ya?ml|toml|conf|cfg)|\.(?:npmrc|pypirc|netrc|pgpass))$/i;

/** Whether a file holds settings by its name: `.env.production`, `app.yaml`, `.npmrc`, … */
export function holdsSettings(path: string): boolean {
  return settingsFile.test(path);
}

const setting =
  /^\s{0,40}(?:export |set )?["']?([\w.-]{0,60}(?:passwor[dt]|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key))["']?\s{0,8}[:=]\s{0,8}(\S{12,300})\s{0,40}$/i;
const placeholder =
  /\$|<|>|\{|\*|%|\(|\.\.\.|…|example|change|placeholder|replace|insert|your|dummy|sample|xxx|test|demo|redacted/i;

/**
 * The name of a setting whose value is written out and random enough to be a password or a token.
 * @param line Of a file of settings, of at most some thousand characters.
 */
export function settingIn(line: string): string | undefined {
  const found = setting.exec(line);
  const value = found?.[2]?.replace(/^["']|["'],?$/g, "") ?? "";
  // Paths, addresses and names in prose are no secrets; those in addresses are found by their scheme.
  if (value.length < 12 || placeholder.test(value) || /^[./~]|:\/\//.test(value) || !mixed(value)) return undefined;
  return found?.[1];
}

/** Whether the password in an address (`scheme://user:password@…`) is one, and not the stand-in of an example or a local database. */
export function realInAddress(address: string): boolean {
  const [, user = "", password = ""] = /:\/\/([^:/\s]{0,200}):([^@\s]{0,400})@/.exec(address) ?? [];
  return password.length >= 8 && password !== user && !placeholder.test(password) && !/pass|secret/i.test(password);
}

/** Whether it has letters and digits, and no fewer than eight different characters: no word, no count, no row of zeros. */
function mixed(text: string): boolean {
  return /[A-Za-z]/.test(text) && /\d/.test(text) && new Set(text).size >= 8 && notExample(text);
}
