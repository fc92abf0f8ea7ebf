import { useState } from "preact/hooks";
import type { Me } from "../api/types";
import { api } from "../context";
import { locale, t } from "../i18n";
import { errorText } from "../lib/errors";
import { formatDay } from "../lib/format";
import { useLoad } from "../lib/load";
import { validatePasswordChange, validatePerson } from "../lib/validate";
import { Field, FormFailure, FormSuccess, SubmitButton, useForm } from "../ui/fields";
import { Failure, PageTitle } from "../ui/states";

export function ProfilePage() {
  const [load, retry] = useLoad("me", (signal) => api.me(signal));
  const [changes, setChanges] = useState(0);
  return (
    <div class="narrow">
      <div class="page-head">
        <div>
          <PageTitle text={t("profile.title")} />
          <p class="lead">{t("profile.lead")}</p>
        </div>
      </div>
      {load.state === "failed" ? (
        <Failure title={t("profile.errorTitle")} text={errorText(load.error)} retry={retry} />
      ) : load.data === null ? (
        <div class="stack" role="status" aria-label={t("profile.loading")} data-testid="loading-state">
          <div class="card skeleton" />
          <div class="card skeleton" />
        </div>
      ) : (
        <div class="stack">
          <Account me={load.data} />
          <Password key={changes} changed={changes > 0} done={() => setChanges((n) => n + 1)} />
        </div>
      )}
    </div>
  );
}

function Account({ me }: { me: Me }) {
  const form = useForm(
    { name: me.name, email: me.email },
    validatePerson,
    async (values) => void (await api.changeProfile({ name: values.name.trim(), email: values.email.trim() })),
    (error) => errorText(error, "profile.refused"),
  );
  return (
    <form class="panel" ref={form.ref} onSubmit={form.submit} noValidate data-testid="profile-form">
      <h2>{t("profile.account")}</h2>
      <div class="grid">
        <Field form={form} name="name" label="field.name" span={3} input={{ autocomplete: "name" }} />
        <Field form={form} name="email" label="field.email" span={3}
          input={{ type: "email", autocomplete: "username", autoCapitalize: "none" }} />
      </div>
      <dl class="facts facts-form">
        <div><dt>{t("field.role")}</dt><dd data-testid="profile-role">{t(`role.${me.role}`)}</dd></div>
        <div><dt>{t("register.company")}</dt><dd>{me.tenant.name}</dd></div>
        <div><dt>{t("profile.since")}</dt><dd>{formatDay(me.createdAt, locale)}</dd></div>
      </dl>
      <FormFailure text={form.failure} />
      <FormSuccess text={form.sent ? t("form.saved") : null} />
      <div class="form-actions">
        <SubmitButton busy={form.busy} label={t("form.save")} busyLabel={t("form.saving")} testid="profile-submit" />
      </div>
    </form>
  );
}

function Password({ changed, done }: { changed: boolean; done: () => void }) {
  const form = useForm(
    { currentPassword: "", password: "", passwordAgain: "" },
    validatePasswordChange,
    (values) => api.changePassword(values.currentPassword, values.password).then(done),
    (error) => errorText(error, "profile.passwordRefused"),
  );
  const untouched = Object.values(form.values).every((value) => value === "");
  return (
    <form class="panel" ref={form.ref} onSubmit={form.submit} noValidate data-testid="password-form">
      <h2>{t("profile.password")}</h2>
      <p class="muted panel-lead">{t("profile.passwordLead")}</p>
      <div class="grid">
        <Field form={form} name="currentPassword" label="field.currentPassword"
          input={{ type: "password", autocomplete: "current-password" }} />
        <Field form={form} name="password" label="field.newPassword" hint="field.passwordHint" span={3}
          input={{ type: "password", autocomplete: "new-password" }} />
        <Field form={form} name="passwordAgain" label="field.passwordAgain" span={3}
          input={{ type: "password", autocomplete: "new-password" }} />
      </div>
      <FormFailure text={form.failure} />
      <FormSuccess text={changed && untouched ? t("profile.passwordDone") : null} />
      <div class="form-actions">
        <SubmitButton busy={form.busy} label={t("profile.passwordSubmit")} busyLabel={t("form.saving")} testid="password-submit" />
      </div>
    </form>
  );
}
