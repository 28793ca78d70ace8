/**
 * The only place that loads matrix-bot-sdk and matrix-appservice-bridge.
 *
 * Both load `@matrix-org/matrix-sdk-crypto-nodejs` eagerly. Its native part is downloaded by an install script, which a
 * current npm does not run; then every import of either SDK fails. Crewroom does not decrypt, so an empty module takes
 * its place, here and not by `overrides` in package.json: those do not reach who installs the package. Everything that
 * would need the real one (a crypto storage given to `MatrixClient`) is never used.
 *
 * Importing this file costs about 50 MB; {@link loadAppServiceBridge} 12 MB more.
 */
import { createRequire, registerHooks } from "node:module";
import process from "node:process";
import type * as AppServiceBridge from "matrix-appservice-bridge";
import type * as BotSdk from "matrix-bot-sdk";

const nativeCrypto = "@matrix-org/matrix-sdk-crypto-nodejs";
const noCrypto = "crewroom:no-crypto";

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === nativeCrypto ? { url: noCrypto, format: "commonjs", shortCircuit: true } : next(specifier, context),
  load: (url, context, next) =>
    url === noCrypto ? { format: "commonjs", source: "module.exports = {};", shortCircuit: true } : next(url, context),
});

const require = createRequire(import.meta.url);

/** `htmlencode`, deep inside, calls a deprecated function while it loads. Nobody who runs Crewroom can change that. */
function loadQuietly(name: string): unknown {
  const before = process.noDeprecation;
  process.noDeprecation = true;
  try {
    return require(name);
  } finally {
    process.noDeprecation = before ?? false;
  }
}

const botSdk = loadQuietly("matrix-bot-sdk") as typeof BotSdk;

export const { MatrixClient, MatrixError, MatrixGlob } = botSdk;
export type MatrixClient = BotSdk.MatrixClient;
export type MatrixError = BotSdk.MatrixError;
export type MatrixGlob = BotSdk.MatrixGlob;

export type SdkLog = (level: "trace" | "debug" | "info" | "warn" | "error", module: string, message: string) => void;

/** Sends the lines of matrix-bot-sdk's own log to `log`. Until it is called they go nowhere. */
export function logSdkTo(log: SdkLog): void {
  const line =
    (level: Parameters<SdkLog>[0]) =>
    (module: string, ...parts: unknown[]): void => {
      log(level, module, parts.map(String).join(" "));
    };
  botSdk.LogService.setLogger({
    trace: line("trace"),
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
  });
}

logSdkTo(() => undefined);

/** matrix-appservice-bridge, of which only the registration objects are used; see docs/architecture.md. */
export function loadAppServiceBridge(): typeof AppServiceBridge {
  return loadQuietly("matrix-appservice-bridge") as typeof AppServiceBridge;
}
