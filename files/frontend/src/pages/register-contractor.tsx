import { api } from "../context";
import { t } from "../i18n";
import { errorText } from "../lib/errors";
import { type ContractorForm, toContractor, validateContractor } from "../lib/validate";
import { Link, navigate } from "../router";
import { Field, FormFailure, SubmitButton, useForm } from "../ui/fields";
import { Entrance } from "../ui/shell";
import { PageTitle } from "../ui/states";

const EMPTY: ContractorForm = {
  tenantDocument: "", document: "", specialty: "", phone: "", name: "", email: "", password: "", passwordAgain: "",
};

async function send(form: ContractorForm): Promise<void> {
  await api.registerContractor(toContractor(form));
  navigate("/pending-approval", true);
}

export function RegisterContractorPage() {
  const form = useForm(EMPTY, validateContractor, send, (error) => errorText(error, "contractor.refused"));
  return (
    <Entrance>
      <form class="entrance-form" ref={form.ref} onSubmit={form.submit} noValidate data-testid="contractor-form">
        <PageTitle text={t("contractor.title")} />
        <p class="lead">{t("contractor.lead")}</p>
        <FormFailure text={form.failure} />
        <fieldset>
          <legend>{t("contractor.work")}</legend>
          <div class="grid">
            <Field form={form} name="tenantDocument" label="field.companyDocument" hint="field.companyDocumentHint" />
            <Field form={form} name="document" label="field.ownDocument" span={3} />
            <Field form={form} name="phone" label="field.phone" span={3} optional input={{ type: "tel", autocomplete: "tel" }} />
            <Field form={form} name="specialty" label="field.specialty" hint="field.specialtyHint" />
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
        <SubmitButton wide busy={form.busy} label={t("contractor.submit")} busyLabel={t("contractor.busy")}
          testid="contractor-submit" />
        <p class="entrance-switch">
          {t("register.hasAccount")} <Link to="/login" data-testid="to-login">{t("register.toLogin")}</Link>
        </p>
      </form>
    </Entrance>
  );
}
