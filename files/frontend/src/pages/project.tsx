import { useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { PROJECT_STATUSES, type ProjectDetails, type ProjectStatus, UNIT_STATUSES, type UnitStatus } from "../api/types";
import { api } from "../context";
import { locale, t } from "../i18n";
import { errorText } from "../lib/errors";
import { formatDay, formatMoney, formatPercent } from "../lib/format";
import { useLoad } from "../lib/load";
import { can } from "../lib/permissions";
import { Link, navigate } from "../router";
import type { Session } from "../session";
import { Confirm } from "../ui/dialog";
import { FormFailure } from "../ui/fields";
import { BackIcon, BuildingIcon, EditIcon, PinIcon, TrashIcon } from "../ui/icons";
import { Failure, Notice, PageTitle, Progress, StatusChip, Tile } from "../ui/states";
import { History } from "./history";

const BACK = () => <Link to="/projects" class="back" data-testid="back"><BackIcon />{t("project.back")}</Link>;

export function ProjectPage({ id, session }: { id: string; session: Session }) {
  const [project, reload] = useLoad(id, (signal) => api.project(id, signal));
  if (project.state === "failed") return <ProjectFailure error={project.error} retry={reload} />;
  if (project.data === null) return <ProjectLoading />;
  return <><BACK /><Details project={project.data} session={session} reload={reload} /></>;
}

export function ProjectLoading() {
  return (
    <>
      <BACK />
      <div role="status" aria-label={t("project.loading")} data-testid="loading-state">
        <div class="skeleton skeleton-title" />
        <div class="tiles">{[0, 1, 2, 3].map((n) => <div key={n} class="tile skeleton" />)}</div>
        <div class="card skeleton" />
      </div>
    </>
  );
}

export function ProjectFailure({ error, retry }: { error: unknown; retry: () => void }) {
  if (!(error instanceof ApiError) || error.status !== 404) {
    return <><BACK /><Failure title={t("project.errorTitle")} text={errorText(error)} retry={retry} /></>;
  }
  return (
    <>
      <BACK />
      <Notice testid="missing-state" title={t("project.missingTitle")}
        art={<span class="notice-badge"><BuildingIcon /></span>}>{t("project.missingBody")}</Notice>
    </>
  );
}

/** What may be done with the project as a whole. */
function Actions({ project, session, reload }: { project: ProjectDetails; session: Session; reload: () => void }) {
  const [asking, setAsking] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  if (!can(session, "projects:edit")) return null;
  const change = (status: ProjectStatus) => {
    setFailure(null);
    api.changeProject(project.id, { status }).then(reload, (error: unknown) => {
      setFailure(errorText(error));
      reload();
    });
  };
  const remove = async () => {
    await api.deleteProject(project.id);
    navigate("/projects", true);
  };
  return (
    <div class="actions">
      <label class="status-select">
        <span class="unseen">{t("field.status")}</span>
        <select value={project.status} onChange={(event) => change(event.currentTarget.value as ProjectStatus)}
          data-testid="status-select">
          {PROJECT_STATUSES.map((status) => <option key={status} value={status}>{t(`status.${status}`)}</option>)}
        </select>
      </label>
      <Link to={`/projects/${project.id}/edit`} class="button" data-testid="edit-project"><EditIcon />{t("project.edit")}</Link>
      {can(session, "projects:delete") && (
        <button type="button" class="button danger-quiet" onClick={() => setAsking(true)} data-testid="delete-project">
          <TrashIcon />{t("project.delete")}
        </button>
      )}
      <FormFailure text={failure} />
      {asking && (
        <Confirm title={t("project.deleteTitle")} body={t("project.deleteBody", { name: project.name })}
          action={t("project.deleteAction")} busyLabel={t("project.deleting")} run={remove} close={() => setAsking(false)}
          explain={errorText} />
      )}
    </div>
  );
}

function Details({ project, session, reload }: { project: ProjectDetails; session: Session; reload: () => void }) {
  const { address } = project;
  const progress = project.evolutions[0]?.percentage ?? 0;
  const count = (status: UnitStatus) => project.units.filter((u) => u.status === status).length;
  const day = (iso: string | null) => (iso ? formatDay(iso, locale) : t("project.noDate"));
  return (
    <article data-testid="project-details">
      <div class="page-head page-head-wrap">
        <div>
          <div class="title-row">
            <PageTitle text={project.name} />
            {!can(session, "projects:edit") && <StatusChip status={project.status} />}
          </div>
          <p class="place"><PinIcon />{address.neighborhood}, {address.city}, {address.state}</p>
        </div>
        <Actions project={project} session={session} reload={reload} />
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
          <History project={project} session={session} reload={reload} />
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
