import type { ComponentChildren, JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { type MessageKey, t } from "../i18n";
import type { FieldErrors } from "../lib/validate";
import { CheckIcon } from "./icons";

type Control = JSX.IntrinsicElements["input"];

/** What one form keeps: its values, the errors to show, and how the fields reach them. */
export interface FormState<F extends { [K in keyof F]: string }> {
  values: F;
  errors: FieldErrors<F>;
  failure: string | null;
  busy: boolean;
  /** True from a success until the next change. */
  sent: boolean;
  set: (name: keyof F & string, value: string) => void;
  submit: (event: Event) => void;
  ref: { current: HTMLFormElement | null };
}

/**
 * State of a form: validates on submit, then on every change; sends at most one request at a time.
 * `send` rejects to show a failure; `explain` turns that into one sentence.
 */
export function useForm<F extends { [K in keyof F]: string }>(
  initial: F,
  validate: (values: F) => FieldErrors<F>,
  send: (values: F) => Promise<void>,
  explain: (error: unknown) => string,
): FormState<F> {
  const [values, setValues] = useState(initial);
  const [checked, setChecked] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [sent, setSent] = useState(false);
  const ref = useRef<HTMLFormElement>(null);
  const errors = checked ? validate(values) : {};

  const submit = (event: Event) => {
    event.preventDefault();
    if (busy) return;
    setChecked(true);
    const wrong = validate(values);
    if (Object.keys(wrong).length > 0) {
      setFailure(t("error.form"));
      const first = [...(ref.current?.elements ?? [])].find((e) => e.getAttribute("name")! in wrong);
      if (first instanceof HTMLElement) first.focus();
      return;
    }
    setFailure(null);
    setSent(false);
    setBusy(true);
    send(values).then(
      () => {
        setBusy(false);
        setSent(true);
      },
      (error: unknown) => {
        setBusy(false);
        setFailure(explain(error));
      },
    );
  };
  const set = (name: keyof F & string, value: string) => {
    const next = { ...values, [name]: value };
    setValues(next);
    setSent(false);
    if (checked && Object.keys(validate(next)).length === 0) setFailure(null);
  };
  return { values, errors, failure, busy, sent, set, submit, ref };
}

interface FieldProps<F extends { [K in keyof F]: string }> {
  form: FormState<F>;
  name: keyof F & string;
  label: MessageKey;
  hint?: MessageKey;
  optional?: boolean;
  /** Columns of six, on a wide and on a narrow screen. */
  span?: 2 | 3 | 4 | 6;
  phone?: 2 | 3 | 4;
  format?: (value: string) => string;
  options?: { value: string; label: string }[];
  rows?: number;
  disabled?: boolean;
  input?: Pick<Control, "type" | "autocomplete" | "inputMode" | "placeholder" | "maxLength" | "autoCapitalize">;
}

/** One labelled control with its hint and its error, tied together for screen readers. */
export function Field<F extends { [K in keyof F]: string }>(props: FieldProps<F>) {
  const { form, name, label, hint, optional, span = 6, phone, format, options, rows, disabled, input } = props;
  const error = form.errors[name];
  const id = `field-${name}`;
  const shared = {
    id,
    name,
    "data-testid": id,
    value: form.values[name],
    required: !optional,
    disabled,
    "aria-invalid": error !== undefined,
    ...(error || hint ? { "aria-describedby": `${id}-note` } : {}),
    onInput: (event: JSX.TargetedEvent<HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement>) =>
      form.set(name, format ? format(event.currentTarget.value) : event.currentTarget.value),
  };
  return (
    <div class={`field span-${span}${phone ? ` phone-${phone}` : ""}`}>
      <label for={id}>
        {t(label)}
        {optional && <span class="optional"> {t("field.optional")}</span>}
      </label>
      {options ? (
        <select {...shared}>
          {options.map((option) => <option key={option.value} value={option.value}>{option.label}</option>)}
        </select>
      ) : rows ? (
        <textarea {...shared} rows={rows} />
      ) : (
        <input {...shared} {...input} />
      )}
      {(error || hint) && (
        <p id={`${id}-note`} class={error ? "note note-error" : "note"} data-testid={error && `${id}-error`}>
          {t(error ?? hint!)}
        </p>
      )}
    </div>
  );
}

/** The failure of a form, announced to screen readers. */
export function FormFailure({ text }: { text: string | null }) {
  return (
    <div role="alert" class="form-failure-slot">
      {text !== null && <p class="form-failure" data-testid="form-failure">{text}</p>}
    </div>
  );
}

/** A success of a form that stays on the page, announced to screen readers. */
export function FormSuccess({ text }: { text: string | null }) {
  return (
    <div role="status">
      {text !== null && <p class="form-success" data-testid="form-success"><CheckIcon />{text}</p>}
    </div>
  );
}

export function SubmitButton({ busy, label, busyLabel, testid, wide }: {
  busy: boolean; label: ComponentChildren; busyLabel: string; testid: string; wide?: boolean;
}) {
  return (
    <button type="submit" class={wide ? "button primary wide" : "button primary"} disabled={busy} data-testid={testid}>
      {busy && <span class="spinner" aria-hidden="true" />}
      {busy ? busyLabel : label}
    </button>
  );
}
