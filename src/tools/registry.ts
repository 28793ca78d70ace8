/** The coordination tools, for every runtime: in process for `builtin`, over MCP for the others. */
import type { Tool } from "../runtimes/port.ts";
import type { ToolsContext } from "./context.ts";
import type { ToolDefinition } from "./define.ts";
import { askHuman, getTask, readRoom, reportProgress } from "./everyone.ts";
import { claimSubtask, releaseSubtask, reportBlocked, submitWork } from "./executor.ts";
import { deleteFile, editFile, fileHistory, listFiles, readFile, restoreFile, runCommand, writeFile } from "./files.ts";
import { raiseConcern } from "./patrol.ts";
import { assignSubtask, planTask, revisePlan } from "./planner.ts";
import { reviewWork } from "./reviewer.ts";
import { sendMessage } from "./send-message.ts";

const everyone: readonly ToolDefinition[] = [
  sendMessage,
  askHuman,
  reportProgress,
  getTask,
  readRoom,
  listFiles,
  fileHistory,
  restoreFile,
];

/** For a runtime without file tools of its own. */
const builtin: readonly ToolDefinition[] = [readFile, writeFile, editFile, deleteFile, runCommand];

const byRole = {
  planner: [planTask, revisePlan, assignSubtask],
  executor: [claimSubtask, submitWork, reportBlocked, releaseSubtask],
  reviewer: [reviewWork],
  patrol: [raiseConcern],
} as const satisfies Record<string, readonly ToolDefinition[]>;

/** The roles that work needs; others are names for people to read. */
const workRoles = Object.keys(byRole);

/** Whoever has no role in the work of tasks is an executor. */
function hasRole(roles: readonly string[], role: string): boolean {
  return roles.includes(role) || (role === "executor" && !roles.some((own) => workRoles.includes(own)));
}

/** The tools of one session: always in the same order, and the same bytes for the same roles and runtime. */
export function toolsFor(context: ToolsContext): readonly Tool[] {
  const mine = Object.entries(byRole).flatMap(([role, tools]) => (hasRole(context.roles, role) ? tools : []));
  const own = context.runtime === "builtin" ? builtin : [];
  return [...everyone, ...own, ...mine].map((definition) => definition.bind(context));
}

export interface ToolRow {
  readonly name: string;
  /** Empty: all agents have it. */
  readonly roles: readonly string[];
  /** Only agents of this runtime have it. */
  readonly runtime?: "builtin";
  /** In short, to follow the word “takes”. */
  readonly arguments: string;
  /** One sentence. */
  readonly help: string;
}

/** For the docs. */
export const toolTable: readonly ToolRow[] = [
  ...everyone.map((definition) => rowOf(definition, [])),
  ...builtin.map((definition) => ({ ...rowOf(definition, []), runtime: "builtin" as const })),
  ...Object.entries(byRole).flatMap(([role, tools]) => tools.map((definition) => rowOf(definition, [role]))),
];

function rowOf({ name, takes, help }: ToolDefinition, roles: readonly string[]): ToolRow {
  return { name, roles, arguments: takes, help };
}
