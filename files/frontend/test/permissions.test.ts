import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Role } from "../src/api/types";
import { can, isRoot, type Permission, ROLES } from "../src/lib/permissions";
import type { Session } from "../src/session";
import { TENANT, USER } from "./memory";

const as = (role: string): Session => ({
  user: { ...USER, role: role as Role }, tenant: TENANT, accessToken: "a", refreshToken: "r",
});

/** The API's own matrix: one list of action letters per resource, one column per role. */
const source = readFileSync(new URL("../../api/src/enlevohub_api/rbac.py", import.meta.url), "utf-8");

describe("permissions", () => {
  test("the roles are those of the API, in its order", () => {
    const roles = /ROLES = \(([^)]+)\)/.exec(source)?.[1]?.match(/[A-Z_]+/g);
    expect(roles).toEqual(ROLES);
  });

  test.each(["projects", "users"])("%s: what is shown is what the API allows", (resource) => {
    const columns = new RegExp(`"${resource}": \\(([^)]+)\\)`).exec(source)?.[1]?.match(/[a-z-]+/g) ?? [];
    expect(columns).toHaveLength(ROLES.length);
    for (const [letter, action] of [["v", "view"], ["c", "create"], ["e", "edit"], ["d", "delete"]] as const) {
      const allowed = ROLES.filter((_, column) => columns[column]?.includes(letter));
      expect(ROLES.filter((role) => can(as(role), `${resource}:${action}` as Permission)), action).toEqual(allowed);
    }
  });

  test("an unknown role may do nothing", () => {
    expect(can(as("GUEST"), "projects:view")).toBe(false);
  });

  test("only ROOT owns the settings", () => {
    expect(ROLES.filter((role) => isRoot(as(role)))).toEqual(["ROOT"]);
  });
});
