import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { type Person, STAFF_ROLES } from "../api/types";
import { api } from "../context";
import { locale, t } from "../i18n";
import { errorText } from "../lib/errors";
import { formatDay, initials } from "../lib/format";
import { useLoad } from "../lib/load";
import { can, isRoot } from "../lib/permissions";
import { validateInvitation } from "../lib/validate";
import type { Session } from "../session";
import { Confirm, Dialog } from "../ui/dialog";
import { Field, FormFailure, SubmitButton, useForm } from "../ui/fields";
import { CheckIcon, CloseIcon, EditIcon, PlusIcon } from "../ui/icons";
import { Failure, Notice, PageTitle } from "../ui/states";

type Open = { what: "invite" } | { what: "edit" | "reject"; person: Person };

export function UsersPage({ session }: { session: Session }) {
  const [load, reload] = useLoad("users", (signal) => api.users(signal));
  const [open, setOpen] = useState<Open | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [busy, setBusy] = useState<string | null>(null);
  const mayEdit = can(session, "users:edit");
  const close = () => setOpen(null);
  const done = () => {
    setOpen(null);
    reload();
  };
  const approve = (person: Person) => {
    setFailure(null);
    setBusy(person.id);
    // A rejected account was switched off as well: approving it means both.
    const approved = person.isActive ? api.approveUser(person.id)
      : api.approveUser(person.id).then(() => api.changeUser(person.id, { isActive: true }));
    approved.catch((error: unknown) => setFailure(errorText(error))).finally(() => {
      setBusy(null);
      reload();
    });
  };
  const reject = async (person: Person) => {
    await api.rejectUser(person.id);
    done();
  };
  const people = load.state === "failed" ? null : load.data;
  const waiting = people?.filter((person) => !person.isApproved && person.isActive) ?? [];
  const team = people?.filter((person) => person.isApproved) ?? [];
  const rejected = people?.filter((person) => !person.isApproved && !person.isActive) ?? [];
  const approveButton = (person: Person) => (
    <button type="button" class="button small" disabled={busy !== null} onClick={() => approve(person)} data-testid="approve-user">
      <CheckIcon />{t("users.approve")}
    </button>
  );
  return (
    <>
      <div class="page-head">
        <div>
          <PageTitle text={t("users.title")} />
          <p class="lead">{t("users.lead", { tenant: session.tenant.name })}</p>
        </div>
        {can(session, "users:create") && (
          <button type="button" class="button primary" onClick={() => setOpen({ what: "invite" })} data-testid="invite-user">
            <PlusIcon />{t("users.invite")}
          </button>
        )}
      </div>
      <FormFailure text={failure} />
      {load.state === "failed" ? (
        <Failure title={t("users.errorTitle")} text={errorText(load.error)} retry={reload} />
      ) : people === null ? (
        <div class="stack" role="status" aria-label={t("users.loading")} data-testid="loading-state">
          {[0, 1, 2].map((n) => <div key={n} class="tile skeleton" />)}
        </div>
      ) : (
        <div class="stack">
          {waiting.length > 0 && (
            <Group title={t("users.waiting")} testid="users-waiting">
              {waiting.map((person) => (
                <Row key={person.id} person={person} self={false}>
                  {mayEdit && approveButton(person)}
                  {mayEdit && (
                    <button type="button" class="button small danger-quiet" disabled={busy !== null} data-testid="reject-user"
                      onClick={() => setOpen({ what: "reject", person })}><CloseIcon />{t("users.reject")}</button>
                  )}
                </Row>
              ))}
            </Group>
          )}
          {team.length > 0 ? (
            <Group title={t("users.team")} testid="users-team">
              {team.map((person) => (
                <Row key={person.id} person={person} self={person.id === session.user.id}>
                  {mayEdit && person.id !== session.user.id && (person.role !== "ROOT" || isRoot(session)) && (
                    <button type="button" class="icon-button" onClick={() => setOpen({ what: "edit", person })}
                      aria-label={t("users.edit", { name: person.name })} title={t("project.edit")} data-testid="edit-user">
                      <EditIcon />
                    </button>
                  )}
                </Row>
              ))}
            </Group>
          ) : (
            <Notice testid="empty-state" title={t("users.emptyTitle")}>{t("users.emptyBody")}</Notice>
          )}
          {rejected.length > 0 && (
            <Group title={t("users.rejected")} testid="users-rejected">
              {rejected.map((person) => (
                <Row key={person.id} person={person} self={false}>{mayEdit && approveButton(person)}</Row>
              ))}
            </Group>
          )}
        </div>
      )}
      {open?.what === "invite" && <Invite session={session} close={close} done={done} />}
      {open?.what === "edit" && <Change session={session} person={open.person} close={close} done={done} />}
      {open?.what === "reject" && (
        <Confirm title={t("users.rejectTitle")} body={t("users.rejectBody", { name: open.person.name })}
          action={t("users.reject")} busyLabel={t("form.saving")} run={() => reject(open.person)} close={close}
          explain={errorText} />
      )}
    </>
  );
}

function Group({ title, testid, children }: { title: string; testid: string; children: ComponentChildren }) {
  return (
    <section class="panel">
      <h2>{title}</h2>
      <ul class="people" data-testid={testid}>{children}</ul>
    </section>
  );
}

function Row({ person, self, children }: { person: Person; self: boolean; children: ComponentChildren }) {
  const { contractor } = person;
  return (
    <li data-testid="user-row">
      <span class="avatar" aria-hidden="true">{initials(person.name)}</span>
      <div class="person">
        <p class="person-name">
          {person.name}{self && <span class="optional"> {t("users.you")}</span>}
          {person.isApproved && !person.isActive && (
            <span class="chip chip-CANCELLED" data-testid="user-inactive">{t("users.inactive")}</span>
          )}
        </p>
        <p class="muted">{person.email}</p>
        <p class="muted">
          {t(`role.${person.role}`)} · {t("users.since", { date: formatDay(person.createdAt, locale) })}
          {contractor && ` · ${contractor.specialty.join(", ")}`}
        </p>
      </div>
      <div class="person-actions">{children}</div>
    </li>
  );
}

/** The roles that the signed-in user may give: only ROOT makes another ROOT. */
function roleOptions(session: Session) {
  return STAFF_ROLES.filter((role) => role !== "ROOT" || isRoot(session)).map((value) => ({ value, label: t(`role.${value}`) }));
}

function Invite({ session, close, done }: { session: Session; close: () => void; done: () => void }) {
  const form = useForm(
    { name: "", email: "", role: "", password: "" },
    validateInvitation,
    (values) => api.createUser({ ...values, name: values.name.trim(), email: values.email.trim() }).then(done),
    (error) => errorText(error, "users.refused"),
  );
  const roles = [{ value: "", label: t("field.choose") }, ...roleOptions(session)];
  return (
    <Dialog label={t("users.inviteTitle")} close={close} testid="invite-dialog">
      <form ref={form.ref} onSubmit={form.submit} noValidate autocomplete="off" data-testid="invite-form">
        <p class="muted">{t("users.inviteLead")}</p>
        <div class="grid dialog-grid">
          <Field form={form} name="name" label="field.personName" input={{ autocomplete: "off" }} />
          <Field form={form} name="email" label="field.email" input={{ type: "email", autocomplete: "off", autoCapitalize: "none" }} />
          <Field form={form} name="role" label="field.role" span={3} options={roles} />
          <Field form={form} name="password" label="field.firstPassword" hint="field.passwordHint" span={3}
            input={{ type: "password", autocomplete: "new-password" }} />
        </div>
        <FormFailure text={form.failure} />
        <div class="form-actions">
          <button type="button" class="button" onClick={close}>{t("dialog.cancel")}</button>
          <SubmitButton busy={form.busy} label={t("users.invite")} busyLabel={t("form.saving")} testid="invite-submit" />
        </div>
      </form>
    </Dialog>
  );
}

function Change({ session, person, close, done }: {
  session: Session; person: Person; close: () => void; done: () => void;
}) {
  const roles = roleOptions(session);
  const staff = roles.some(({ value }) => value === person.role);
  const form = useForm(
    { role: person.role as string, active: String(person.isActive) },
    () => ({}),
    async (values) => {
      const change = {
        ...(values.role !== person.role ? { role: values.role } : {}),
        ...(values.active !== String(person.isActive) ? { isActive: values.active === "true" } : {}),
      };
      if (Object.keys(change).length > 0) await api.changeUser(person.id, change);
      done();
    },
    errorText,
  );
  const access = [{ value: "true", label: t("users.active") }, { value: "false", label: t("users.inactive") }];
  return (
    <Dialog label={person.name} close={close} testid="edit-dialog">
      <form ref={form.ref} onSubmit={form.submit} noValidate data-testid="edit-form">
        <p class="muted">{person.email}</p>
        <div class="grid dialog-grid">
          <Field form={form} name="role" label="field.role" span={3} disabled={!staff}
            options={staff ? roles : [{ value: person.role, label: t(`role.${person.role}`) }]} />
          <Field form={form} name="active" label="field.access" span={3} options={access} hint="field.accessHint" />
        </div>
        <FormFailure text={form.failure} />
        <div class="form-actions">
          <button type="button" class="button" onClick={close}>{t("dialog.cancel")}</button>
          <SubmitButton busy={form.busy} label={t("form.save")} busyLabel={t("form.saving")} testid="edit-submit" />
        </div>
      </form>
    </Dialog>
  );
}
