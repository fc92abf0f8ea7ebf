import { type Project, PROJECT_STATUSES } from "../api/types";
import { api } from "../context";
import { locale, t } from "../i18n";
import { errorText } from "../lib/errors";
import { useLoad } from "../lib/load";
import {
  EMPTY_PROJECT,
  formatZipCode,
  projectForm,
  type ProjectForm,
  STATES,
  toNewProject,
  toProjectChange,
  validateProject,
} from "../lib/validate";
import { Link, navigate } from "../router";
import { Field, FormFailure, SubmitButton, useForm } from "../ui/fields";
import { BackIcon } from "../ui/icons";
import { PageTitle } from "../ui/states";
import { ProjectFailure, ProjectLoading } from "./project";

export function NewProjectPage() {
  return <Form initial={EMPTY_PROJECT} back="/projects" change={false} save={(form) => api.createProject(toNewProject(form))} />;
}

export function EditProjectPage({ id }: { id: string }) {
  const [project, retry] = useLoad(id, (signal) => api.project(id, signal));
  if (project.state === "failed") return <ProjectFailure error={project.error} retry={retry} />;
  if (project.data === null) return <ProjectLoading />;
  return <Form initial={projectForm(project.data, locale)} back={`/projects/${id}`} change
    save={(form) => api.changeProject(id, toProjectChange(form))} />;
}

function Form({ initial, back, change, save }: {
  initial: ProjectForm; back: string; change: boolean; save: (form: ProjectForm) => Promise<Project>;
}) {
  const send = async (values: ProjectForm) => {
    const project = await save(values);
    navigate(`/projects/${project.id}`, true);
    scrollTo(0, 0);
  };
  const form = useForm(initial, validateProject, send, (error) => errorText(error, "newProject.refused"));
  const statuses = PROJECT_STATUSES.map((value) => ({ value, label: t(`status.${value}`) }));
  const states = [{ value: "", label: t("field.choose") }, ...STATES.map((value) => ({ value, label: value }))];
  return (
    <>
      <div class="narrow">
        <Link to={back} class="back"><BackIcon />{t(change ? "project.backToProject" : "project.back")}</Link>
      </div>
      <div class="page-head narrow">
        <div>
          <PageTitle text={t(change ? "editProject.title" : "newProject.title")} />
          <p class="lead">{change ? initial.name : t("newProject.lead")}</p>
        </div>
      </div>
      <form class="panel narrow" ref={form.ref} onSubmit={form.submit} noValidate autocomplete="off"
        data-testid="project-form">
        <fieldset>
          <legend>{t("newProject.basics")}</legend>
          <div class="grid">
            <Field form={form} name="name" label="field.projectName"
              input={{ placeholder: t("field.projectNamePlaceholder"), maxLength: 200 }} />
            <Field form={form} name="status" label="field.status" span={3} options={statuses} />
            <Field form={form} name="quantidadeUnidades" label="field.units" span={3} optional
              input={{ inputMode: "numeric" }} />
            <Field form={form} name="description" label="field.description" optional rows={3} />
          </div>
        </fieldset>
        <fieldset>
          <legend>{t("newProject.address")}</legend>
          <div class="grid">
            <Field form={form} name="zipCode" label="field.zipCode" span={2} format={formatZipCode}
              input={{ inputMode: "numeric", placeholder: "00000-000" }} />
            <Field form={form} name="street" label="field.street" span={4} />
            <Field form={form} name="number" label="field.number" span={2} phone={2} />
            <Field form={form} name="complement" label="field.complement" span={2} phone={4} optional />
            <Field form={form} name="neighborhood" label="field.neighborhood" span={2} />
            <Field form={form} name="city" label="field.city" span={4} phone={3} />
            <Field form={form} name="state" label="field.state" span={2} phone={3} options={states} />
          </div>
        </fieldset>
        <fieldset>
          <legend>{t("newProject.planning")}</legend>
          <div class="grid">
            <Field form={form} name="startDate" label="field.startDate" span={change ? 3 : 2} optional input={{ type: "date" }} />
            <Field form={form} name="expectedEndDate" label="field.expectedEndDate" span={change ? 3 : 2} optional
              input={{ type: "date" }} />
            {change && (
              <Field form={form} name="actualEndDate" label="field.actualEndDate" span={3} optional input={{ type: "date" }} />
            )}
            <Field form={form} name="budget" label="field.budget" span={change ? 3 : 2} optional input={{ inputMode: "decimal" }} />
          </div>
        </fieldset>
        <FormFailure text={form.failure} />
        <div class="form-actions">
          <Link to={back} class="button">{t("dialog.cancel")}</Link>
          <SubmitButton busy={form.busy} label={t(change ? "form.save" : "newProject.submit")}
            busyLabel={t(change ? "form.saving" : "newProject.busy")} testid="project-submit" />
        </div>
      </form>
    </>
  );
}
