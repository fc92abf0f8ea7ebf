import { api } from "../context";
import { t } from "../i18n";
import { Link } from "../router";
import type { Session } from "../session";
import { BuildingIcon } from "../ui/icons";
import { EntranceNotice } from "../ui/states";

/** The account waits for the company's approval: after a registration, or signed in meanwhile. */
export function PendingPage({ session }: { session: Session | null }) {
  return (
    <EntranceNotice testid="pending-state" title={t("pending.title")} art={<BuildingIcon />}>
      <p class="lead">{t("pending.body")}</p>
      <p class="entrance-switch">
        {session === null
          ? <Link to="/login" data-testid="to-login">{t("password.toLogin")}</Link>
          : <button type="button" class="button" onClick={() => void api.logout()} data-testid="logout">{t("nav.logout")}</button>}
      </p>
    </EntranceNotice>
  );
}
