import type { DashboardStats, Project } from "../api/types";
import { api } from "../context";
import { locale, t } from "../i18n";
import { errorText } from "../lib/errors";
import { formatPercent } from "../lib/format";
import { useLoad } from "../lib/load";
import { can } from "../lib/permissions";
import { Link } from "../router";
import type { Session } from "../session";
import { Bar, Donut } from "../ui/chart";
import { PinIcon, PlusIcon } from "../ui/icons";
import { Failure, NoProjects, PageTitle, Progress, StatusChip, Tile } from "../ui/states";

export function DashboardPage({ session }: { session: Session }) {
  const [stats, retry] = useLoad("dashboard", (signal) => api.dashboard(signal));
  const mayCreate = can(session, "projects:create");
  return (
    <>
      <div class="page-head">
        <div>
          <PageTitle text={t("dashboard.title")} />
          <p class="lead">{t("dashboard.lead", { name: session.user.name.split(" ")[0]! })}</p>
        </div>
        {mayCreate && stats.state === "ready" && stats.data.projects.total > 0 && (
          <Link to="/projects/new" class="button primary" data-testid="new-project"><PlusIcon />{t("projects.new")}</Link>
        )}
      </div>
      {stats.state === "failed" ? (
        <Failure title={t("dashboard.errorTitle")} text={errorText(stats.error)} retry={retry} />
      ) : stats.data === null ? (
        <div role="status" aria-label={t("dashboard.loading")} data-testid="loading-state">
          <div class="tiles">{[0, 1, 2, 3].map((n) => <div key={n} class="tile skeleton" />)}</div>
          <div class="columns"><div class="card skeleton" /><div class="card skeleton" /></div>
        </div>
      ) : stats.data.projects.total === 0 ? (
        <NoProjects mayCreate={mayCreate} />
      ) : (
        <Figures stats={stats.data} />
      )}
    </>
  );
}

function Figures({ stats }: { stats: DashboardStats }) {
  const { projects, units } = stats;
  const byStatus = [
    { name: "PLANNING", count: projects.planning },
    { name: "IN_PROGRESS", count: projects.inProgress },
    { name: "PAUSED", count: projects.paused },
    { name: "COMPLETED", count: projects.completed },
    { name: "CANCELLED", count: projects.cancelled },
  ] as const;
  const byUnit = [
    { name: "SOLD", count: units.sold },
    { name: "RESERVED", count: units.reserved },
    { name: "AVAILABLE", count: units.available },
    { name: "BLOCKED", count: units.blocked },
  ] as const;
  return (
    <div class="dashboard" data-testid="dashboard">
      <div class="tiles">
        <Tile label={t("dashboard.projects")} value={String(projects.total)} testid="figure-projects" />
        <Tile label={t("status.IN_PROGRESS")} value={String(projects.inProgress)} testid="figure-in-progress" />
        <Tile label={t("dashboard.completed")} value={String(projects.completed)} testid="figure-completed" />
        <Tile label={t("project.units")} value={String(units.total)} testid="figure-units">
          {units.total > 0 && t("project.sold", { n: units.sold })}
        </Tile>
      </div>
      <div class="columns columns-even">
        <section class="panel">
          <h2>{t("dashboard.recent")}</h2>
          <ul class="recent" data-testid="recent-projects">
            {stats.recentProjects.map((project) => <Recent key={project.id} project={project} />)}
          </ul>
          <Link to="/projects" class="more" data-testid="all-projects">{t("dashboard.all")}</Link>
        </section>
        <div class="stack">
          <section class="panel">
            <h2>{t("dashboard.byStatus")}</h2>
            <div class="chart">
              <Donut parts={byStatus} total={projects.total} />
              <ul class="legend" data-testid="status-legend">
                {byStatus.map(({ name, count }) => (
                  <li key={name}>
                    <Link to={`/projects?status=${name}`}><span class={`swatch part-${name}`} />{t(`status.${name}`)}</Link>
                    <strong>{count}</strong>
                  </li>
                ))}
              </ul>
            </div>
          </section>
          {units.total > 0 && (
            <section class="panel">
              <h2>{t("project.units")}</h2>
              <Bar parts={byUnit} />
              <ul class="legend legend-wide" data-testid="unit-legend">
                {byUnit.map(({ name, count }) => (
                  <li key={name}><span><span class={`swatch part-${name}`} />{t(`unit.${name}`)}</span><strong>{count}</strong></li>
                ))}
              </ul>
            </section>
          )}
        </div>
      </div>
    </div>
  );
}

function Recent({ project }: { project: Project }) {
  const progress = project.evolutions[0]?.percentage ?? 0;
  return (
    <li>
      <Link to={`/projects/${project.id}`} class="recent-link" data-testid="recent-project">
        <span class="recent-name">{project.name}</span>
        <StatusChip status={project.status} />
        <span class="place"><PinIcon />{project.address.city}, {project.address.state}</span>
        <span class="recent-progress">
          <Progress value={progress} label={t("project.progress")} />
          <strong>{formatPercent(progress, locale)}</strong>
        </span>
      </Link>
    </li>
  );
}
