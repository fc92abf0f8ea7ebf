import { render } from "preact";
import { useEffect } from "preact/hooks";
import { mayCreateProjects, useSession } from "./context";
import { locale, t } from "./i18n";
import { LoginPage } from "./pages/login";
import { NewProjectPage } from "./pages/new-project";
import { ProjectPage } from "./pages/project";
import { ProjectsPage } from "./pages/projects";
import { RegisterPage } from "./pages/register";
import { Link, navigate, useAddress } from "./router";
import type { Session } from "./session";
import { BuildingIcon } from "./ui/icons";
import { Shell } from "./ui/shell";
import { Notice, PageTitle } from "./ui/states";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/pages.css";

const ENTRANCE = ["/login", "/register"];

function App() {
  const session = useSession();
  const { path, search } = useAddress();
  const target = session === null ? (ENTRANCE.includes(path) ? null : "/login")
    : path === "/" || ENTRANCE.includes(path) ? "/projects" : null;
  useEffect(() => {
    if (target !== null) navigate(target, true);
  }, [target]);
  if (target !== null) return null;
  if (session === null) return path === "/register" ? <RegisterPage /> : <LoginPage />;
  return <Shell session={session}>{signedIn(session, path, search)}</Shell>;
}

function signedIn(session: Session, path: string, search: string) {
  if (!session.user.isApproved) {
    return (
      <Notice testid="pending-state" title={t("pending.title")} art={<span class="notice-badge"><BuildingIcon /></span>}>
        {t("pending.body")}
      </Notice>
    );
  }
  if (path === "/projects") return <ProjectsPage session={session} search={search} />;
  if (path === "/projects/new" && mayCreateProjects(session)) return <NewProjectPage />;
  const id = /^\/projects\/([\w-]+)$/.exec(path)?.[1];
  if (id !== undefined && id !== "new") return <ProjectPage key={id} id={id} />;
  return (
    <>
      <PageTitle text={t("missing.title")} />
      <p class="lead">{t("missing.body")}</p>
      <Link to="/projects" class="button">{t("project.back")}</Link>
    </>
  );
}

document.documentElement.lang = locale;
render(<App />, document.getElementById("app")!);
