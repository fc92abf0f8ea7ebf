import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { t } from "../i18n";
import { FormFailure } from "./fields";
import { CloseIcon } from "./icons";

interface DialogProps {
  label: string;
  close: () => void;
  testid: string;
  class?: string;
  children: ComponentChildren;
}

/** A modal window: the browser keeps the focus inside, closes it on Escape and gives the focus back. */
export function Modal({ label, close, testid, class: name = "dialog", children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current!;
    dialog.showModal();
    (dialog.querySelector<HTMLElement>("form :is(input, select), .form-actions button")
      ?? dialog.querySelector<HTMLElement>("button:not(:disabled)"))?.focus();
    return () => dialog.close();
  }, []);
  return (
    <dialog ref={ref} class={name} aria-label={label} data-testid={testid} onCancel={(event) => {
      event.preventDefault();
      close();
    }} onClick={(event) => event.target === ref.current && close()}>
      {children}
    </dialog>
  );
}

/** A modal window with a heading and a closing button. */
export function Dialog({ label, close, testid, children }: DialogProps) {
  return (
    <Modal label={label} close={close} testid={testid}>
      <div class="dialog-body">
        <div class="dialog-head">
          <h2>{label}</h2>
          <button type="button" class="icon-button" onClick={close} aria-label={t("dialog.close")} data-testid="dialog-close">
            <CloseIcon />
          </button>
        </div>
        {children}
      </div>
    </Modal>
  );
}

/** Asks before something that cannot be undone; stays open with the reason when it fails. */
export function Confirm({ title, body, action, busyLabel, run, close, explain }: {
  title: string; body: string; action: string; busyLabel: string;
  run: () => Promise<void>; close: () => void; explain: (error: unknown) => string;
}) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const id = useId();
  const confirm = () => {
    setBusy(true);
    setFailure(null);
    run().catch((error: unknown) => {
      setBusy(false);
      setFailure(explain(error));
    });
  };
  return (
    <Dialog label={title} close={close} testid="confirm">
      <p id={id}>{body}</p>
      <FormFailure text={failure} />
      <div class="form-actions">
        <button type="button" class="button" onClick={close} disabled={busy} data-testid="confirm-cancel">{t("dialog.cancel")}</button>
        <button type="button" class="button danger" onClick={confirm} disabled={busy} aria-describedby={id}
          data-testid="confirm-action">
          {busy && <span class="spinner" aria-hidden="true" />}
          {busy ? busyLabel : action}
        </button>
      </div>
    </Dialog>
  );
}
