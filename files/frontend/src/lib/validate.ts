import type { MessageKey } from "../i18n";
import type {
  ContractorRegistration,
  Evolution,
  NewEvolution,
  NewProject,
  Project,
  ProjectChange,
  Registration,
  Smtp,
} from "../api/types";
import { parseAmount, parsePercent, writeAmount } from "./format";

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
  /** Asked for only when a project is changed. */
  actualEndDate: string;
}

export interface ContractorForm {
  tenantDocument: string;
  document: string;
  specialty: string;
  phone: string;
  name: string;
  email: string;
  password: string;
  passwordAgain: string;
}

export interface EvolutionForm {
  percentage: string;
  phase: string;
  date: string;
  notes: string;
}

export interface SmtpForm {
  host: string;
  port: string;
  secure: string;
  user: string;
  smtpPassword: string;
  fromName: string;
  fromEmail: string;
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
  return { ...errors, ...validatePerson(form), ...validateNewPassword(form) };
}

export function validateContractor(form: ContractorForm): FieldErrors<ContractorForm> {
  const errors: FieldErrors<ContractorForm> = {};
  if (isShort(form.tenantDocument, 11)) errors.tenantDocument = "error.document";
  if (isShort(form.document, 11)) errors.document = "error.document";
  if (toSpecialties(form.specialty).length === 0) errors.specialty = "error.required";
  return { ...errors, ...validatePerson(form), ...validateNewPassword(form) };
}

export function toContractor(form: ContractorForm): ContractorRegistration {
  const phone = form.phone.trim();
  return {
    name: form.name.trim(),
    email: form.email.trim(),
    password: form.password,
    tenantDocument: form.tenantDocument.trim(),
    document: form.document.trim(),
    specialty: toSpecialties(form.specialty),
    contacts: phone ? { phone } : {},
  };
}

function toSpecialties(text: string): string[] {
  return text.split(/[,;\n]/).map((part) => part.trim()).filter(Boolean);
}

export function validateEmail(form: { email: string }): FieldErrors<typeof form> {
  return EMAIL.test(form.email.trim()) ? {} : { email: "error.email" };
}

export function validatePerson(form: { name: string; email: string }): FieldErrors<typeof form> {
  return { ...(isShort(form.name, 2) ? { name: "error.short2" as const } : {}), ...validateEmail(form) };
}

export function validateNewPassword(form: { password: string; passwordAgain: string }): FieldErrors<typeof form> {
  const errors: FieldErrors<typeof form> = {};
  if (!isStrongPassword(form.password)) errors.password = "error.password";
  if (form.passwordAgain !== form.password) errors.passwordAgain = "error.passwordAgain";
  return errors;
}

export function validatePasswordChange(
  form: { currentPassword: string; password: string; passwordAgain: string },
): FieldErrors<typeof form> {
  return { ...(form.currentPassword === "" ? { currentPassword: "error.required" as const } : {}), ...validateNewPassword(form) };
}

export function validateInvitation(
  form: { name: string; email: string; role: string; password: string },
): FieldErrors<typeof form> {
  const errors: FieldErrors<typeof form> = validatePerson(form);
  if (form.role === "") errors.role = "error.required";
  if (!isStrongPassword(form.password)) errors.password = "error.password";
  return errors;
}

export function validateEvolution(form: EvolutionForm): FieldErrors<EvolutionForm> {
  const errors: FieldErrors<EvolutionForm> = {};
  if (parsePercent(form.percentage) === null) errors.percentage = "error.percentage";
  if (isShort(form.phase, 2)) errors.phase = "error.short2";
  if (form.date === "") errors.date = "error.required";
  return errors;
}

/** The form of a progress record; a new one is of today. */
export function evolutionForm(evolution: Evolution | null, today: string, locale: string): EvolutionForm {
  if (evolution === null) return { percentage: "", phase: "", date: today, notes: "" };
  const { phase, date, notes } = evolution;
  const percentage = evolution.percentage.toLocaleString(locale, { maximumFractionDigits: 2 });
  return { percentage, phase, date: date.slice(0, 10), notes: notes ?? "" };
}

/** The body of a valid progress record; `photos` goes along only when it is given. */
export function toEvolution(form: EvolutionForm, photos?: string[]): NewEvolution {
  return {
    percentage: parsePercent(form.percentage) ?? 0,
    phase: form.phase.trim(),
    date: midnight(form.date),
    notes: form.notes.trim(),
    ...(photos ? { photos } : {}),
  };
}

export function validateSmtp(form: SmtpForm): FieldErrors<SmtpForm> {
  const errors: FieldErrors<SmtpForm> = {};
  for (const name of ["host", "user", "smtpPassword", "fromName"] as const) {
    if (isShort(form[name], 1)) errors[name] = "error.required";
  }
  const port = Number(form.port.trim() || "0");
  if (!Number.isInteger(port) || port < 1 || port > 65535) errors.port = "error.port";
  if (!EMAIL.test(form.fromEmail.trim())) errors.fromEmail = "error.email";
  return errors;
}

export function smtpForm(smtp: Partial<Smtp> | undefined): SmtpForm {
  return {
    host: smtp?.host ?? "",
    port: String(smtp?.port ?? 587),
    secure: String(smtp?.secure ?? false),
    user: smtp?.user ?? "",
    smtpPassword: smtp?.password ?? "",
    fromName: smtp?.fromName ?? "",
    fromEmail: smtp?.fromEmail ?? "",
  };
}

export function toSmtp(form: SmtpForm): Smtp {
  return {
    host: form.host.trim(),
    port: Number(form.port),
    secure: form.secure === "true",
    user: form.user.trim(),
    password: form.smtpPassword,
    fromName: form.fromName.trim(),
    fromEmail: form.fromEmail.trim(),
  };
}

export const EMPTY_PROJECT: ProjectForm = {
  name: "", description: "", status: "PLANNING", startDate: "", expectedEndDate: "", budget: "",
  quantidadeUnidades: "", zipCode: "", street: "", number: "", complement: "", neighborhood: "", city: "", state: "",
  actualEndDate: "",
};

/** The form filled with a project; the budget is written as people of the locale do. */
export function projectForm(project: Project, locale: string): ProjectForm {
  const { address } = project;
  return {
    name: project.name,
    description: project.description ?? "",
    status: project.status,
    startDate: project.startDate?.slice(0, 10) ?? "",
    expectedEndDate: project.expectedEndDate?.slice(0, 10) ?? "",
    actualEndDate: project.actualEndDate?.slice(0, 10) ?? "",
    budget: project.budget > 0 ? writeAmount(project.budget, locale) : "",
    quantidadeUnidades: String(project.quantidadeUnidades),
    zipCode: formatZipCode(address.zipCode),
    street: address.street,
    number: address.number,
    complement: address.complement ?? "",
    neighborhood: address.neighborhood,
    city: address.city,
    state: address.state,
  };
}

/** The body of a change: every key of the form; an emptied date is cleared, an emptied amount stays as it was. */
export function toProjectChange(form: ProjectForm): ProjectChange {
  return {
    ...toNewProject(form),
    description: form.description.trim(),
    startDate: form.startDate ? midnight(form.startDate) : null,
    expectedEndDate: form.expectedEndDate ? midnight(form.expectedEndDate) : null,
    actualEndDate: form.actualEndDate ? midnight(form.actualEndDate) : null,
  };
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
  if (form.startDate && form.actualEndDate && form.actualEndDate < form.startDate) {
    errors.actualEndDate = "error.dateOrder";
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
  if (form.startDate) project.startDate = midnight(form.startDate);
  if (form.expectedEndDate) project.expectedEndDate = midnight(form.expectedEndDate);
  const budget = parseAmount(form.budget);
  if (budget !== null) project.budget = budget;
  const units = form.quantidadeUnidades.trim();
  if (units) project.quantidadeUnidades = Number(units);
  return project;
}

/** The API keeps a day as midnight UTC. */
function midnight(day: string): string {
  return `${day}T00:00:00.000Z`;
}

function zipDigits(value: string): string {
  return value.replace(/\D/g, "");
}

/** Formats what was typed as a Brazilian postal code, 00000-000, as far as it goes. */
export function formatZipCode(value: string): string {
  const digits = zipDigits(value).slice(0, 8);
  return digits.length > 5 ? `${digits.slice(0, 5)}-${digits.slice(5)}` : digits;
}
