/** What a file is that is no text, by its first bytes. */

const kinds: readonly (readonly [magic: string, kind: string])[] = [
  ["89504e470d0a1a0a", "a PNG image"],
  ["ffd8ff", "a JPEG image"],
  ["47494638", "a GIF image"],
  ["424d", "a BMP image"],
  ["25504446", "a PDF document"],
  ["504b0304", "a ZIP archive (or a document that is one)"],
  ["1f8b", "a gzip archive"],
  ["377abcaf271c", "a 7z archive"],
  ["7f454c46", "a program (ELF)"],
  ["0061736d", "a WebAssembly module"],
  ["53514c69746520666f726d6174203300", "an SQLite database"],
  ["4f676753", "an Ogg file"],
  ["494433", "an MP3 file"],
  ["fffe", "a text in UTF-16"],
  ["feff", "a text in UTF-16"],
];

/** As far as git looks for a NUL, by which it tells binary files from texts. */
const lookedAt = 8_000;

/** `undefined` for a text. To follow the word “is”. */
export function binaryKind(start: Buffer): string | undefined {
  const head = start.subarray(0, 16).toString("hex");
  const riff = start.subarray(0, 4).toString("latin1") === "RIFF" ? start.subarray(8, 12).toString("latin1") : "";
  if (riff === "WEBP") return "a WebP image";
  const isBinary = start.subarray(0, lookedAt).includes(0);
  const known = kinds.find(([magic]) => head.startsWith(magic));
  // A text may begin like some of them (`BM`): those have a NUL near their beginning, or letters that no text has.
  if (known !== undefined && (isBinary || /^(?:8950|ffd8|1f8b|fffe|feff|25504446)/.test(head))) return known[1];
  return isBinary ? "a binary file" : undefined;
}
