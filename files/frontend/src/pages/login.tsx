import { api } from "../context";
import { t } from "../i18n";
import { errorText } from "../lib/errors";
import { validateLogin } from "../lib/validate";
import { Link } from "../router";
import { Field, FormFailure, SubmitButton, useForm } from "../ui/fields";
import { Entrance } from "../ui/shell";
import { PageTitle } from "../ui/states";

export function LoginPage() {
  const form = useForm(
    { email: "", password: "" },
    validateLogin,
    (values) => api.login(values.email.trim(), values.password),
    (error) => errorText(error, "login.refused"),
  );
  return (
    <Entrance>
      <form class="entrance-form" ref={form.ref} onSubmit={form.submit} noValidate data-testid="login-form">
        <PageTitle text={t("login.title")} />
        <p class="lead">{t("login.lead")}</p>
        <FormFailure text={form.failure} />
        <div class="grid">
          <Field form={form} name="email" label="field.email"
            input={{ type: "email", autocomplete: "username", autoCapitalize: "none" }} />
          <Field form={form} name="password" label="field.password"
            input={{ type: "password", autocomplete: "current-password" }} />
        </div>
        <SubmitButton wide busy={form.busy} label={t("login.submit")} busyLabel={t("login.busy")} testid="login-submit" />
        <p class="entrance-switch">
          <Link to="/forgot-password" data-testid="to-forgot">{t("login.forgot")}</Link>
        </p>
        <p class="entrance-switch">
          {t("login.noAccount")} <Link to="/register" data-testid="to-register">{t("login.toRegister")}</Link>
        </p>
      </form>
    </Entrance>
  );
}
