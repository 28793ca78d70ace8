/** The environment of commands: made new, so that no token of the bridge or of its machine is in it. */
import { dirname } from "node:path";

export const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface EnvironmentPlaces {
  readonly path: string;
  readonly home: string;
  readonly temp: string;
}

/**
 * @param allowed Names that are taken over from `from`; they never replace the variables that the sandbox sets itself.
 */
export function commandEnvironment(
  places: EnvironmentPlaces,
  allowed: readonly string[],
  from: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const taken: Record<string, string> = {};
  for (const name of allowed) {
    const value = from[name];
    if (value !== undefined) taken[name] = value;
  }
  return {
    ...taken,
    PATH: places.path,
    HOME: places.home,
    TMPDIR: places.temp,
    LANG: "C.UTF-8",
    TERM: "dumb",
    CI: "1",
    NO_COLOR: "1",
  };
}

/** For programs that reach the network through a proxy on this port of their own loopback. */
export function proxyEnvironment(port: number): Record<string, string> {
  const proxy = `http://127.0.0.1:${port}`;
  const none = "localhost,127.0.0.1,::1";
  return {
    HTTP_PROXY: proxy,
    HTTPS_PROXY: proxy,
    http_proxy: proxy,
    https_proxy: proxy,
    NO_PROXY: none,
    no_proxy: none,
    // Node's own fetch looks at the proxy only when told.
    NODE_USE_ENV_PROXY: "1",
  };
}

/** Path for commands without walls: what the bridge itself finds, with its own Node first. */
export function openPath(): string {
  return `${dirname(process.execPath)}:${process.env["PATH"] ?? systemPath}`;
}
