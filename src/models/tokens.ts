/**
 * How many tokens a text has, without the model's tokenizer: four bytes a token, corrected by what the model really
 * counted. The correction rises at once and falls slowly, because too high only forgets early, too low fails a turn.
 */

const bytesPerToken = 4;
/** Providers count an image by its area; this is about one of 1024 × 1024. Its base64 says nothing about it. */
const tokensPerFile = 1000;
/** Below this a chat template's fixed cost would be taken for the model's way of counting. */
const leastToLearnFrom = 500;

interface FilePartLike {
  readonly type: "file";
  readonly data: unknown;
}

function isFilePart(value: unknown): value is FilePartLike {
  return typeof value === "object" && value !== null && "type" in value && value.type === "file" && "data" in value;
}

/** Tokens of a JSON value by its length. Files count {@link tokensPerFile} each. */
export function roughTokens(value: unknown): number {
  let files = 0;
  const text = JSON.stringify(value, (_key, inner: unknown) => {
    if (!isFilePart(inner)) return inner;
    files += 1;
    return undefined;
  });
  return Math.ceil(Buffer.byteLength(text) / bytesPerToken) + files * tokensPerFile;
}

/** The correction for one model. */
export class TokenGauge {
  #factor = 1;

  /** Learns from a request of `rough` tokens (by {@link roughTokens}) that the model counted as `measured`. */
  observe(rough: number, measured: number): void {
    if (rough < leastToLearnFrom || measured <= 0) return;
    const seen = Math.min(4, Math.max(0.25, measured / rough));
    this.#factor = seen > this.#factor ? seen : this.#factor * 0.8 + seen * 0.2;
  }

  /** Corrects a number from {@link roughTokens}. */
  scale(rough: number): number {
    return Math.ceil(rough * this.#factor);
  }

  estimate(value: unknown): number {
    return this.scale(roughTokens(value));
  }
}
