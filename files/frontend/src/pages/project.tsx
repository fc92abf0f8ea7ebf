import type { ComponentChildren } from "preact";
import { ApiError } from "../api/client";
import { type ProjectDetails, UNIT_STATUSES } from "../api/types";
import { api } from "../context";
import { locale, t } from "../i18n";
import { errorText } from "../lib/errors";
import { formatDay, formatMoney, formatPercent } from "../lib/format";
import { useLoad } from "../lib/load";
import { Link } from "../router";
import { BackIcon, BuildingIcon, PinIcon } from "../ui/icons";
import { Failure, Notice, PageTitle, Progress, StatusChip } from "../ui/states";

export function ProjectPage({ id }: { id: string }) {
  const [project, retry] = useLoad(id, (signal) => api.project(id, signal));
  const back = <Link to="/projects" class="back" data-testid="back"><BackIcon />{t("project.back")}</Link>;
  if (project.state === "failed") {
    if (!(project.error instanceof ApiError) || project.error.status !== 404) {
      return <>{back}<Failure title={t("project.errorTitle")} text={errorText(project.error)} retry={retry} /></>;
    }
    return (
      <>
        {back}
        <Notice testid="missing-state" title={t("project.missingTitle")}
          art={<span class="notice-badge"><BuildingIcon /></span>}>{t("project.missingBody")}</Notice>
      </>
    );
  }
  if (project.data === null) {
    return (
      <>
        {back}
        <div role="status" aria-label={t("project.loading")} data-testid="loading-state">
          <div class="skeleton skeleton-title" />
          <div class="tiles">{[0, 1, 2, 3].map((n) => <div key={n} class="tile skeleton" />)}</div>
          <div class="card skeleton" />
        </div>
      </>
    );
  }
  return <>{back}<Details project={project.data} /></>;
}

function Details({ project }: { project: ProjectDetails }) {
  const { address } = project;
  const progress = project.evolutions[0]?.percentage ?? 0;
  const count = (status: (typeof UNIT_STATUSES)[number]) => project.units.filter((u) => u.status === status).length;
  const day = (iso: string | null) => (iso ? formatDay(iso, locale) : t("project.noDate"));
  return (
    <article data-testid="project-details">
      <div class="page-head">
        <div>
          <div class="title-row">
            <PageTitle text={project.name} />
            <StatusChip status={project.status} />
          </div>
          <p class="place"><PinIcon />{address.neighborhood}, {address.city}, {address.state}</p>
        </div>
      </div>

      <div class="tiles">
        <Tile label={t("project.progress")} value={formatPercent(progress, locale)} testid="tile-progress">
          <Progress value={progress} label={t("project.progress")} />
        </Tile>
        <Tile label={t("project.budget")} testid="tile-budget"
          value={project.budget > 0 ? formatMoney(project.budget, locale) : t("project.noBudget")} />
        <Tile label={t("project.expectedEnd")} value={day(project.expectedEndDate)} testid="tile-end" />
        <Tile label={t("project.units")} value={String(project.units.length)} testid="tile-units">
          {project.units.length > 0
            ? t("project.sold", { n: count("SOLD") })
            : t("project.planned", { n: project.quantidadeUnidades })}
        </Tile>
      </div>

      <div class="columns">
        <div class="stack">
          <section class="panel">
            <h2>{t("project.description")}</h2>
            <p class={project.description ? "prose" : "prose muted"} data-testid="project-description">
              {project.description ?? t("project.noDescription")}
            </p>
          </section>
          <section class="panel">
            <h2>{t("project.history")}</h2>
            {project.evolutions.length === 0 ? (
              <p class="prose muted">{t("project.noHistory")}</p>
            ) : (
              <ol class="timeline" data-testid="project-history">
                {project.evolutions.map((evolution) => (
                  <li key={evolution.id}>
                    <strong>{formatPercent(evolution.percentage, locale)}</strong>
                    <div>
                      <p>{evolution.phase}</p>
                      <p class="muted">
                        {formatDay(evolution.date, locale)}{evolution.user && ` · ${evolution.user.name}`}
                      </p>
                      {evolution.notes && <p class="prose">{evolution.notes}</p>}
                    </div>
                  </li>
                ))}
              </ol>
            )}
          </section>
        </div>
        <div class="stack">
          <section class="panel">
            <h2>{t("project.schedule")}</h2>
            <dl class="facts">
              <div><dt>{t("project.start")}</dt><dd>{day(project.startDate)}</dd></div>
              <div><dt>{t("project.expectedEnd")}</dt><dd>{day(project.expectedEndDate)}</dd></div>
              {project.actualEndDate && <div><dt>{t("project.end")}</dt><dd>{day(project.actualEndDate)}</dd></div>}
            </dl>
          </section>
          <section class="panel">
            <h2>{t("project.address")}</h2>
            <address data-testid="project-address">
              {address.street}, {address.number}{address.complement && `, ${address.complement}`}<br />
              {address.neighborhood}<br />
              {address.city}, {address.state}<br />
              CEP {address.zipCode}
            </address>
          </section>
          {project.units.length > 0 && (
            <section class="panel">
              <h2>{t("project.units")}</h2>
              <dl class="facts">
                {UNIT_STATUSES.map((status) => (
                  <div key={status}><dt>{t(`unit.${status}`)}</dt><dd>{count(status)}</dd></div>
                ))}
              </dl>
            </section>
          )}
        </div>
      </div>
    </article>
  );
}

function Tile({ label, value, testid, children }: {
  label: string; value: string; testid: string; children?: ComponentChildren;
}) {
  return (
    <div class="tile" data-testid={testid}>
      <p class="tile-label">{label}</p>
      <p class="tile-value">{value}</p>
      <div class="tile-note">{children}</div>
    </div>
  );
}
