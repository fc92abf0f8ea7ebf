import { type Session, SessionStore } from "../src/session";

/** A session store over a plain map, as the browser's storage would be. */
export function memoryStore(entries = new Map<string, string>()): SessionStore {
  return new SessionStore({
    getItem: (key) => entries.get(key) ?? null,
    setItem: (key, value) => void entries.set(key, value),
    removeItem: (key) => void entries.delete(key),
  });
}

export const USER: Session["user"] = {
  id: "u1", email: "ana@example.com", name: "Ana", role: "MASTER", tenantId: "t1", isApproved: true,
};
export const TENANT: Session["tenant"] = { id: "t1", name: "Obra Boa", plan: "FREE" };

/** A store with a session whose tokens are `access-1` and `refresh-1`. */
export function signedInStore(): SessionStore {
  const store = memoryStore();
  store.start({ user: USER, tenant: TENANT, tokens: { accessToken: "access-1", refreshToken: "refresh-1" } });
  return store;
}
