/** The address of a store as errors and logs may show it: without user's password and without parameters. */
export function addressOf(url: string): string {
  if (!URL.canParse(url)) return url.replace(/:.*/s, ":…");
  const { protocol, username, host, pathname } = new URL(url);
  return `${protocol}//${username === "" ? "" : `${username}@`}${host}${pathname}`;
}
