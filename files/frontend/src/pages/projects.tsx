import { useEffect, useState } from "preact/hooks";
import { type Project, PROJECT_STATUSES, type ProjectQuery, type ProjectStatus } from "../api/types";
import { api } from "../context";
import { locale, t } from "../i18n";
import { errorText } from "../lib/errors";
import { formatMoney, formatMonth, formatPercent } from "../lib/format";
import { useLoad } from "../lib/load";
import { can } from "../lib/permissions";
import { Link, navigate } from "../router";
import type { Session } from "../session";
import { PinIcon, PlusIcon, SearchIcon } from "../ui/icons";
import { Failure, NoProjects, Notice, PageTitle, Progress, StatusChip } from "../ui/states";

const PER_PAGE = 9;

/** Wait after the last key before a search is sent, in milliseconds. */
const SEARCH_PAUSE_MS = 300;

/** Reads the list's filters from the address; wrong values fall back to the unfiltered first page. */
function queryOf(search: string): ProjectQuery {
  const params = new URLSearchParams(search);
  const page = Number(params.get("page"));
  const status = PROJECT_STATUSES.find((known) => known === params.get("status"));
  const text = params.get("search")?.trim();
  return {
    page: Number.isInteger(page) && page > 0 ? page : 1,
    limit: PER_PAGE,
    ...(status ? { status } : {}),
    ...(text ? { search: text } : {}),
  };
}

function addressOf(filters: { page?: number; search?: string; status?: string }): string {
  const params = new URLSearchParams();
  if (filters.search) params.set("search", filters.search);
  if (filters.status) params.set("status", filters.status);
  if (filters.page && filters.page > 1) params.set("page", String(filters.page));
  return params.size > 0 ? `/projects?${params}` : "/projects";
}

export function ProjectsPage({ session, search }: { session: Session; search: string }) {
  const query = queryOf(search);
  const [load, retry] = useLoad(addressOf(query), (signal) => api.projects(query, signal));
  const [text, setText] = useState(query.search ?? "");
  const filtered = query.search !== undefined || query.status !== undefined;
  const mayCreate = can(session, "projects:create");

  useEffect(() => setText(query.search ?? ""), [query.search]);
  useEffect(() => {
    if (text.trim() === (query.search ?? "")) return;
    const timer = setTimeout(() => navigate(addressOf({ ...query, search: text.trim(), page: 1 }), true), SEARCH_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);

  const page = load.state === "failed" ? null : load.data;
  const total = page?.pagination.total ?? 0;
  const pages = page?.pagination.totalPages ?? 0;
  const blank = load.state === "ready" && total === 0 && !filtered;

  return (
    <>
      <div class="page-head">
        <div>
          <PageTitle text={t("projects.title")} />
          <p class="lead" aria-live="polite" data-testid="projects-count">
            {load.state === "ready" && !blank ? t(total === 1 ? "projects.count.one" : "projects.count.other", { n: total }) : "\u00a0"}
          </p>
        </div>
        {mayCreate && !blank && (
          <Link to="/projects/new" class="button primary" data-testid="new-project"><PlusIcon />{t("projects.new")}</Link>
        )}
      </div>

      {!blank && (
        <div class="filters" role="search">
          <label class="search">
            <SearchIcon />
            <input type="search" value={text} placeholder={t("projects.search")} aria-label={t("projects.search")}
              onInput={(event) => setText(event.currentTarget.value)} data-testid="projects-search" />
          </label>
          <select value={query.status ?? ""} aria-label={t("field.status")} data-testid="projects-status"
            onChange={(event) => navigate(addressOf({ ...query, status: event.currentTarget.value as ProjectStatus, page: 1 }))}>
            <option value="">{t("projects.allStatuses")}</option>
            {PROJECT_STATUSES.map((status) => <option key={status} value={status}>{t(`status.${status}`)}</option>)}
          </select>
        </div>
      )}

      {load.state === "failed" ? (
        <Failure title={t("projects.errorTitle")} text={errorText(load.error)} retry={retry} />
      ) : page === null ? (
        <div class="cards" role="status" aria-label={t("projects.loading")} data-testid="loading-state">
          {Array.from({ length: 6 }, (_, index) => <div key={index} class="card skeleton" />)}
        </div>
      ) : page.data.length > 0 ? (
        <>
          <ul class="cards" data-testid="projects-list" aria-busy={load.state === "loading"}>
            {page.data.map((project) => <ProjectCard key={project.id} project={project} />)}
          </ul>
          {pages > 1 && (
            <nav class="pager">
              <button type="button" class="button" disabled={query.page <= 1} data-testid="page-previous"
                onClick={() => navigate(addressOf({ ...query, page: query.page - 1 }))}>{t("projects.previous")}</button>
              <span data-testid="page-position">{t("projects.page", { page: query.page, total: pages })}</span>
              <button type="button" class="button" disabled={query.page >= pages} data-testid="page-next"
                onClick={() => navigate(addressOf({ ...query, page: query.page + 1 }))}>{t("projects.next")}</button>
            </nav>
          )}
        </>
      ) : blank ? (
        <NoProjects mayCreate={mayCreate} />
      ) : (
        <Notice testid="no-match-state" title={t("projects.noMatchTitle")}
          art={<span class="notice-badge"><SearchIcon /></span>}
          action={<Link to="/projects" class="button" data-testid="clear-filters">{t("projects.clear")}</Link>}>
          {t("projects.noMatchBody")}
        </Notice>
      )}
    </>
  );
}

function ProjectCard({ project }: { project: Project }) {
  const progress = project.evolutions[0]?.percentage ?? 0;
  return (
    <li>
      <Link to={`/projects/${project.id}`} class="card project-card" data-testid="project-card">
        <div class="card-head">
          <h2 data-testid="project-card-name">{project.name}</h2>
          <StatusChip status={project.status} />
        </div>
        <p class="place"><PinIcon />{project.address.city}, {project.address.state}</p>
        {project.description && <p class="card-text">{project.description}</p>}
        <div class="card-progress">
          <div><span>{t("project.progress")}</span><strong>{formatPercent(progress, locale)}</strong></div>
          <Progress value={progress} label={t("project.progress")} />
        </div>
        <dl class="card-facts">
          <div>
            <dt>{t("project.budget")}</dt>
            <dd>{project.budget > 0 ? formatMoney(Math.round(project.budget), locale) : t("project.noBudget")}</dd>
          </div>
          <div><dt>{t("project.units")}</dt><dd>{project._count.units}</dd></div>
          <div>
            <dt>{t("project.start")}</dt>
            <dd>{project.startDate ? formatMonth(project.startDate, locale) : t("project.noDate")}</dd>
          </div>
        </dl>
      </Link>
    </li>
  );
}
