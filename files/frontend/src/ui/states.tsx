import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../i18n";
import type { ProjectStatus } from "../api/types";
import { Link } from "../router";
import { AlertIcon, PlusIcon, SiteArt } from "./icons";
import { Entrance } from "./shell";

/** The heading of a page: sets the document title and takes the focus, so that screen readers follow. */
export function PageTitle({ text }: { text: string }) {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${text} · EnlevoHub`;
    ref.current?.focus({ preventScroll: true });
  }, [text]);
  return <h1 ref={ref} tabIndex={-1} data-testid="page-title">{text}</h1>;
}

export function StatusChip({ status }: { status: ProjectStatus }) {
  return <span class={`chip chip-${status}`} data-testid="project-status">{t(`status.${status}`)}</span>;
}

/** A calm full-width message: nothing here, nothing found, or a failure. */
export function Notice({ title, children, art, testid, action }: {
  title: string; children?: ComponentChildren; art?: ComponentChildren; testid: string; action?: ComponentChildren;
}) {
  return (
    <section class="notice" data-testid={testid}>
      {art}
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {action && <div class="notice-action">{action}</div>}
    </section>
  );
}

/** A message in place of a form before log-in. */
export function EntranceNotice({ title, art, testid, children }: {
  title: string; art: ComponentChildren; testid: string; children: ComponentChildren;
}) {
  return (
    <Entrance>
      <section class="entrance-form entrance-notice" data-testid={testid}>
        <span class="notice-badge">{art}</span>
        <PageTitle text={title} />
        {children}
      </section>
    </Entrance>
  );
}

export function Failure({ title, text, retry }: { title: string; text: string; retry: () => void }) {
  return (
    <div role="alert">
      <Notice testid="error-state" title={title} art={<span class="notice-badge"><AlertIcon /></span>}
        action={<button type="button" class="button" onClick={retry} data-testid="retry">{t("error.retry")}</button>}>
        {text}
      </Notice>
    </div>
  );
}

export function Progress({ value, label }: { value: number; label: string }) {
  return <progress class="progress" max={100} value={value} aria-label={label} />;
}

/** One figure of a page with its name. */
export function Tile({ label, value, testid, children }: {
  label: string; value: string; testid: string; children?: ComponentChildren;
}) {
  return (
    <div class="tile" data-testid={testid}>
      <p class="tile-label">{label}</p>
      <p class="tile-value">{value}</p>
      <div class="tile-note">{children}</div>
    </div>
  );
}

/** There are no projects yet; offers to create one when that is allowed. */
export function NoProjects({ mayCreate }: { mayCreate: boolean }) {
  return (
    <Notice testid="empty-state" title={t("projects.emptyTitle")} art={<SiteArt />}
      action={mayCreate && (
        <Link to="/projects/new" class="button primary" data-testid="new-project"><PlusIcon />{t("projects.new")}</Link>
      )}>
      {t(mayCreate ? "projects.emptyBody" : "projects.emptyReadOnly")}
    </Notice>
  );
}
