import type { SessionStore } from "../session";
import type {
  AuthResult,
  ContractorRegistration,
  DashboardStats,
  Drive,
  Evolution,
  Me,
  NewEvolution,
  NewPerson,
  NewProject,
  Page,
  Person,
  Project,
  ProjectChange,
  ProjectDetails,
  ProjectQuery,
  Registration,
  Smtp,
  StorageConfig,
  StorageProbe,
  Tokens,
} from "./types";

export const API_BASE = "/api/v1";

/** Longest wait for an answer, in milliseconds. */
export const TIMEOUT_MS = 20_000;

/** Longest time for one photo, in milliseconds: a large one over a slow mobile network. */
export const UPLOAD_TIMEOUT_MS = 600_000;

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
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** JSON body; a function is asked again on the retry, for bodies that hold a token. */
  body?: unknown;
  /** Makes a repeat of the same call safe: the API answers it as it answered the first one. */
  idempotencyKey?: string;
  /** False for calls that carry no token and never refresh. */
  signedIn?: boolean;
  signal?: AbortSignal;
}

/** The HTTP client of the contract: bearer token, one shared refresh on 401, one retry. */
export class ApiClient {
  private refreshing: Promise<boolean> | null = null;
  /** Keys of creations whose outcome is not known, by path and body. */
  private readonly keys = new Map<string, string>();

  constructor(
    private readonly session: SessionStore,
    private readonly send: typeof fetch = (input, init) => fetch(input, init),
    private readonly newTransfer: () => XMLHttpRequest = () => new XMLHttpRequest(),
  ) {}

  async register(registration: Registration): Promise<void> {
    const call: Call = { method: "POST", body: registration, signedIn: false };
    this.session.start(await this.request<AuthResult>("/auth/register", call));
  }

  async login(email: string, password: string): Promise<void> {
    const call: Call = { method: "POST", body: { email, password }, signedIn: false };
    this.session.start(await this.request<AuthResult>("/auth/login", call));
  }

  /** A contractor asks for access; nobody is signed in until the company approves. */
  async registerContractor(registration: ContractorRegistration): Promise<void> {
    await this.request("/auth/register-contractor", { method: "POST", body: registration, signedIn: false });
  }

  /** Asks for a mail with a reset link; the answer is the same for an unknown address. */
  async forgotPassword(email: string): Promise<void> {
    await this.request("/auth/forgot-password", { method: "POST", body: { email }, signedIn: false });
  }

  async resetPassword(token: string, newPassword: string): Promise<void> {
    await this.request("/auth/reset-password", { method: "POST", body: { token, newPassword }, signedIn: false });
  }

  /** The signed-in user; the session takes over a new name, role or approval. */
  async me(signal?: AbortSignal): Promise<Me> {
    const me = await this.request<Me>("/auth/me", withSignal(signal));
    this.session.update(me);
    return me;
  }

  async changeProfile(change: { name?: string; email?: string }): Promise<Me> {
    const me = await this.request<Me>("/auth/profile", { method: "PATCH", body: change });
    this.session.update(me);
    return me;
  }

  async changePassword(currentPassword: string, newPassword: string): Promise<void> {
    await this.request("/auth/change-password", { method: "POST", body: { currentPassword, newPassword } });
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
    return this.create("/projects", project);
  }

  changeProject(id: string, change: ProjectChange): Promise<Project> {
    return this.request(`/projects/${encodeURIComponent(id)}`, { method: "PATCH", body: change });
  }

  async deleteProject(id: string): Promise<void> {
    await this.request(`/projects/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  dashboard(signal?: AbortSignal): Promise<DashboardStats> {
    return this.request("/projects/dashboard/stats", withSignal(signal));
  }

  /** Adds a progress record, or changes the one with this id. */
  saveEvolution(projectId: string, evolution: NewEvolution, id?: string): Promise<Evolution> {
    const path = `/projects/${encodeURIComponent(projectId)}/evolutions`;
    if (id === undefined) return this.create(path, evolution);
    return this.request(`${path}/${encodeURIComponent(id)}`, { method: "PATCH", body: evolution });
  }

  async deleteEvolution(projectId: string, id: string): Promise<void> {
    const path = `/projects/${encodeURIComponent(projectId)}/evolutions/${encodeURIComponent(id)}`;
    await this.request(path, { method: "DELETE" });
  }

  async users(signal?: AbortSignal): Promise<Person[]> {
    return (await this.request<{ data: Person[] }>("/users", withSignal(signal))).data;
  }

  async createUser(person: NewPerson): Promise<void> {
    await this.request("/users", { method: "POST", body: person });
  }

  async changeUser(id: string, change: { name?: string; role?: string; isActive?: boolean }): Promise<void> {
    await this.request(`/users/${encodeURIComponent(id)}`, { method: "PATCH", body: change });
  }

  async approveUser(id: string): Promise<void> {
    await this.request(`/users/${encodeURIComponent(id)}/approve`, { method: "POST", body: {} });
  }

  async rejectUser(id: string): Promise<void> {
    await this.request(`/users/${encodeURIComponent(id)}/reject`, { method: "POST", body: {} });
  }

  storageConfig(signal?: AbortSignal): Promise<StorageConfig> {
    return this.request("/tenant/settings/storage-config", withSignal(signal));
  }

  async changeStorage(storagePath: string): Promise<void> {
    await this.request("/tenant/settings/storage-config", { method: "PUT", body: { storagePath } });
  }

  testStorage(path: string): Promise<StorageProbe> {
    return this.request("/tenant/settings/storage-test", { method: "POST", body: { path } });
  }

  drives(signal?: AbortSignal): Promise<Drive[]> {
    return this.request("/tenant/settings/drives", withSignal(signal));
  }

  tenantSettings(signal?: AbortSignal): Promise<{ smtp?: Partial<Smtp> }> {
    return this.request("/tenant/settings", withSignal(signal));
  }

  async changeSmtp(smtp: Smtp): Promise<void> {
    await this.request("/tenant/settings", { method: "PATCH", body: { smtp } });
  }

  async testEmail(to: string): Promise<void> {
    await this.request("/tenant/settings/test-email", { method: "POST", body: { to } });
  }

  /**
   * Uploads one photo of a project and gives its address. One request per photo: each has its own progress
   * (a part of 1), and one refused photo does not take the others with it.
   */
  async uploadPhoto(
    projectId: string, file: File, onProgress: (part: number) => void, signal: AbortSignal,
  ): Promise<string> {
    const path = `/projects/${encodeURIComponent(projectId)}/evolutions/upload`;
    const token = this.session.read()?.accessToken ?? "";
    let answer = await this.transfer(path, file, token, onProgress, signal);
    if (answer.status === 401 && (await this.renewed(token))) {
      answer = await this.transfer(path, file, this.session.read()?.accessToken ?? "", onProgress, signal);
    }
    if (answer.status < 200 || answer.status > 299) throw new ApiError(answer.status, messageIn(answer.text));
    const url = (JSON.parse(answer.text) as { urls: string[] }).urls[0];
    if (url === undefined) throw new ApiError(answer.status, null);
    return url;
  }

  /** Sends a file with XMLHttpRequest: fetch tells nothing of how much was sent. */
  private transfer(
    path: string, file: File, token: string, onProgress: (part: number) => void, signal: AbortSignal,
  ): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const request = this.newTransfer();
      const stop = () => request.abort();
      signal.addEventListener("abort", stop);
      request.onloadend = () => signal.removeEventListener("abort", stop);
      request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
      request.onload = () => resolve({ status: request.status, text: request.responseText });
      request.onerror = request.ontimeout = () => reject(new ApiError(0, null));
      request.onabort = () => reject(signal.reason);
      request.open("POST", API_BASE + path);
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("Authorization", `Bearer ${token}`);
      request.timeout = UPLOAD_TIMEOUT_MS;
      const body = new FormData();
      body.append("photos", file);
      request.send(body);
    });
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

  /** Creates something once, even when the same form is sent again after no answer came. */
  private async create<T>(path: string, body: unknown): Promise<T> {
    const id = `${path} ${JSON.stringify(body)}`;
    const key = this.keys.get(id) ?? newKey();
    this.keys.set(id, key);
    try {
      const created = await this.request<T>(path, { method: "POST", body, idempotencyKey: key });
      this.keys.delete(id);
      return created;
    } catch (error) {
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) this.keys.delete(id);
      throw error;
    }
  }

  private async once(path: string, call: Call, token: string | null): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json" };
    if (token !== null) headers["Authorization"] = `Bearer ${token}`;
    const init: RequestInit = { method: call.method ?? "GET", headers };
    if (call.idempotencyKey !== undefined) headers["Idempotency-Key"] = call.idempotencyKey;
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

/** 128 random bits; `crypto.randomUUID` is missing on a site without TLS. */
function newKey(): string {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(16).padStart(8, "0")).join("");
}

async function messageOf(response: Response): Promise<string | null> {
  return messageIn(await response.text().catch(() => ""));
}

/** The text for people in the body of a failed call. */
function messageIn(text: string): string | null {
  try {
    const body = JSON.parse(text) as { message?: unknown; error?: unknown } | null;
    for (const text of [body?.message, body?.error]) {
      if (typeof text === "string" && text !== "") return text;
    }
  } catch {
    // Not JSON: a page of a proxy. The status says enough.
  }
  return null;
}
