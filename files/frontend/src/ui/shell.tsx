import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { api } from "../context";
import { t } from "../i18n";
import { initials } from "../lib/format";
import { Link } from "../router";
import type { Session } from "../session";
import { CheckIcon, LogoutIcon, Mark, SiteArt } from "./icons";

/** Frame of the signed-in pages: bar with brand, section, company and log-out. */
export function Shell({ session, children }: { session: Session; children: ComponentChildren }) {
  const [leaving, setLeaving] = useState(false);
  const logout = () => {
    setLeaving(true);
    void api.logout();
  };
  return (
    <>
      <a class="skip" href="#content">{t("app.skip")}</a>
      <header class="bar">
        <div class="bar-inner">
          <Link to="/projects" class="brand" aria-label="EnlevoHub">
            <Mark />
            <span>EnlevoHub</span>
          </Link>
          <nav class="bar-nav">
            <Link to="/projects" aria-current="page" data-testid="nav-projects">{t("nav.projects")}</Link>
          </nav>
          <div class="bar-user">
            <div class="bar-names">
              <strong data-testid="user-name">{session.user.name}</strong>
              <span data-testid="tenant-name">{session.tenant.name}</span>
            </div>
            <span class="avatar" aria-hidden="true">{initials(session.user.name)}</span>
            <button type="button" class="bar-button" onClick={logout} disabled={leaving} data-testid="logout"
              title={t("nav.logout")}>
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
