import type { Role } from "../api/types";
import type { Session } from "../session";

export const ROLES: readonly Role[] = ["ROOT", "MASTER", "ENGINEER", "ADMIN_STAFF", "CONTRACTOR", "BROKER", "VIEWER"];

const ACTIONS = { v: "view", c: "create", e: "edit", d: "delete" } as const;

// The rows of the API's matrix that this client shows; one column per role of ROLES, "-" is none.
const MATRIX = {
  projects: ["vced", "vced", "vce", "v", "v", "v", "v"],
  users: ["vced", "vced", "v", "v", "-", "-", "-"],
} as const;

export type Permission = `${keyof typeof MATRIX}:${(typeof ACTIONS)[keyof typeof ACTIONS]}`;

const GRANTED: Record<string, ReadonlySet<string>> = Object.fromEntries(
  ROLES.map((role, column) => [role, new Set(Object.entries(MATRIX).flatMap(([resource, columns]) =>
    Object.entries(ACTIONS)
      .filter(([letter]) => columns[column]!.includes(letter))
      .map(([, action]) => `${resource}:${action}`)))]),
);

/** True when the role holds the permission. What is shown follows this; what is allowed is the API's decision. */
export function can(session: Session, permission: Permission): boolean {
  return GRANTED[session.user.role]?.has(permission) ?? false;
}

/** True for the role that owns the installation's settings. */
export function isRoot(session: Session): boolean {
  return session.user.role === "ROOT";
}
