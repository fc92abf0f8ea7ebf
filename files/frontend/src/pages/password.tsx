import { useState } from "preact/hooks";
import { api } from "../context";
import { t } from "../i18n";
import { errorText } from "../lib/errors";
import { validateEmail, validateNewPassword } from "../lib/validate";
import { Link } from "../router";
import { Field, FormFailure, SubmitButton, useForm } from "../ui/fields";
import { CheckIcon, MailIcon } from "../ui/icons";
import { Entrance } from "../ui/shell";
import { EntranceNotice, PageTitle } from "../ui/states";

const TO_LOGIN = () => (
  <p class="entrance-switch"><Link to="/login" data-testid="to-login">{t("password.toLogin")}</Link></p>
);

/** Asks for a mail with a link to a new password. */
export function ForgotPasswordPage() {
  const [sentTo, setSentTo] = useState<string | null>(null);
  const form = useForm({ email: "" }, validateEmail, async ({ email }) => {
    await api.forgotPassword(email.trim());
    setSentTo(email.trim());
  }, errorText);
  if (sentTo !== null) {
    return (
      <EntranceNotice testid="forgot-done" title={t("forgot.doneTitle")} art={<MailIcon />}>
        <p class="lead">{t("forgot.doneBody", { email: sentTo })}</p>
        <TO_LOGIN />
      </EntranceNotice>
    );
  }
  return (
    <Entrance>
      <form class="entrance-form" ref={form.ref} onSubmit={form.submit} noValidate data-testid="forgot-form">
        <PageTitle text={t("forgot.title")} />
        <p class="lead">{t("forgot.lead")}</p>
        <FormFailure text={form.failure} />
        <div class="grid">
          <Field form={form} name="email" label="field.email"
            input={{ type: "email", autocomplete: "username", autoCapitalize: "none" }} />
        </div>
        <SubmitButton wide busy={form.busy} label={t("forgot.submit")} busyLabel={t("forgot.busy")} testid="forgot-submit" />
        <TO_LOGIN />
      </form>
    </Entrance>
  );
}

/** Sets a new password with the token of the mailed link. */
export function ResetPasswordPage({ search }: { search: string }) {
  const token = new URLSearchParams(search).get("token") ?? "";
  const [done, setDone] = useState(false);
  const form = useForm({ password: "", passwordAgain: "" }, validateNewPassword, async ({ password }) => {
    await api.resetPassword(token, password);
    setDone(true);
  }, (error) => errorText(error, "reset.refused"));
  if (done) {
    return (
      <EntranceNotice testid="reset-done" title={t("reset.doneTitle")} art={<CheckIcon />}>
        <p class="lead">{t("reset.doneBody")}</p>
        <TO_LOGIN />
      </EntranceNotice>
    );
  }
  if (token === "") {
    return (
      <EntranceNotice testid="reset-missing" title={t("reset.missingTitle")} art={<MailIcon />}>
        <p class="lead">{t("reset.missingBody")}</p>
        <p class="entrance-switch"><Link to="/forgot-password" data-testid="to-forgot">{t("reset.again")}</Link></p>
      </EntranceNotice>
    );
  }
  return (
    <Entrance>
      <form class="entrance-form" ref={form.ref} onSubmit={form.submit} noValidate data-testid="reset-form">
        <PageTitle text={t("reset.title")} />
        <p class="lead">{t("reset.lead")}</p>
        <FormFailure text={form.failure} />
        <div class="grid">
          <Field form={form} name="password" label="field.newPassword" hint="field.passwordHint"
            input={{ type: "password", autocomplete: "new-password" }} />
          <Field form={form} name="passwordAgain" label="field.passwordAgain"
            input={{ type: "password", autocomplete: "new-password" }} />
        </div>
        <SubmitButton wide busy={form.busy} label={t("reset.submit")} busyLabel={t("form.saving")} testid="reset-submit" />
        <p class="entrance-switch"><Link to="/forgot-password" data-testid="to-forgot">{t("reset.again")}</Link></p>
      </form>
    </Entrance>
  );
}
