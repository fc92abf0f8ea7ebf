import { useState } from "preact/hooks";
import type { Drive, Smtp, StorageConfig, StorageProbe } from "../api/types";
import { api } from "../context";
import { language, locale, t } from "../i18n";
import { errorText } from "../lib/errors";
import { formatPercent } from "../lib/format";
import { type Load, useLoad } from "../lib/load";
import { smtpForm, toSmtp, validateEmail, validateSmtp } from "../lib/validate";
import { Link } from "../router";
import { Field, FormFailure, FormSuccess, SubmitButton, useForm } from "../ui/fields";
import { CheckIcon } from "../ui/icons";
import { Failure, PageTitle, Progress } from "../ui/states";

const TABS = { "/settings": "settings.storage", "/settings/email": "settings.email" } as const;
export type SettingsPath = keyof typeof TABS;

export function isSettingsPath(path: string): path is SettingsPath {
  return path in TABS;
}

/** The settings of the installation and of the company's mail; for ROOT. */
export function SettingsPage({ path }: { path: SettingsPath }) {
  return (
    <div class="narrow">
      <div class="page-head">
        <div>
          <PageTitle text={t("settings.title")} />
          <p class="lead">{t("settings.lead")}</p>
        </div>
      </div>
      <nav class="tabs" aria-label={t("settings.title")}>
        {Object.entries(TABS).map(([to, label]) => (
          <Link key={to} to={to} data-testid={`tab-${label.split(".")[1]}`} {...(to === path ? { "aria-current": "page" as const } : {})}>{t(label)}</Link>
        ))}
      </nav>
      {path === "/settings" ? <Storage /> : <Email />}
    </div>
  );
}

function Storage() {
  const [config, reload] = useLoad("storage", (signal) => api.storageConfig(signal));
  const [drives, reloadDrives] = useLoad("drives", (signal) => api.drives(signal));
  return (
    <div class="stack">
      {config.state === "failed" ? (
        <Failure title={t("settings.errorTitle")} text={errorText(config.error)} retry={reload} />
      ) : config.data === null ? (
        <div class="card skeleton" role="status" aria-label={t("settings.loading")} data-testid="loading-state" />
      ) : (
        <StorageForm key={config.data.storagePath} config={config.data} done={reload} />
      )}
      <Drives drives={drives} retry={reloadDrives} />
    </div>
  );
}

function StorageForm({ config, done }: { config: StorageConfig; done: () => void }) {
  const [probe, setProbe] = useState<StorageProbe | "running" | { failure: string } | null>(null);
  const fixed = config.source !== "config";
  const form = useForm(
    { storagePath: config.storagePath },
    (values) => (values.storagePath.trim() === "" ? { storagePath: "error.required" } : {}),
    (values) => api.changeStorage(values.storagePath.trim()).then(done),
    (error) => errorText(error, "settings.storageRefused"),
  );
  const test = () => {
    setProbe("running");
    api.testStorage(form.values.storagePath.trim())
      .then(setProbe, (error: unknown) => setProbe({ failure: errorText(error) }));
  };
  return (
    <form class="panel" ref={form.ref} onSubmit={form.submit} noValidate autocomplete="off" data-testid="storage-form">
      <h2>{t("settings.storage")}</h2>
      <p class="muted panel-lead">{t("settings.storageLead")}</p>
      <div class="grid">
        <Field form={form} name="storagePath" label="field.storagePath" disabled={fixed} hint={`storage.${config.source}`} />
      </div>
      <FormFailure text={form.failure ?? (probe !== null && typeof probe === "object" && "failure" in probe ? probe.failure : null)} />
      <div role="status">
        {probe !== null && typeof probe === "object" && "success" in probe && (
          <p class={probe.success ? "form-success" : "form-failure"} data-testid={probe.success ? "probe-good" : "probe-bad"}>
            {probe.success && <CheckIcon />}
            <span>
              {probe.success ? t("settings.probeGood") : language === "pt" ? probe.message : t("settings.probeBad")}
              {probe.freeGB !== undefined && ` ${t("settings.free", { n: Math.round(probe.freeGB) })}`}
            </span>
          </p>
        )}
      </div>
      <div class="form-actions">
        <button type="button" class="button" onClick={test} disabled={probe === "running"} data-testid="storage-test">
          {t(probe === "running" ? "settings.probing" : "settings.probe")}
        </button>
        {!fixed && <SubmitButton busy={form.busy} label={t("form.save")} busyLabel={t("form.saving")} testid="storage-submit" />}
      </div>
    </form>
  );
}

function Drives({ drives, retry }: { drives: Load<Drive[]>; retry: () => void }) {
  if (drives.state === "failed") return <Failure title={t("settings.errorTitle")} text={errorText(drives.error)} retry={retry} />;
  if (drives.data === null) return <div class="tile skeleton" />;
  return (
    <section class="panel">
      <h2>{t("settings.drives")}</h2>
      {drives.data.length === 0 ? <p class="muted" data-testid="drives-empty">{t("settings.noDrives")}</p> : (
        <ul class="drives" data-testid="drives">
          {drives.data.map((drive) => (
            <li key={drive.letter}>
              <p><strong>{drive.label || drive.letter}</strong> <span class="muted">{t(`drive.${drive.type}`)}</span></p>
              <Progress value={drive.usedPercent} label={drive.label || drive.letter} />
              <p class="muted">
                {t("settings.used", {
                  percent: formatPercent(drive.usedPercent, locale), free: Math.round(drive.freeGB), total: Math.round(drive.totalGB),
                })}
              </p>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Email() {
  const [settings, retry] = useLoad("settings", (signal) => api.tenantSettings(signal));
  if (settings.state === "failed") {
    return <Failure title={t("settings.errorTitle")} text={errorText(settings.error)} retry={retry} />;
  }
  if (settings.data === null) {
    return <div class="card skeleton" role="status" aria-label={t("settings.loading")} data-testid="loading-state" />;
  }
  return (
    <div class="stack">
      <SmtpPanel smtp={settings.data.smtp} />
      <TestMail />
    </div>
  );
}

function SmtpPanel({ smtp }: { smtp: Partial<Smtp> | undefined }) {
  const form = useForm(smtpForm(smtp), validateSmtp, (values) => api.changeSmtp(toSmtp(values)), errorText);
  const secure = [{ value: "false", label: "STARTTLS" }, { value: "true", label: "TLS" }];
  return (
    <form class="panel" ref={form.ref} onSubmit={form.submit} noValidate autocomplete="off" data-testid="smtp-form">
      <h2>{t("settings.email")}</h2>
      <p class="muted panel-lead">{t("settings.emailLead")}</p>
      <div class="grid">
        <Field form={form} name="host" label="field.host" span={2} input={{ placeholder: "smtp.example.com", autoCapitalize: "none" }} />
        <Field form={form} name="port" label="field.port" span={2} phone={2} input={{ inputMode: "numeric" }} />
        <Field form={form} name="secure" label="field.secure" span={2} phone={4} options={secure} />
        <Field form={form} name="user" label="field.smtpUser" span={3} input={{ autocomplete: "off", autoCapitalize: "none" }} />
        <Field form={form} name="smtpPassword" label="field.password" span={3} input={{ type: "password", autocomplete: "new-password" }} />
        <Field form={form} name="fromName" label="field.fromName" span={3} />
        <Field form={form} name="fromEmail" label="field.fromEmail" span={3} input={{ type: "email", autoCapitalize: "none" }} />
      </div>
      <FormFailure text={form.failure} />
      <FormSuccess text={form.sent ? t("form.saved") : null} />
      <div class="form-actions">
        <SubmitButton busy={form.busy} label={t("form.save")} busyLabel={t("form.saving")} testid="smtp-submit" />
      </div>
    </form>
  );
}

function TestMail() {
  const form = useForm({ email: "" }, validateEmail, (values) => api.testEmail(values.email.trim()),
    (error) => errorText(error, "settings.mailRefused"));
  return (
    <form class="panel" ref={form.ref} onSubmit={form.submit} noValidate data-testid="test-mail-form">
      <h2>{t("settings.testMail")}</h2>
      <div class="grid">
        <Field form={form} name="email" label="field.to" input={{ type: "email", autoCapitalize: "none" }} />
      </div>
      <FormFailure text={form.failure} />
      <FormSuccess text={form.sent ? t("settings.mailSent") : null} />
      <div class="form-actions">
        <SubmitButton busy={form.busy} label={t("settings.testMail")} busyLabel={t("settings.mailSending")} testid="test-mail-submit" />
      </div>
    </form>
  );
}
