import { describe, expect, test } from "vitest";
import { ApiClient, ApiError } from "../src/api/client";
import { memoryStore, signedInStore, TENANT, USER } from "./memory";

interface Sent {
  path: string;
  method: string;
  bearer: string | null;
  body: unknown;
  key?: string | null;
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
      ...(init?.method === "POST" ? { key: new Headers(init.headers).get("Idempotency-Key") } : {}),
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

describe("creations", () => {
  const RECORD = { percentage: 5, phase: "Teto", date: "2026-01-01T00:00:00.000Z", notes: "" };
  const keysOf = async (answer: Answer, phases: string[]) => {
    const { log, send } = server(() => answer);
    const client = new ApiClient(signedInStore(), send);
    for (const phase of phases) await client.saveEvolution("p1", { ...RECORD, phase }).catch(() => undefined);
    return log.map(({ key }) => key);
  };

  test.each([["no answer" as const], [{ status: 503, body: {} }]])("after %j the same creation has the same key", async (answer) => {
    const [first, second, other] = await keysOf(answer, ["Teto", "Teto", "Piso"]);
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect(second).toBe(first);
    expect(other).not.toBe(first);
  });

  test.each([[{ status: 201, body: {} }], [{ status: 400, body: {} }]])("after %j it has a new key", async (answer) => {
    const [first, second] = await keysOf(answer, ["Teto", "Teto"]);
    expect(second).not.toBe(first);
  });

  test("the repeat with a renewed token keeps the key", async () => {
    const { log, send } = server(expiring);
    await new ApiClient(signedInStore(), send).saveEvolution("p1", RECORD);
    const keys = log.filter(({ path }) => path !== "/auth/refresh").map(({ key }) => key);
    expect(keys).toHaveLength(2);
    expect(keys[1]).toBe(keys[0]);
  });
});

/** An XMLHttpRequest that answers from `answer` as soon as it is sent, after two steps of progress. */
class Transfer {
  static sent: { url: string; bearer: string; file: File }[] = [];
  static answer: (bearer: string) => { status: number; body: unknown } | "no answer" | "hang" = () => "no answer";

  readonly upload: { onprogress?: (event: Partial<ProgressEvent>) => void } = {};
  status = 0;
  responseText = "";
  onload?: () => void;
  onerror?: () => void;
  onabort?: () => void;
  onloadend?: () => void;
  private url = "";
  private bearer = "";

  open(_method: string, url: string): void {
    this.url = url;
  }

  setRequestHeader(name: string, value: string): void {
    if (name === "Authorization") this.bearer = value;
  }

  send(body: FormData): void {
    Transfer.sent.push({ url: this.url, bearer: this.bearer, file: body.get("photos") as File });
    const reply = Transfer.answer(this.bearer);
    queueMicrotask(() => {
      this.upload.onprogress?.({ lengthComputable: true, loaded: 1, total: 4 });
      if (reply === "hang") return;
      if (reply === "no answer") this.onerror?.();
      else {
        this.status = reply.status;
        this.responseText = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body);
        this.onload?.();
      }
      this.onloadend?.();
    });
  }

  abort(): void {
    this.onabort?.();
    this.onloadend?.();
  }
}

describe("photo upload", () => {
  const upload = (answer: typeof Transfer.answer, signal = new AbortController().signal, store = signedInStore()) => {
    Transfer.sent = [];
    Transfer.answer = answer;
    const client = new ApiClient(store, server(expiring).send, () => new Transfer() as unknown as XMLHttpRequest);
    const parts: number[] = [];
    const file = new File(["x"], "obra.jpg", { type: "image/jpeg" });
    return { parts, url: client.uploadPhoto("p1", file, (part) => parts.push(part), signal) };
  };

  test("the photo is sent as one part named photos, and its address comes back", async () => {
    const { parts, url } = upload(() => ({ status: 200, body: { urls: ["/api/v1/projects/uploads/p1/1.jpg?s=x"] } }));
    expect(await url).toBe("/api/v1/projects/uploads/p1/1.jpg?s=x");
    expect(Transfer.sent[0]).toMatchObject({ url: "/api/v1/projects/p1/evolutions/upload", bearer: "Bearer access-1" });
    expect(Transfer.sent[0]?.file.name).toBe("obra.jpg");
    expect(parts).toEqual([0.25]);
  });

  test("an expired token is renewed and the photo sent again", async () => {
    const store = signedInStore();
    const { url } = upload(
      (bearer) => (bearer === "Bearer access-2" ? { status: 200, body: { urls: ["/a"] } } : EXPIRED), undefined, store,
    );
    expect(await url).toBe("/a");
    expect(Transfer.sent.map(({ bearer }) => bearer)).toEqual(["Bearer access-1", "Bearer access-2"]);
  });

  test.each([
    [{ status: 400, body: { message: "Imagem ilegível." } }, { status: 400, serverMessage: "Imagem ilegível." }],
    [{ status: 413, body: "<html>" }, { status: 413, serverMessage: null }],
    [{ status: 200, body: { urls: [] } }, { status: 200, serverMessage: null }],
    ["no answer" as const, { status: 0, serverMessage: null }],
  ])("the answer %j is an error", async (answer, error) => {
    await expect(upload(() => answer).url).rejects.toMatchObject({ name: "ApiError", ...error });
  });

  test("a cancelled upload ends with the reason", async () => {
    const controller = new AbortController();
    const { url } = upload(() => "hang", controller.signal);
    controller.abort();
    await expect(url).rejects.toMatchObject({ name: "AbortError" });
  });

  test("an upload that is cancelled beforehand is not sent", async () => {
    const { url } = upload(() => "hang", AbortSignal.abort());
    await expect(url).rejects.toMatchObject({ name: "AbortError" });
    expect(Transfer.sent).toEqual([]);
  });
});

describe("calls of the contract", () => {
  const ME = { ...USER, name: "Ana Prado", role: "ENGINEER" as const, createdAt: "2026-01-01T00:00:00.000Z", tenant: TENANT };
  const STAFF = { name: "Ivo", email: "ivo@example.com", password: "Senha123", role: "VIEWER" };
  const RECORD = { percentage: 5, phase: "Teto", date: "2026-01-01T00:00:00.000Z", notes: "" };
  const SMTP = { host: "h", port: 25, secure: false, user: "u", password: "p", fromName: "n", fromEmail: "a@b.co" };

  test.each<[string, (client: ApiClient) => Promise<unknown>, string, unknown]>([
    ["forgotPassword", (c) => c.forgotPassword("a@b.co"), "POST /auth/forgot-password", { email: "a@b.co" }],
    ["resetPassword", (c) => c.resetPassword("t", "Senha123"), "POST /auth/reset-password", { token: "t", newPassword: "Senha123" }],
    ["changeProfile", (c) => c.changeProfile({ name: "Ana" }), "PATCH /auth/profile", { name: "Ana" }],
    ["changePassword", (c) => c.changePassword("a", "b"), "POST /auth/change-password", { currentPassword: "a", newPassword: "b" }],
    ["me", (c) => c.me(), "GET /auth/me", undefined],
    ["dashboard", (c) => c.dashboard(), "GET /projects/dashboard/stats", undefined],
    ["changeProject", (c) => c.changeProject("p/1", { status: "PAUSED" }), "PATCH /projects/p%2F1", { status: "PAUSED" }],
    ["deleteProject", (c) => c.deleteProject("p1"), "DELETE /projects/p1", undefined],
    ["saveEvolution, new", (c) => c.saveEvolution("p1", RECORD), "POST /projects/p1/evolutions", RECORD],
    ["saveEvolution, changed", (c) => c.saveEvolution("p1", RECORD, "e1"), "PATCH /projects/p1/evolutions/e1", RECORD],
    ["deleteEvolution", (c) => c.deleteEvolution("p1", "e1"), "DELETE /projects/p1/evolutions/e1", undefined],
    ["users", (c) => c.users(), "GET /users", undefined],
    ["createUser", (c) => c.createUser(STAFF), "POST /users", STAFF],
    ["changeUser", (c) => c.changeUser("u2", { isActive: false }), "PATCH /users/u2", { isActive: false }],
    ["approveUser", (c) => c.approveUser("u2"), "POST /users/u2/approve", {}],
    ["rejectUser", (c) => c.rejectUser("u2"), "POST /users/u2/reject", {}],
    ["storageConfig", (c) => c.storageConfig(), "GET /tenant/settings/storage-config", undefined],
    ["changeStorage", (c) => c.changeStorage("/x"), "PUT /tenant/settings/storage-config", { storagePath: "/x" }],
    ["testStorage", (c) => c.testStorage("/x"), "POST /tenant/settings/storage-test", { path: "/x" }],
    ["drives", (c) => c.drives(), "GET /tenant/settings/drives", undefined],
    ["tenantSettings", (c) => c.tenantSettings(), "GET /tenant/settings", undefined],
    ["changeSmtp", (c) => c.changeSmtp(SMTP), "PATCH /tenant/settings", { smtp: SMTP }],
    ["testEmail", (c) => c.testEmail("a@b.co"), "POST /tenant/settings/test-email", { to: "a@b.co" }],
  ])("%s", async (_name, call, line, body) => {
    const { log, send } = server(() => ({ status: 200, body: { ...ME, data: [] } }));
    await call(new ApiClient(signedInStore(), send));
    expect([`${log[0]?.method} ${log[0]?.path}`, log[0]?.body]).toEqual([line, body]);
  });

  test("the session takes over a new name and role", async () => {
    const store = signedInStore();
    await new ApiClient(store, server(() => ({ status: 200, body: ME })).send).me();
    expect(store.read()).toMatchObject({ user: { name: "Ana Prado", role: "ENGINEER" }, accessToken: "access-1" });
  });

  test("the session does not change when nothing is new, or when somebody else is signed in", () => {
    const store = signedInStore();
    const before = store.read();
    let calls = 0;
    store.subscribe(() => calls++);
    store.update({ ...ME, name: USER.name, role: USER.role });
    store.update({ ...ME, id: "u9" });
    expect([calls, store.read()]).toEqual([0, before]);
  });

  test("a contractor's registration starts no session", async () => {
    const store = signedInStore();
    store.clear();
    const registration = {
      name: "Davi", email: "davi@example.com", password: "Senha123", tenantDocument: "12345678000195", document: "98765432100",
      specialty: ["Pintura"], contacts: {},
    };
    const { log, send } = server(() => ({ status: 200, body: { message: "ok" } }));
    await new ApiClient(store, send).registerContractor(registration);
    expect(log[0]).toMatchObject({ path: "/auth/register-contractor", body: registration, bearer: null });
    expect(store.read()).toBeNull();
  });
});
