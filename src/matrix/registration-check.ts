/** Whether a registration still fits the config that it was made for. */
import { CrewError } from "../core/errors.ts";
import { agentUserId, botUserId, localpartOf, type AgentId } from "../core/ids.ts";
import type { Registration, RegistrationInput } from "./registration.ts";

export interface RegistrationFinding {
  /** With an `error` the bridge would not work; with a `warn` it works badly. */
  readonly level: "error" | "warn";
  /** What is wrong, and what it leads to. */
  readonly sentence: string;
}

export interface CheckedConfig extends RegistrationInput {
  readonly agents: readonly { readonly id: AgentId }[];
}

/** Everything in which the two differ; nothing when they fit. */
export function checkRegistration(registration: Registration, config: CheckedConfig): RegistrationFinding[] {
  return [
    ...checkSender(registration, config),
    ...checkNamespaces(registration, config),
    ...checkDelivery(registration, config),
  ];
}

/** Throws `REGISTRATION_INVALID` with all errors. Warnings pass. */
export function refuseRegistration(registration: Registration, config: CheckedConfig, file: string): void {
  const errors = checkRegistration(registration, config).filter((finding) => finding.level === "error");
  if (errors.length === 0) return;
  throw new CrewError("REGISTRATION_INVALID", { file, reason: errors.map((finding) => finding.sentence).join("; ") });
}

function checkSender(registration: Registration, { homeserver }: CheckedConfig): RegistrationFinding[] {
  const expected = localpartOf(botUserId(homeserver.domain));
  if (registration.sender_localpart === expected) return [];
  return [{ level: "error", sentence: `sender_localpart is ${registration.sender_localpart} instead of ${expected}` }];
}

function checkNamespaces({ namespaces }: Registration, { homeserver, agents }: CheckedConfig): RegistrationFinding[] {
  const { domain } = homeserver;
  const findings: RegistrationFinding[] = [];
  const users = agents.map((agent) => agentUserId(agent.id, domain));
  const outside = users.filter((user) => !covers(namespaces.users, user));
  if (outside.length > 0) {
    findings.push({
      level: "error",
      sentence: `its users namespace does not cover ${outside.join(", ")}; was it made for another homeserver.domain?`,
    });
  }
  const shared = users.filter(
    (user) =>
      !outside.includes(user) &&
      !covers(
        namespaces.users.filter((one) => one.exclusive),
        user,
      ),
  );
  if (shared.length > 0) {
    findings.push({
      level: "error",
      sentence: `its users namespace is not exclusive, so people could register as ${shared.join(", ")}`,
    });
  }
  if (covers(namespaces.users, `@you:${domain}`)) {
    findings.push({
      level: "error",
      sentence: "its users namespace covers people, whose every message would come to Crewroom",
    });
  }
  if (!covers(namespaces.aliases, `#crewroom:${domain}`)) {
    findings.push({
      level: "warn",
      sentence: `its aliases namespace does not cover #crewroom:${domain}, which others could take`,
    });
  }
  return findings;
}

function checkDelivery(registration: Registration, { appservice }: CheckedConfig): RegistrationFinding[] {
  const findings: RegistrationFinding[] = [];
  const url = registration.url?.replace(/\/+$/, "");
  if (url !== appservice.address) {
    const sentence = `its url is ${url ?? "null"}, but appservice.address is ${appservice.address}; the homeserver uses the url`;
    findings.push({ level: url === undefined ? "error" : "warn", sentence });
  }
  if (registration.rate_limited !== false) {
    findings.push({ level: "warn", sentence: "rate_limited is not false, so the homeserver slows agents down" });
  }
  if (registration.receive_ephemeral !== true) {
    findings.push({
      level: "warn",
      sentence: "receive_ephemeral is not true, so Crewroom hears of no receipts and typing",
    });
  }
  return findings;
}

/** Homeservers match a namespace from the start of an id on. A pattern that is none matches nothing. */
function covers(namespaces: Registration["namespaces"]["users"], id: string): boolean {
  return namespaces.some(({ regex }) => {
    try {
      return new RegExp(`^(?:${regex})`).test(id);
    } catch {
      return false;
    }
  });
}
