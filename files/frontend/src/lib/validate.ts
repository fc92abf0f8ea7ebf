import type { MessageKey } from "../i18n";
import type { NewProject, Registration } from "../api/types";
import { parseAmount } from "./format";

/** Message key of each wrong field; empty when the form may be sent. */
export type FieldErrors<F> = Partial<Record<keyof F, MessageKey>>;

export interface RegistrationForm extends Registration {
  passwordAgain: string;
}

/** The project form: every value as typed. */
export interface ProjectForm {
  name: string;
  description: string;
  status: string;
  startDate: string;
  expectedEndDate: string;
  budget: string;
  quantidadeUnidades: string;
  zipCode: string;
  street: string;
  number: string;
  complement: string;
  neighborhood: string;
  city: string;
  state: string;
}

/** Federative units of Brazil, the only values of `address.state` that this form offers. */
export const STATES = (
  "AC AL AM AP BA CE DF ES GO MA MG MS MT PA PB PE PI PR RJ RN RO RR RS SC SE SP TO"
).split(" ");

/** Largest budget, in BRL, that the API's numeric(15,2) column holds. */
export const MAX_BUDGET = 9_999_999_999_999.99;

const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

function isShort(value: string, least: number): boolean {
  return value.trim().length < least;
}

/** True when the password has 8 characters or more with an upper-case letter, a lower-case letter and a digit. */
export function isStrongPassword(password: string): boolean {
  return password.length >= 8 && /[A-Z]/.test(password) && /[a-z]/.test(password) && /[0-9]/.test(password);
}

export function validateLogin(form: { email: string; password: string }): FieldErrors<typeof form> {
  const errors: FieldErrors<typeof form> = {};
  if (!EMAIL.test(form.email.trim())) errors.email = "error.email";
  if (form.password === "") errors.password = "error.required";
  return errors;
}

export function validateRegistration(form: RegistrationForm): FieldErrors<RegistrationForm> {
  const errors: FieldErrors<RegistrationForm> = {};
  if (isShort(form.tenantName, 2)) errors.tenantName = "error.short2";
  if (isShort(form.tenantDocument, 11)) errors.tenantDocument = "error.document";
  if (isShort(form.name, 2)) errors.name = "error.short2";
  if (!EMAIL.test(form.email.trim())) errors.email = "error.email";
  if (!isStrongPassword(form.password)) errors.password = "error.password";
  if (form.passwordAgain !== form.password) errors.passwordAgain = "error.passwordAgain";
  return errors;
}

export function validateProject(form: ProjectForm): FieldErrors<ProjectForm> {
  const errors: FieldErrors<ProjectForm> = {};
  if (isShort(form.name, 2)) errors.name = "error.short2";
  else if (form.name.trim().length > 200) errors.name = "error.long200";
  if (zipDigits(form.zipCode).length !== 8) errors.zipCode = "error.zipCode";
  if (isShort(form.street, 2)) errors.street = "error.short2";
  if (isShort(form.number, 1)) errors.number = "error.required";
  if (isShort(form.neighborhood, 2)) errors.neighborhood = "error.short2";
  if (isShort(form.city, 2)) errors.city = "error.short2";
  if (!STATES.includes(form.state)) errors.state = "error.required";
  if (form.budget.trim() !== "") {
    const budget = parseAmount(form.budget);
    if (budget === null || budget <= 0 || budget > MAX_BUDGET) errors.budget = "error.amount";
  }
  if (form.quantidadeUnidades.trim() !== "" && !/^[1-9]\d{0,8}$/.test(form.quantidadeUnidades.trim())) {
    errors.quantidadeUnidades = "error.count";
  }
  if (form.startDate && form.expectedEndDate && form.expectedEndDate < form.startDate) {
    errors.expectedEndDate = "error.dateOrder";
  }
  return errors;
}

/** Turns a valid form into the request body: trimmed, optional keys only when filled, dates at 00:00 UTC. */
export function toNewProject(form: ProjectForm): NewProject {
  const project: NewProject = {
    name: form.name.trim(),
    address: {
      street: form.street.trim(),
      number: form.number.trim(),
      neighborhood: form.neighborhood.trim(),
      city: form.city.trim(),
      state: form.state,
      zipCode: formatZipCode(form.zipCode),
    },
    status: form.status as NonNullable<NewProject["status"]>,
  };
  const complement = form.complement.trim();
  if (complement) project.address.complement = complement;
  const description = form.description.trim();
  if (description) project.description = description;
  if (form.startDate) project.startDate = `${form.startDate}T00:00:00.000Z`;
  if (form.expectedEndDate) project.expectedEndDate = `${form.expectedEndDate}T00:00:00.000Z`;
  const budget = parseAmount(form.budget);
  if (budget !== null) project.budget = budget;
  const units = form.quantidadeUnidades.trim();
  if (units) project.quantidadeUnidades = Number(units);
  return project;
}

function zipDigits(value: string): string {
  return value.replace(/\D/g, "");
}

/** Formats what was typed as a Brazilian postal code, 00000-000, as far as it goes. */
export function formatZipCode(value: string): string {
  const digits = zipDigits(value).slice(0, 8);
  return digits.length > 5 ? `${digits.slice(0, 5)}-${digits.slice(5)}` : digits;
}
