import { useEffect, useRef, useState } from "preact/hooks";
import type { Evolution, ProjectDetails } from "../api/types";
import { api } from "../context";
import { locale, t } from "../i18n";
import { errorText } from "../lib/errors";
import { dayOf, formatDay, formatPercent } from "../lib/format";
import { can } from "../lib/permissions";
import { type EvolutionForm, evolutionForm, toEvolution, validateEvolution } from "../lib/validate";
import type { Session } from "../session";
import { Confirm } from "../ui/dialog";
import { Field, FormFailure, SubmitButton, useForm } from "../ui/fields";
import { EditIcon, PlusIcon, TrashIcon } from "../ui/icons";
import { Gallery, PhotoPicker, useUploads } from "../ui/photos";

/** Progress records of a project: list, add, change, delete. */
export function History({ project, session, reload }: { project: ProjectDetails; session: Session; reload: () => void }) {
  const [editing, setEditing] = useState<Evolution | "new" | null>(null);
  const [removing, setRemoving] = useState<Evolution | null>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const mayEdit = can(session, "projects:edit");
  // The focus would be lost with the form or the record: the heading takes it.
  const close = () => {
    setEditing(null);
    heading.current?.focus();
  };
  const done = () => {
    close();
    reload();
  };
  const remove = async () => {
    await api.deleteEvolution(project.id, removing!.id);
    setRemoving(null);
    done();
  };
  return (
    <section class="panel">
      <div class="panel-head">
        <h2 ref={heading} tabIndex={-1}>{t("project.history")}</h2>
        {mayEdit && editing === null && (
          <button type="button" class="button small" onClick={() => setEditing("new")} data-testid="add-progress">
            <PlusIcon />{t("progress.add")}
          </button>
        )}
      </div>
      {editing === "new" && <ProgressForm projectId={project.id} evolution={null} done={done} cancel={close} />}
      {project.evolutions.length === 0 && editing === null && (
        <p class="prose muted" data-testid="history-empty">{t("project.noHistory")}</p>
      )}
      {project.evolutions.length > 0 && (
        <ol class="timeline" data-testid="project-history">
          {project.evolutions.map((evolution) => (
            <li key={evolution.id} data-testid="progress-record">
              {editing !== null && editing !== "new" && editing.id === evolution.id ? (
                <ProgressForm projectId={project.id} evolution={evolution} done={done} cancel={close} />
              ) : (
                <Entry evolution={evolution}
                  edit={mayEdit && editing === null ? () => setEditing(evolution) : null}
                  remove={can(session, "projects:delete") && editing === null ? () => setRemoving(evolution) : null} />
              )}
            </li>
          ))}
        </ol>
      )}
      {removing && (
        <Confirm title={t("progress.deleteTitle")} action={t("progress.deleteAction")} busyLabel={t("project.deleting")}
          body={t("progress.deleteBody", { phase: removing.phase, date: formatDay(removing.date, locale) })}
          run={remove} close={() => setRemoving(null)} explain={errorText} />
      )}
    </section>
  );
}

function Entry({ evolution, edit, remove }: {
  evolution: Evolution; edit: (() => void) | null; remove: (() => void) | null;
}) {
  const { phase, photos } = evolution;
  return (
    <div class="entry">
      <strong class="entry-figure">{formatPercent(evolution.percentage, locale)}</strong>
      <div class="entry-text">
        <p class="entry-phase">{phase}</p>
        <p class="muted">{formatDay(evolution.date, locale)}{evolution.user && ` · ${evolution.user.name}`}</p>
        {evolution.notes && <p class="prose">{evolution.notes}</p>}
      </div>
      {(edit ?? remove) && (
        <div class="entry-actions">
          {edit && (
            <button type="button" class="icon-button" onClick={edit} aria-label={t("progress.edit", { phase })}
              title={t("project.edit")} data-testid="edit-progress"><EditIcon /></button>
          )}
          {remove && (
            <button type="button" class="icon-button" onClick={remove} aria-label={t("progress.delete", { phase })}
              title={t("project.delete")} data-testid="delete-progress"><TrashIcon /></button>
          )}
        </div>
      )}
      {photos && photos.length > 0 && <Gallery urls={photos} label={t("photos.label", { phase })} />}
    </div>
  );
}

/** Says that a photo is missing, so the record is not saved without it. */
class PhotoMissing extends Error {}

function ProgressForm({ projectId, evolution, done, cancel }: {
  projectId: string; evolution: Evolution | null; done: () => void; cancel: () => void;
}) {
  const stored = evolution?.photos ?? [];
  const queue = useUploads(projectId, stored);
  const send = async (values: EvolutionForm) => {
    if (!(await queue.settled())) return;
    if (queue.list().some((upload) => upload.state === "failed")) throw new PhotoMissing();
    const urls = queue.urls();
    const changed = urls.join() !== stored.join();
    await api.saveEvolution(projectId, toEvolution(values, changed ? urls : undefined), evolution?.id);
    done();
  };
  const form = useForm(evolutionForm(evolution, dayOf(new Date()), locale), validateEvolution, send, (error) =>
    error instanceof PhotoMissing ? t("photos.missing") : errorText(error, "progress.refused"));
  useEffect(() => (form.ref.current?.elements[0] as HTMLElement | undefined)?.focus(), []);
  return (
    <form class="progress-form" ref={form.ref} onSubmit={form.submit} noValidate autocomplete="off" data-testid="progress-form">
      <h3>{t(evolution ? "progress.editTitle" : "progress.newTitle")}</h3>
      <div class="grid">
        <Field form={form} name="percentage" label="field.percentage" span={2} phone={2} input={{ inputMode: "decimal", placeholder: "0–100" }} />
        <Field form={form} name="date" label="field.date" span={4} phone={4} input={{ type: "date" }} />
        <Field form={form} name="phase" label="field.phase" input={{ placeholder: t("field.phasePlaceholder"), maxLength: 200 }} />
        <Field form={form} name="notes" label="field.notes" optional rows={3} />
        <PhotoPicker queue={queue} />
      </div>
      <FormFailure text={form.failure} />
      <div class="form-actions">
        <button type="button" class="button" onClick={cancel} data-testid="progress-cancel">{t("dialog.cancel")}</button>
        <SubmitButton busy={form.busy} label={t("progress.save")} busyLabel={t("form.saving")} testid="progress-submit" />
      </div>
    </form>
  );
}
