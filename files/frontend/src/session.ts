import type { AuthResult, Me, Tenant, Tokens, User } from "./api/types";

/** Local-storage key shared with every client of the contract. */
export const SESSION_KEY = "enlevohub-auth";

export interface Session extends Tokens {
  user: User;
  tenant: Tenant;
}

type Store = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** The signed-in session, kept under one local-storage key as `{state: {...}, version: 0}`. */
export class SessionStore {
  private readonly listeners = new Set<() => void>();

  constructor(private readonly storage: Store) {}

  /** Returns the stored session, or null when nobody is signed in or the entry is unreadable. */
  read(): Session | null {
    const raw = this.storage.getItem(SESSION_KEY);
    if (raw === null) return null;
    try {
      const state = (JSON.parse(raw) as { state?: Partial<Session> } | null)?.state;
      if (!state?.user || !state.tenant || !state.accessToken || !state.refreshToken) return null;
      const { user, tenant, accessToken, refreshToken } = state;
      return { user, tenant, accessToken, refreshToken };
    } catch {
      return null;
    }
  }

  /** Starts a session from a register or login answer. */
  start(result: AuthResult): void {
    this.write({ user: result.user, tenant: result.tenant, ...result.tokens });
  }

  /** Replaces the token pair; does nothing when the session has ended meanwhile. */
  renew(tokens: Tokens): void {
    const session = this.read();
    if (session) this.write({ ...session, accessToken: tokens.accessToken, refreshToken: tokens.refreshToken });
  }

  /** Takes over what the API now says of the user; silent when that is nothing new. */
  update(me: Me): void {
    const session = this.read();
    if (session === null || session.user.id !== me.id) return;
    const { tenant, id, email, name, role, isApproved } = me;
    const fresh = { ...session, tenant, user: { ...session.user, id, email, name, role, isApproved } };
    if (JSON.stringify(fresh) !== JSON.stringify(session)) this.write(fresh);
  }

  /** Ends the session on this device. */
  clear(): void {
    this.storage.removeItem(SESSION_KEY);
    this.notify();
  }

  /** Calls `listener` after every change; returns the function that stops it. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Tells the listeners; also used when another tab changed the storage. */
  notify(): void {
    for (const listener of [...this.listeners]) listener();
  }

  private write(session: Session): void {
    const state = { ...session, isAuthenticated: true };
    this.storage.setItem(SESSION_KEY, JSON.stringify({ state, version: 0 }));
    this.notify();
  }
}
