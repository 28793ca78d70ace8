import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { rules } from "@secretlint/secretlint-rule-preset-recommend";
import { describe, expect, it } from "vitest";
import { createSecretScanner } from "../../src/files/secrets.ts";

const scanner = createSecretScanner();
const inText = (path: string, text: string): Promise<string | undefined> => scanner.secretIn(path, Buffer.from(text));

// Made here, and in pieces: nothing in this file may look like a secret to those who scan it.
const hex = (length: number): string => randomBytes(length).toString("hex").slice(0, length);
const letters = (length: number): string =>
  [...randomBytes(length)].map((byte) => String.fromCharCode(97 + (byte % 26))).join("");
const upper = (length: number): string => letters(length).toUpperCase();
/** Letters and digits, of both for certain. */
const token = (length: number): string => `a1B2c3D4e5${hex(length)}`.slice(0, length);
const pkcs8 = { type: "pkcs8", format: "pem" } as const;
const pair = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
  ec: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  ed25519: generateKeyPairSync("ed25519").privateKey,
};
const rsaPem = pair.rsa.export(pkcs8).toString();

describe("what is found, and how it is named", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["an AWS access key", "a.ts", `const key = "AKIA${upper(16)}";`],
    ["an AWS secret access key", ".env", `AWS_SECRET_ACCESS_KEY=${token(40)}`],
    ["a Google Cloud key", "key.json", JSON.stringify({ private_key_id: token(40), private_key: rsaPem })],
    ["a Google API key", "a.js", `key: 'AIza${token(35)}'`],
    ["a GitHub token", "a.sh", `git clone https://ghp_${token(36)}@github.com/a/b`],
    ["a GitHub token", "a.md", `github_pat_${token(22)}_${token(59)}`],
    ["a Slack token", "a.py", `token = "xoxb-${["123456789012", "1234567890123", token(24)].join("-")}"`],
    ["an npm token", ".npmrc", `//registry.example.org/:_authToken=npm_${token(36)}`],
    ["an OpenAI API key", "a.ts", `sk-proj-${token(74)}${["T3Blbk", "FJ"].join("")}${token(74)}`],
    ["an OpenAI API key", "a.ts", `sk-proj-${token(48)}`],
    ["an API key", "a.ts", `apiKey: "sk-${token(32)}"`],
    ["an Anthropic API key", "a.ts", `sk-ant-api03-${token(93)}AA`],
    ["a Hugging Face token", "a.ts", `hf_${letters(34)}`],
    ["a Telegram bot token", "a.ts", `123456789:AA${token(33)}`],
    ["a PyPI token", "a.ts", `pypi-AgEIcHlwaS5vcmc${token(100)}`],
    ["a private key", "rsa.pem", rsaPem],
    ["a private key", "rsa1.pem", pair.rsa.export({ type: "pkcs1", format: "pem" }).toString()],
    ["a private key", "ec.pem", pair.ec.export({ type: "sec1", format: "pem" }).toString()],
    ["a private key", "ec8.pem", pair.ec.export(pkcs8).toString()],
    ["a private key", "ed.pem", pair.ed25519.export(pkcs8).toString()],
    ["a private key", "sealed.pem", pair.rsa.export({ ...pkcs8, cipher: "aes-256-cbc", passphrase: "a" }).toString()],
    ["a private key", "a.ts", `const key = ${JSON.stringify(pair.ed25519.export(pkcs8).toString())};`],
    ["a private key", "windows.pem", rsaPem.replaceAll("\n", "\r\n")],
    ["a Matrix access token", "a.ts", `syt_YWRh_${letters(20)}_a1B2c3`],
    ["a Matrix access token", "a.ts", `mat_${token(30)}_a1B2c3`],
    ["a Matrix access token", "a.ts", `mct_${token(30)}_a1B2c3`],
    ["a Matrix signing key", "signing.key", `ed25519 a_abcd ${token(43)}\n`],
    ["a token of an application service", "registration.yaml", `as_token: ${token(64)}`],
    ["a token of an application service", "a.json", `{"hs_token": "${token(64)}"}`],
    ["a database's password", "a.yaml", `store: postgres://crew:${token(14)}@db.example.org/crew`],
    ["a password in an address", "a.sh", `curl https://ada:${token(14)}@example.org/x`],
    ["a value for `DB_PASSWORD`", ".env", `DB_PASSWORD=${token(14)}`],
    ["a value for `DB_PASSWORD`", "deploy/.env.production", `export DB_PASSWORD="${token(14)}"`],
    ["a value for `registration_shared_secret`", "homeserver.yaml", `  registration_shared_secret: ${token(40)}`],
  ];
  it.each(cases)("%s in %s", async (name, path, text) => {
    await expect(inText(path, text)).resolves.toBe(`${name} on line 1`);
  });

  it("tells the first line, and how many other kinds there are", async () => {
    const text = `\n\nsyt_YWRh_${letters(20)}_a1B2c3\n\n${rsaPem}`;
    await expect(inText("notes.txt", text)).resolves.toBe("a Matrix access token on line 3, and 1 more");
  });

  it("does not show the secret", async () => {
    const secret = token(36);
    await expect(inText("a", `ghp_${secret}`)).resolves.not.toContain(secret.slice(10, 20));
  });

  it("finds it in text of Windows in UTF-16", async () => {
    const text = Buffer.from(`\uFEFFAKIA${upper(16)}`, "utf16le");
    await expect(scanner.secretIn("a.txt", text)).resolves.toBe("an AWS access key on line 1");
  });

  it("is not switched off by a comment in the file", async () => {
    const text = `/* secretlint-disable */\nghp_${token(36)} // secretlint-disable-line`;
    await expect(inText("a.ts", text)).resolves.toBe("a GitHub token on line 2");
  });

  it("has a name for every rule of secretlint", async () => {
    const source = await readFile(new URL("../../src/files/secrets.ts", import.meta.url), "utf8");
    const ids = rules.map(({ meta }) => meta.id.replace("@secretlint/secretlint-rule-", ""));
    expect(ids.filter((id) => id !== "filter-comments" && !new RegExp(`^ {2}"?${id}"?: "`, "m").test(source))).toEqual(
      [],
    );
  });
});

describe("what is let through", () => {
  it.each([
    ["nothing at all", "a", ""],
    ["AWS' own example", "a", "AKIAIOSFODNN7EXAMPLE"],
    ["a public key", "a.pem", "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----"],
    ["the head of a key in a program", "a.ts", 'pem.startsWith("-----BEGIN PRIVATE KEY-----")'],
    ["a stand-in in a sample", ".env.sample", "API_KEY=your-api-key-goes-here-1234"],
    ["a variable", "compose.yaml", "POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:-crew1234crew}"],
    ["a path", "a.yaml", "private_key: /etc/ssl/private/server1.key"],
    ["a sentence", "a.yaml", "secret: the 4 words of the evening"],
    ["a local database", "compose.yaml", "postgres://postgres:postgres@db:5432/app"],
    ["a variable in a program", "a.ts", 'const password = "correct4horse8battery";'],
    ["a commit", "a.md", "8edc6df0a1b2c3d4e5f60718293a4b5c6d7e8f90"],
  ])("%s", async (_, path, text) => {
    await expect(inText(path, text)).resolves.toBeUndefined();
  });

  it("what is binary", async () => {
    await expect(inText("a.bin", `\0AKIA${upper(16)}`)).resolves.toBeUndefined();
  });

  it("what has more than 1 MiB", async () => {
    const key = `AKIA${upper(16)}`;
    const [fits, over] = [key.padStart(1024 * 1024), key.padStart(1024 * 1024 + 1)];
    await expect(Promise.all([inText("a", fits), inText("a", over)])).resolves.toEqual([
      "an AWS access key on line 1",
      undefined,
    ]);
  });
});

describe("a hostile file of 1 MiB takes less than a second", () => {
  const size = 1024 * 1024;
  const mark = "-----";
  const heads =
    `${mark}BEGIN PRIVATE KEY${mark} ${mark}BEGIN_RSA_PRIVATE_KEY${mark} sk-ant-api03- sk-proj- sk- AKIA AIza ghp_ github_pat_
    xoxb-1- https://hooks.slack.com/services/ npm_ _authToken= SG. sk_live_ glpat- glsa_ gsk_ hf_ lin_api_ secret_ ntn_ ops_
    https://a:b https://a: mongodb://a: mysql://a: postgres://a: hvs. vercel_ dapi dckr_pat_ figd_ tskey-auth- shpat_ syt_a_
    syt_ mat_ pypi-AgE ed25519 as_token: aws_secret_access_key= "private_key": password: 1:AA //`
      .split(/\s+/)
      .map((head) => head.replaceAll("_", head.startsWith(mark) ? " " : "_"));
  const fillings = ["a", "A", "1", "-", "_", "/", "=", " ", "\n", "\\n", ":", "a1B2c3D4e5", "a:", "a_", "-a"];

  it("whatever stands again and again", async () => {
    const slow: string[] = [];
    const timed = async (name: string, path: string, text: string): Promise<void> => {
      const content = Buffer.from(text.slice(0, size));
      const before = performance.now();
      await scanner.secretIn(path, content);
      const took = performance.now() - before;
      if (took > 1_000) slow.push(`${name}: ${Math.round(took)} ms`);
    };
    for (const head of heads) {
      const word = JSON.stringify(head);
      await timed(`${word} again and again`, "a.json", head.repeat(size / head.length));
      await timed(`lines of ${word}`, ".env", `${head}a1B2c3D4e5f6g7\n`.repeat(size / head.length));
    }
    for (const filling of fillings) {
      await timed(JSON.stringify(filling), "a.yaml", filling.repeat(size));
      // One head of each kind, and then no end.
      for (const head of heads)
        await timed(`${head} ${JSON.stringify(filling)}`, ".env", head + filling.repeat(size / 8));
    }
    expect(slow).toEqual([]);
  });

  it("a secret on every line", async () => {
    const line = `AKIA${upper(16)} ghp_${token(36)} sk_live_${token(24)}\n`;
    const before = performance.now();
    await expect(inText(".env", line.repeat(size / line.length))).resolves.toContain("on line 1");
    expect(performance.now() - before).toBeLessThan(1_000);
  });
});
