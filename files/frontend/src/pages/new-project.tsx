import { PROJECT_STATUSES } from "../api/types";
import { api } from "../context";
import { t } from "../i18n";
import { errorText } from "../lib/errors";
import { formatZipCode, type ProjectForm, STATES, toNewProject, validateProject } from "../lib/validate";
import { Link, navigate } from "../router";
import { Field, FormFailure, SubmitButton, useForm } from "../ui/fields";
import { BackIcon } from "../ui/icons";
import { PageTitle } from "../ui/states";

const EMPTY: ProjectForm = {
  name: "", description: "", status: "PLANNING", startDate: "", expectedEndDate: "", budget: "",
  quantidadeUnidades: "", zipCode: "", street: "", number: "", complement: "", neighborhood: "", city: "", state: "",
};

async function send(form: ProjectForm): Promise<void> {
  const project = await api.createProject(toNewProject(form));
  navigate(`/projects/${project.id}`, true);
  scrollTo(0, 0);
}

export function NewProjectPage() {
  const form = useForm(EMPTY, validateProject, send, errorText);
  const statuses = PROJECT_STATUSES.map((value) => ({ value, label: t(`status.${value}`) }));
  const states = [{ value: "", label: t("field.choose") }, ...STATES.map((value) => ({ value, label: value }))];
  return (
    <>
      <div class="narrow">
        <Link to="/projects" class="back"><BackIcon />{t("project.back")}</Link>
      </div>
      <div class="page-head narrow">
        <div>
          <PageTitle text={t("newProject.title")} />
          <p class="lead">{t("newProject.lead")}</p>
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
            <Field form={form} name="startDate" label="field.startDate" span={2} optional input={{ type: "date" }} />
            <Field form={form} name="expectedEndDate" label="field.expectedEndDate" span={2} optional
              input={{ type: "date" }} />
            <Field form={form} name="budget" label="field.budget" span={2} optional input={{ inputMode: "decimal" }} />
          </div>
        </fieldset>
        <FormFailure text={form.failure} />
        <div class="form-actions">
          <Link to="/projects" class="button">{t("newProject.cancel")}</Link>
          <SubmitButton busy={form.busy} label={t("newProject.submit")} busyLabel={t("newProject.busy")}
            testid="project-submit" />
        </div>
      </form>
    </>
  );
}
