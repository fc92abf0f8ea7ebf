import { api } from "../context";
import { t } from "../i18n";
import { errorText } from "../lib/errors";
import { type RegistrationForm, validateRegistration } from "../lib/validate";
import { Link } from "../router";
import { Field, FormFailure, SubmitButton, useForm } from "../ui/fields";
import { Entrance } from "../ui/shell";
import { PageTitle } from "../ui/states";

const EMPTY: RegistrationForm = {
  tenantName: "", tenantDocument: "", name: "", email: "", password: "", passwordAgain: "",
};

function send(form: RegistrationForm): Promise<void> {
  return api.register({
    tenantName: form.tenantName.trim(),
    tenantDocument: form.tenantDocument.trim(),
    name: form.name.trim(),
    email: form.email.trim(),
    password: form.password,
  });
}

export function RegisterPage() {
  const form = useForm(EMPTY, validateRegistration, send, (error) => errorText(error, "register.refused"));
  return (
    <Entrance>
      <form class="entrance-form" ref={form.ref} onSubmit={form.submit} noValidate data-testid="register-form">
        <PageTitle text={t("register.title")} />
        <p class="lead">{t("register.lead")}</p>
        <FormFailure text={form.failure} />
        <fieldset>
          <legend>{t("register.company")}</legend>
          <div class="grid">
            <Field form={form} name="tenantName" label="field.tenantName" input={{ autocomplete: "organization" }} />
            <Field form={form} name="tenantDocument" label="field.tenantDocument" input={{ autocomplete: "off" }} />
          </div>
        </fieldset>
        <fieldset>
          <legend>{t("register.account")}</legend>
          <div class="grid">
            <Field form={form} name="name" label="field.name" input={{ autocomplete: "name" }} />
            <Field form={form} name="email" label="field.email"
              input={{ type: "email", autocomplete: "username", autoCapitalize: "none" }} />
            <Field form={form} name="password" label="field.password" hint="field.passwordHint" span={3}
              input={{ type: "password", autocomplete: "new-password" }} />
            <Field form={form} name="passwordAgain" label="field.passwordAgain" span={3}
              input={{ type: "password", autocomplete: "new-password" }} />
          </div>
        </fieldset>
        <SubmitButton wide busy={form.busy} label={t("register.submit")} busyLabel={t("register.busy")}
          testid="register-submit" />
        <p class="entrance-switch">
          {t("register.hasAccount")} <Link to="/login" data-testid="to-login">{t("register.toLogin")}</Link>
        </p>
        <p class="entrance-switch">
          {t("register.isContractor")} <Link to="/register-contractor" data-testid="to-contractor">{t("register.toContractor")}</Link>
        </p>
      </form>
    </Entrance>
  );
}
