import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

const NAVIGATED = "enlevohub:navigated";

/** Goes to a path of this app; `replace` leaves no entry in the history. */
export function navigate(path: string, replace = false): void {
  if (path === location.pathname + location.search) return;
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  dispatchEvent(new Event(NAVIGATED));
}

/** The login page, with the address to come back to. */
export function loginTarget(address: string): string {
  return address === "/" ? "/login" : `/login?next=${encodeURIComponent(address)}`;
}

/** The address to go on to after the login: a path of this app, whatever the query says. */
export function nextOf(search: string): string {
  const next = new URLSearchParams(search).get("next") ?? "/";
  return /^\/(?![/\\])/.test(next) ? next : "/";
}

/** The address in the browser, kept up to date. */
export function useAddress(): { path: string; search: string } {
  const [address, setAddress] = useState(current);
  useEffect(() => {
    const update = () => setAddress(current());
    addEventListener("popstate", update);
    addEventListener(NAVIGATED, update);
    return () => {
      removeEventListener("popstate", update);
      removeEventListener(NAVIGATED, update);
    };
  }, []);
  return address;
}

function current(): { path: string; search: string } {
  return { path: location.pathname, search: location.search };
}

type LinkProps = Omit<JSX.IntrinsicElements["a"], "href"> & { to: string; children: ComponentChildren };

/** A link inside the app: a real anchor, so that opening in a new tab works. */
export function Link({ to, children, ...rest }: LinkProps) {
  const onClick = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
    scrollTo(0, 0);
  };
  return (
    <a href={to} onClick={onClick} {...rest}>
      {children}
    </a>
  );
}
