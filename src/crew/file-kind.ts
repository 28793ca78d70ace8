/** What a file is, judged by its bytes first: the type that comes with it is the sender's claim. */

const starts: readonly (readonly [string, (bytes: Buffer) => boolean])[] = [
  ["image/png", (bytes) => bytes.subarray(0, 8).equals(Buffer.from("\x89PNG\r\n\x1a\n", "latin1"))],
  ["image/jpeg", (bytes) => bytes.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff]))],
  ["image/gif", (bytes) => /^GIF8[79]a/.test(bytes.toString("latin1", 0, 6))],
  ["image/webp", (bytes) => /^RIFF[^]{4}WEBP/.test(bytes.toString("latin1", 0, 12))],
];

/** The type of an image that models take, or `undefined`. */
export function imageType(bytes: Uint8Array): string | undefined {
  const buffer = viewOf(bytes);
  return starts.find(([, matches]) => matches(buffer))?.[0];
}

const textTypes =
  /^(?:text\/.+|application\/(?:.+\+)?(?:json|xml|yaml)|application\/(?:x-)?(?:ndjson|yaml|toml|javascript|typescript|sh|sql|graphql|httpd-php|python|ruby|perl|tex|latex|patch)|image\/svg\+xml|message\/rfc822)$/;
const textNames =
  /\.(?:txt|text|log|md|markdown|rst|adoc|org|tex|csv|tsv|json|jsonl|ndjson|json5|ya?ml|toml|ini|cfg|conf|env|properties|xml|html?|svg|css|scss|less|js|mjs|cjs|jsx|ts|mts|cts|tsx|vue|svelte|py|pyi|rb|php|pl|pm|lua|go|rs|c|h|cc|cpp|cxx|hpp|hh|cs|java|kt|kts|scala|swift|m|mm|dart|r|jl|hs|ml|ex|exs|erl|clj|el|lisp|sh|bash|zsh|fish|ps1|bat|sql|graphql|proto|tf|nix|gradle|cmake|mk|diff|patch|ics|vcf|eml|srt|vtt|bib)$|(?:^|[/.])(?:Dockerfile|Makefile|gitignore|editorconfig)$/i;

/** The file's text when it says, by type or name, that it is one, and is valid UTF-8 without NUL; else `undefined`. */
export function textOf(bytes: Uint8Array, mimeType: string, name: string): string | undefined {
  if (!textTypes.test(mimeType) && !textNames.test(name)) return undefined;
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function base64Of(bytes: Uint8Array): string {
  return viewOf(bytes).toString("base64");
}
