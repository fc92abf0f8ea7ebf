import { describe, expect, test } from "vitest";
import { ApiClient, ApiError } from "../src/api/client";
import { memoryStore, signedInStore, TENANT, USER } from "./memory";

interface Sent {
  path: string;
  method: string;
  bearer: string | null;
  body: unknown;
}

type Answer = { status: number; body: unknown } | "no answer";

/** A fetch that records what was sent and answers from `answer`. */
function server(answer: (sent: Sent) => Answer) {
  const log: Sent[] = [];
  const send: typeof fetch = async (input, init) => {
    const sent: Sent = {
      path: String(input).replace("/api/v1", ""),
      method: init?.method ?? "GET",
      bearer: new Headers(init?.headers).get("Authorization"),
      body: init?.body ? JSON.parse(String(init.body)) : undefined,
    };
    log.push(sent);
    await Promise.resolve();
    const reply = answer(sent);
    if (reply === "no answer") throw new TypeError("fetch failed");
    const text = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body);
    return new Response(text, { status: reply.status });
  };
  return { log, send, count: (path: string) => log.filter((sent) => sent.path.startsWith(path)).length };
}

const EXPIRED = { status: 401, body: { error: "Unauthorized", message: "Token expirado." } };
const RENEWED = { status: 200, body: { accessToken: "access-2", refreshToken: "refresh-2" } };
const LIST = { status: 200, body: { data: [], pagination: { page: 1, limit: 9, total: 0, totalPages: 0 } } };

/** An API where only access-2 is good and the refresh gives it. */
function expiring(sent: Sent): Answer {
  if (sent.path === "/auth/refresh") return RENEWED;
  return sent.bearer === "Bearer access-2" ? LIST : EXPIRED;
}

describe("refresh on 401", () => {
  test("a call with a good token is sent once with the bearer header", async () => {
    const { log, send } = server(() => LIST);
    await new ApiClient(signedInStore(), send).projects({ page: 1, limit: 9 });
    expect(log).toEqual([
      { path: "/projects?page=1&limit=9", method: "GET", bearer: "Bearer access-1", body: undefined },
    ]);
  });

  test("a 401 refreshes once and retries with the new token", async () => {
    const { log, send } = server(expiring);
    await new ApiClient(signedInStore(), send).projects({ page: 1, limit: 9 });
    expect(log.map((sent) => [sent.path, sent.bearer])).toEqual([
      ["/projects?page=1&limit=9", "Bearer access-1"],
      ["/auth/refresh", null],
      ["/projects?page=1&limit=9", "Bearer access-2"],
    ]);
  });

  test("the refresh sends the stored refresh token and stores the new pair", async () => {
    const { log, send } = server(expiring);
    const store = signedInStore();
    await new ApiClient(store, send).projects({ page: 1, limit: 9 });
    expect(log[1]?.body).toEqual({ refreshToken: "refresh-1" });
    expect(store.read()).toMatchObject({ accessToken: "access-2", refreshToken: "refresh-2" });
  });

  test("two parallel 401s share one refresh", async () => {
    const { count, send } = server(expiring);
    const client = new ApiClient(signedInStore(), send);
    await Promise.all([client.project("a"), client.project("b")]);
    expect(count("/auth/refresh")).toBe(1);
    expect([count("/projects/a"), count("/projects/b")]).toEqual([2, 2]);
  });

  test("a 401 for a token that was replaced meanwhile retries without a refresh", async () => {
    const store = signedInStore();
    const { count, send } = server((sent) => {
      if (sent.bearer === "Bearer access-1") store.renew({ accessToken: "access-2", refreshToken: "refresh-2" });
      return expiring(sent);
    });
    await new ApiClient(store, send).projects({ page: 1, limit: 9 });
    expect(count("/auth/refresh")).toBe(0);
  });

  test("a second 401 after the refresh is not retried again", async () => {
    const { count, send } = server((sent) => (sent.path === "/auth/refresh" ? RENEWED : EXPIRED));
    const client = new ApiClient(signedInStore(), send);
    await expect(client.project("a")).rejects.toMatchObject({ status: 401 });
    expect(count("/projects/a")).toBe(2);
    expect(count("/auth/refresh")).toBe(1);
  });

  test("a later 401 refreshes again", async () => {
    const { count, send } = server((sent) => (sent.path === "/auth/refresh" ? RENEWED : EXPIRED));
    const client = new ApiClient(signedInStore(), send);
    await client.project("a").catch(() => undefined);
    await client.project("a").catch(() => undefined);
    expect(count("/auth/refresh")).toBe(2);
  });

  test("a refused refresh ends the session", async () => {
    const { send } = server(() => EXPIRED);
    const store = signedInStore();
    await expect(new ApiClient(store, send).project("a")).rejects.toMatchObject({ status: 401 });
    expect(store.read()).toBeNull();
  });

  test.each([["no answer" as const], [{ status: 503, body: "<html>" }]])(
    "an outage during the refresh keeps the session (%o)",
    async (outage) => {
      const { send } = server((sent) => (sent.path === "/auth/refresh" ? outage : EXPIRED));
      const store = signedInStore();
      await expect(new ApiClient(store, send).project("a")).rejects.toBeInstanceOf(ApiError);
      expect(store.read()).not.toBeNull();
    },
  );

  test("a refused login neither refreshes nor touches the session", async () => {
    const { log, send } = server(() => EXPIRED);
    const store = signedInStore();
    await expect(new ApiClient(store, send).login("ana@example.com", "x")).rejects.toMatchObject({ status: 401 });
    expect(log).toHaveLength(1);
    expect(log[0]?.bearer).toBeNull();
    expect(store.read()).not.toBeNull();
  });
});

describe("errors", () => {
  const failing = async (answer: Answer): Promise<ApiError> => {
    const error: unknown = await new ApiClient(signedInStore(), server(() => answer).send).project("a").catch((e) => e);
    if (!(error instanceof ApiError)) throw new Error("the call did not fail with ApiError");
    return error;
  };

  test("the message of the API is kept", async () => {
    const error = await failing({ status: 404, body: { error: "Not Found", message: "Obra não encontrada." } });
    expect([error.status, error.serverMessage]).toEqual([404, "Obra não encontrada."]);
  });

  test("the error text stands in for a missing message", async () => {
    expect((await failing({ status: 400, body: { error: "E-mail em uso." } })).serverMessage).toBe("E-mail em uso.");
  });

  test("an answer that is not JSON has no message", async () => {
    const error = await failing({ status: 502, body: "<html>Bad Gateway</html>" });
    expect([error.status, error.serverMessage]).toEqual([502, null]);
  });

  test("a message that is not a string is not shown", async () => {
    expect((await failing({ status: 400, body: { message: [{ path: "x" }] } })).serverMessage).toBeNull();
  });

  test("no answer is status 0", async () => {
    expect((await failing("no answer")).status).toBe(0);
  });

  test("an aborted call rejects with the abort reason", async () => {
    const controller = new AbortController();
    controller.abort();
    const call = new ApiClient(signedInStore(), server(() => "no answer").send).project("a", controller.signal);
    await expect(call).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("session", () => {
  test("login stores the contract's entry", async () => {
    const entries = new Map<string, string>();
    const tokens = { accessToken: "a", refreshToken: "r" };
    const { send } = server(() => ({ status: 200, body: { user: USER, tenant: TENANT, tokens } }));
    await new ApiClient(memoryStore(entries), send).login("ana@example.com", "Senha123");
    expect(JSON.parse(entries.get("enlevohub-auth") ?? "null")).toEqual({
      state: { user: USER, tenant: TENANT, accessToken: "a", refreshToken: "r", isAuthenticated: true },
      version: 0,
    });
  });

  test.each(["not json", "null", "{}", '{"state":{"user":{},"tenant":{}}}'])("the unreadable entry %s is no session", (raw) => {
    expect(memoryStore(new Map([["enlevohub-auth", raw]])).read()).toBeNull();
  });

  test("logout sends the refresh token and ends the session", async () => {
    const { log, send } = server(() => ({ status: 200, body: { message: "ok" } }));
    const store = signedInStore();
    await new ApiClient(store, send).logout();
    expect(log[0]).toMatchObject({ path: "/auth/logout", method: "POST", body: { refreshToken: "refresh-1" } });
    expect(store.read()).toBeNull();
  });

  test("logout with an expired token revokes the renewed refresh token", async () => {
    const { log, send } = server(expiring);
    await new ApiClient(signedInStore(), send).logout();
    expect(log.at(-1)).toMatchObject({ path: "/auth/logout", body: { refreshToken: "refresh-2" } });
  });

  test("logout ends the session when the API does not answer", async () => {
    const store = signedInStore();
    await new ApiClient(store, server(() => "no answer").send).logout();
    expect(store.read()).toBeNull();
  });

  test("listeners hear of start, renewal and end", () => {
    const store = memoryStore();
    let calls = 0;
    store.subscribe(() => calls++);
    store.start({ user: USER, tenant: TENANT, tokens: { accessToken: "a", refreshToken: "r" } });
    store.renew({ accessToken: "b", refreshToken: "s" });
    store.clear();
    expect(calls).toBe(3);
  });
});
