import type { SessionStore } from "../session";
import type {
  AuthResult,
  NewProject,
  Page,
  Project,
  ProjectDetails,
  ProjectQuery,
  Registration,
  Tokens,
} from "./types";

export const API_BASE = "/api/v1";

/** Longest wait for an answer, in milliseconds. */
export const TIMEOUT_MS = 20_000;

/** A failed call. `status` is 0 when no answer came; `serverMessage` is the text of the API, if any. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly serverMessage: string | null,
  ) {
    super(serverMessage ?? `HTTP ${status}`);
  }
}

interface Call {
  method?: "GET" | "POST";
  /** JSON body; a function is asked again on the retry, for bodies that hold a token. */
  body?: unknown;
  /** False for calls that carry no token and never refresh. */
  signedIn?: boolean;
  signal?: AbortSignal;
}

/** The HTTP client of the contract: bearer token, one shared refresh on 401, one retry. */
export class ApiClient {
  private refreshing: Promise<boolean> | null = null;

  constructor(
    private readonly session: SessionStore,
    private readonly send: typeof fetch = (input, init) => fetch(input, init),
  ) {}

  async register(registration: Registration): Promise<void> {
    const call: Call = { method: "POST", body: registration, signedIn: false };
    this.session.start(await this.request<AuthResult>("/auth/register", call));
  }

  async login(email: string, password: string): Promise<void> {
    const call: Call = { method: "POST", body: { email, password }, signedIn: false };
    this.session.start(await this.request<AuthResult>("/auth/login", call));
  }

  /** Revokes the refresh token when the API is in reach, and always ends the session on this device. */
  async logout(): Promise<void> {
    const body = () => ({ refreshToken: this.session.read()?.refreshToken });
    try {
      await this.request("/auth/logout", { method: "POST", body });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    } finally {
      this.session.clear();
    }
  }

  projects(query: ProjectQuery, signal?: AbortSignal): Promise<Page<Project>> {
    const params = new URLSearchParams({ page: String(query.page), limit: String(query.limit) });
    if (query.search) params.set("search", query.search);
    if (query.status) params.set("status", query.status);
    return this.request(`/projects?${params}`, withSignal(signal));
  }

  project(id: string, signal?: AbortSignal): Promise<ProjectDetails> {
    return this.request(`/projects/${encodeURIComponent(id)}`, withSignal(signal));
  }

  createProject(project: NewProject): Promise<Project> {
    return this.request("/projects", { method: "POST", body: project });
  }

  /** Sends one call; throws ApiError on any answer that is not 2xx, and the signal's reason when aborted. */
  async request<T>(path: string, call: Call = {}): Promise<T> {
    const token = call.signedIn === false ? null : (this.session.read()?.accessToken ?? null);
    let response = await this.once(path, call, token);
    if (response.status === 401 && token !== null && (await this.renewed(token))) {
      response = await this.once(path, call, this.session.read()?.accessToken ?? null);
    }
    if (!response.ok) throw new ApiError(response.status, await messageOf(response));
    return (await response.json()) as T;
  }

  private async once(path: string, call: Call, token: string | null): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json" };
    if (token !== null) headers["Authorization"] = `Bearer ${token}`;
    const init: RequestInit = { method: call.method ?? "GET", headers };
    if (call.body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(typeof call.body === "function" ? call.body() : call.body);
    }
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    init.signal = call.signal ? AbortSignal.any([call.signal, timeout]) : timeout;
    try {
      return await this.send(API_BASE + path, init);
    } catch {
      call.signal?.throwIfAborted();
      throw new ApiError(0, null);
    }
  }

  /** True when a token newer than `refused` is in the session, after at most one refresh for all waiting calls. */
  private renewed(refused: string): Promise<boolean> {
    const current = this.session.read();
    if (current && current.accessToken !== refused) return Promise.resolve(true);
    this.refreshing ??= this.refresh().finally(() => {
      this.refreshing = null;
    });
    return this.refreshing;
  }

  private async refresh(): Promise<boolean> {
    const refreshToken = this.session.read()?.refreshToken;
    if (!refreshToken) return false;
    try {
      const call: Call = { method: "POST", body: { refreshToken }, signedIn: false };
      this.session.renew(await this.request<Tokens>("/auth/refresh", call));
      return true;
    } catch (error) {
      // Only a clear refusal ends the session: an outage must not sign anybody out.
      if (!(error instanceof ApiError) || (error.status !== 400 && error.status !== 401)) throw error;
      if (this.session.read()?.refreshToken !== refreshToken) return this.session.read() !== null;
      this.session.clear();
      return false;
    }
  }
}

function withSignal(signal: AbortSignal | undefined): Call {
  return signal ? { signal } : {};
}

async function messageOf(response: Response): Promise<string | null> {
  try {
    const body = (await response.json()) as { message?: unknown; error?: unknown } | null;
    for (const text of [body?.message, body?.error]) {
      if (typeof text === "string" && text !== "") return text;
    }
  } catch {
    // Not JSON: a page of a proxy. The status says enough.
  }
  return null;
}
