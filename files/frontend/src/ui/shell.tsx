import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { api } from "../context";
import { t } from "../i18n";
import { initials } from "../lib/format";
import { can, isRoot } from "../lib/permissions";
import { Link, navigate } from "../router";
import type { Session } from "../session";
import { BuildingIcon, CheckIcon, HomeIcon, LogoutIcon, Mark, PeopleIcon, SettingsIcon, SiteArt } from "./icons";

/** Frame of the signed-in pages: bar with brand, sections, profile and log-out. On a phone the sections lie at the bottom. */
export function Shell({ session, path, children }: { session: Session; path: string; children: ComponentChildren }) {
  const [leaving, setLeaving] = useState(false);
  const logout = () => {
    setLeaving(true);
    void api.logout().then(() => navigate("/login", true));
  };
  const sections = [
    { to: "/", name: "dashboard", icon: <HomeIcon /> },
    { to: "/projects", name: "projects", icon: <BuildingIcon /> },
    ...(can(session, "users:view") ? [{ to: "/users", name: "users", icon: <PeopleIcon /> } as const] : []),
    ...(isRoot(session) ? [{ to: "/settings", name: "settings", icon: <SettingsIcon /> } as const] : []),
  ] as const;
  const current = (to: string) => (to === "/" ? path === "/" : path === to || path.startsWith(`${to}/`));
  return (
    <>
      <a class="skip" href="#content">{t("app.skip")}</a>
      <header class="bar">
        <div class="bar-inner">
          <Link to="/" class="brand" aria-label="EnlevoHub">
            <Mark />
            <span>EnlevoHub</span>
          </Link>
          <nav class="bar-nav" aria-label={t("nav.sections")}>
            {sections.map(({ to, name, icon }) => (
              <Link key={to} to={to} data-testid={`nav-${name}`} {...(current(to) ? { "aria-current": "page" as const } : {})}>
                {icon}<span>{t(`nav.${name}`)}</span>
              </Link>
            ))}
          </nav>
          <div class="bar-user">
            <Link to="/profile" class="bar-profile" data-testid="nav-profile" title={t("nav.profile")}>
              <span class="bar-names">
                <strong data-testid="user-name">{session.user.name}</strong>
                <span data-testid="tenant-name">{session.tenant.name}</span>
              </span>
              <span class="avatar" aria-hidden="true">{initials(session.user.name)}</span>
              <span class="unseen">{t("nav.profile")}</span>
            </Link>
            <button type="button" class="bar-button" onClick={logout} disabled={leaving} data-testid="logout"
              aria-label={t("nav.logout")} title={t("nav.logout")}>
              <LogoutIcon />
              <span>{t("nav.logout")}</span>
            </button>
          </div>
        </div>
      </header>
      <main id="content" class="page">{children}</main>
    </>
  );
}

/** Frame of the pages before log-in: brand panel beside the form. */
export function Entrance({ children }: { children: ComponentChildren }) {
  return (
    <div class="entrance">
      <aside class="entrance-brand">
        <div class="brand"><Mark /><span>EnlevoHub</span></div>
        <div class="entrance-pitch">
          <p class="entrance-tagline">{t("app.tagline")}</p>
          <ul>
            {(["app.point1", "app.point2", "app.point3"] as const).map((key) => (
              <li key={key}><CheckIcon />{t(key)}</li>
            ))}
          </ul>
        </div>
        <SiteArt />
      </aside>
      <main id="content" class="entrance-main">{children}</main>
    </div>
  );
}
