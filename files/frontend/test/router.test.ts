import { expect, test } from "vitest";
import { arcs } from "../src/ui/chart";
import { loginTarget, nextOf } from "../src/router";

test.each(["/projects/1", "/projects?search=a&page=2"])("the login leads back to %s", (address) => {
  const target = loginTarget(address);
  expect(target.startsWith("/login?")).toBe(true);
  expect(nextOf(target.slice("/login".length))).toBe(address);
});

test("the login leads to the start when nothing else was asked for", () => {
  expect(loginTarget("/")).toBe("/login");
  expect(nextOf("")).toBe("/");
});

test.each(["//example.com", "/\\example.com", "https://example.com", "javascript:alert(1)", "projects"])(
  "the login does not lead to %s",
  (address) => {
    expect(nextOf(`?next=${encodeURIComponent(address)}`)).toBe("/");
  },
);

test("the parts of a chart fill it and empty ones are left out", () => {
  const parts = [{ name: "a", count: 1 }, { name: "b", count: 0 }, { name: "c", count: 3 }];
  expect(arcs(parts)).toEqual([{ name: "a", start: 0, length: 25 }, { name: "c", start: 25, length: 75 }]);
  expect(arcs([{ name: "a", count: 0 }])).toEqual([]);
});
