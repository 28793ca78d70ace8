/** The addresses of the application service API. */

export type Route =
  | { readonly kind: "transaction"; readonly method: "PUT"; readonly id: string }
  | { readonly kind: "ping"; readonly method: "POST" }
  | { readonly kind: "user" | "room"; readonly method: "GET"; readonly id: string }
  | { readonly kind: "thirdparty"; readonly method: "GET" };

const prefix = "/_matrix/app/v1";
/** Homeservers try these without the prefix when they believe that we are older. */
const legacy: ReadonlySet<string> = new Set(["transactions", "users", "rooms"]);
const thirdparty = /^\/thirdparty\/(?:protocol|user|location)(?:\/[^/]+)?$/;

/** `undefined` when the address is none of this API. The query string is left out of account. */
export function routeOf(url: string): Route | undefined {
  const path = url.split("?", 1)[0] ?? "";
  const isPrefixed = path.startsWith(`${prefix}/`);
  const rest = isPrefixed ? path.slice(prefix.length) : path;
  if (isPrefixed && rest === "/ping") return { kind: "ping", method: "POST" };
  if (isPrefixed && thirdparty.test(rest)) return { kind: "thirdparty", method: "GET" };
  const [, name = "", encoded = "", ...more] = rest.split("/");
  const id = decoded(encoded);
  if (id === undefined || id === "" || more.length > 0 || (!isPrefixed && !legacy.has(name))) return undefined;
  switch (name) {
    case "transactions":
      return { kind: "transaction", method: "PUT", id };
    case "users":
      return { kind: "user", method: "GET", id };
    case "rooms":
      return { kind: "room", method: "GET", id };
    default:
      return undefined;
  }
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}
