import { useEffect, useState } from "preact/hooks";
import { ApiClient } from "./api/client";
import { type Session, SESSION_KEY, SessionStore } from "./session";

export const sessionStore = new SessionStore(localStorage);
export const api = new ApiClient(sessionStore);

addEventListener("storage", (event) => {
  if (event.key === SESSION_KEY || event.key === null) sessionStore.notify();
});

/** The session of this device; the component renders again when it changes. */
export function useSession(): Session | null {
  const [session, setSession] = useState(() => sessionStore.read());
  useEffect(() => sessionStore.subscribe(() => setSession(sessionStore.read())), []);
  return session;
}

