/** `models`: where agents think. Every entry speaks the OpenAI chat completions API. */
import { z } from "zod";
import { count, httpUrl } from "./fields.ts";

const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, { error: "is not the name of an HTTP header" });

/** Up to a thousand dollars for a thousand tokens. */
const dollars = z
  .number({ error: "is not a number" })
  .min(0, { error: "is less than 0" })
  .max(1e6, { error: "is more than 1000000" });

const price = z.strictObject({
  input_usd_per_million: dollars.describe("US dollars for a million tokens of what is asked."),
  output_usd_per_million: dollars.describe("US dollars for a million tokens of what is answered."),
  cached_usd_per_million: dollars
    .optional()
    .describe(
      "US dollars for a million tokens that were asked before and were in the API's cache; input's when left out.",
    ),
});

export const model = z.strictObject({
  base_url: httpUrl
    .describe("Address of the API, up to and including its version.")
    .meta({ sample: "https://api.openai.com/v1" }),
  api_key: z
    .string()
    .min(1, { error: "is empty; leave the key out if the API needs none" })
    .optional()
    .describe("The API's key. Better not written here: use an environment variable, or api_key_file.")
    .meta({ sample: "${OPENAI_API_KEY}", shown: true }),
  api_key_file: z
    .string()
    .min(1)
    .optional()
    .describe("File that holds the key, instead of api_key.")
    .meta({ sample: "openai.key" }),
  model: z.string().min(1).describe("The model's name at that API.").meta({ sample: "gpt-5-mini" }),
  context: count(1024)
    .default(128_000)
    .describe("How many tokens the model takes; older history is left out beyond that."),
  max_output_tokens: count(1)
    .optional()
    .describe("Most tokens of one answer; the API's own limit when left out.")
    .meta({ sample: 4096 }),
  temperature: z
    .number({ error: "is not a number" })
    .min(0, { error: "is less than 0" })
    .max(2, { error: "is more than 2" })
    .optional()
    .describe("Sampling temperature; the API's own default when left out.")
    .meta({ sample: 0.7 }),
  price: price
    .optional()
    .describe("What the API asks for its tokens, so that budgets can count money; without it they count tokens only.")
    .meta({ sample: { input_usd_per_million: 0.25, output_usd_per_million: 2, cached_usd_per_million: 0.025 } }),
  headers: z
    .record(headerName, z.string())
    .optional()
    .describe("More HTTP headers for every request.")
    .meta({ sample: { "x-team": "crew" } }),
});
