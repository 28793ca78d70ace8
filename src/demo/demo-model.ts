/** Who thinks for the demo's agents: the model that the environment names, or a script. */
import type { Overrides } from "../config/overrides.ts";
import { startRehearsal } from "../models/rehearsal/server.ts";
import { packagePath } from "../package.ts";

export interface DemoModel extends AsyncDisposable {
  /** An entry of the config's `models`. */
  readonly config: Overrides;
  /** Whether the answers come from `config/rehearsal/demo.yaml`, word by word. */
  readonly scripted: boolean;
  /** Says so to a person. */
  readonly told: string;
}

/** Uses the model of `OPENAI_API_KEY` or `OPENAI_BASE_URL` (and `OPENAI_MODEL`) when one of them is set. */
export async function openDemoModel(env: NodeJS.ProcessEnv): Promise<DemoModel> {
  const { OPENAI_API_KEY: key = "", OPENAI_BASE_URL: url = "", OPENAI_MODEL: name = "" } = env;
  if (key === "" && url === "") {
    const rehearsal = await startRehearsal({ files: [packagePath("config/rehearsal/demo.yaml")] });
    return {
      config: { base_url: rehearsal.url, model: "rehearsal" },
      scripted: true,
      told:
        "The agents are played from a script (config/rehearsal/demo.yaml): no model is asked, and every answer was " +
        "written by a person. Set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own, to hear a model.",
      [Symbol.asyncDispose]: () => rehearsal.close(),
    };
  }
  const config = {
    base_url: url === "" ? "https://api.openai.com/v1" : url,
    model: name === "" ? "gpt-4.1-mini" : name,
    ...(key !== "" && { api_key: key }),
  };
  return {
    config,
    scripted: false,
    told: `The agents think with the model ${config.model} at ${config.base_url}. Its use is billed by its provider.`,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
