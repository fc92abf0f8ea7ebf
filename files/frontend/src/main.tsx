import { render } from "preact";
import { useEffect } from "preact/hooks";
import { ApiError } from "./api/client";
import { api, sessionStore, useSession } from "./context";
import { locale, t } from "./i18n";
import { can, isRoot } from "./lib/permissions";
import { DashboardPage } from "./pages/dashboard";
import { LoginPage } from "./pages/login";
import { ForgotPasswordPage, ResetPasswordPage } from "./pages/password";
import { PendingPage } from "./pages/pending";
import { ProfilePage } from "./pages/profile";
import { ProjectPage } from "./pages/project";
import { EditProjectPage, NewProjectPage } from "./pages/project-form";
import { ProjectsPage } from "./pages/projects";
import { RegisterPage } from "./pages/register";
import { RegisterContractorPage } from "./pages/register-contractor";
import { isSettingsPath, SettingsPage } from "./pages/settings";
import { UsersPage } from "./pages/users";
import { Link, loginTarget, navigate, nextOf, useAddress } from "./router";
import type { Session } from "./session";
import { Shell } from "./ui/shell";
import { PageTitle } from "./ui/states";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/pages.css";

/** Pages for people who are not signed in. */
const ENTRANCE = ["/login", "/register", "/register-contractor", "/forgot-password"];
const RESET = "/reset-password";
const PENDING = "/pending-approval";

/** Where to go instead of this address, if anywhere. */
function redirect(session: Session | null, path: string, search: string): string | null {
  if (path === RESET) return null;
  if (session === null) return ENTRANCE.includes(path) || path === PENDING ? null : loginTarget(path + search);
  if (!session.user.isApproved) return path === PENDING ? null : PENDING;
  return ENTRANCE.includes(path) || path === PENDING ? nextOf(search) : null;
}

function App() {
  const session = useSession();
  const { path, search } = useAddress();
  const target = redirect(session, path, search);
  const userId = session?.user.id;
  useEffect(() => {
    // Asked again: log-out may have gone on to another page since this was drawn.
    const now = target === null ? null : redirect(sessionStore.read(), location.pathname, location.search);
    if (now !== null) navigate(now, true);
  }, [target]);
  useEffect(() => {
    // The role may have changed since the last log-in. Every page shows its own errors.
    if (userId !== undefined) api.me().catch((error: unknown) => { if (!(error instanceof ApiError)) throw error; });
  }, [userId]);
  if (target !== null) return null;
  if (path === RESET) return <ResetPasswordPage search={search} />;
  if (path === PENDING) return <PendingPage session={session} />;
  if (session === null) return entrance(path);
  return <Shell session={session} path={path}>{signedIn(session, path, search)}</Shell>;
}

function entrance(path: string) {
  if (path === "/register") return <RegisterPage />;
  if (path === "/register-contractor") return <RegisterContractorPage />;
  if (path === "/forgot-password") return <ForgotPasswordPage />;
  return <LoginPage />;
}

function signedIn(session: Session, path: string, search: string) {
  if (path === "/") return <DashboardPage session={session} />;
  if (path === "/projects") return <ProjectsPage session={session} search={search} />;
  if (path === "/projects/new" && can(session, "projects:create")) return <NewProjectPage />;
  if (path === "/users" && can(session, "users:view")) return <UsersPage session={session} />;
  if (path === "/profile") return <ProfilePage />;
  if (isSettingsPath(path) && isRoot(session)) return <SettingsPage key={path} path={path} />;
  const [, id, edit] = /^\/projects\/([\w-]+)(\/edit)?$/.exec(path) ?? [];
  if (id !== undefined && id !== "new") {
    if (edit === undefined) return <ProjectPage key={id} id={id} session={session} />;
    if (can(session, "projects:edit")) return <EditProjectPage key={id} id={id} />;
  }
  return (
    <>
      <PageTitle text={t("missing.title")} />
      <p class="lead">{t("missing.body")}</p>
      <Link to="/" class="button" data-testid="to-start">{t("missing.back")}</Link>
    </>
  );
}

document.documentElement.lang = locale;
render(<App />, document.getElementById("app")!);
