import { describe, expect, test } from "vitest";
import type { Project } from "../src/api/types";
import {
  dayOf,
  formatDay,
  formatMoney,
  formatMonth,
  formatPercent,
  initials,
  parseAmount,
  parsePercent,
  writeAmount,
} from "../src/lib/format";
import {
  evolutionForm,
  formatZipCode,
  isStrongPassword,
  projectForm,
  type ProjectForm,
  smtpForm,
  toContractor,
  toEvolution,
  toNewProject,
  toProjectChange,
  toSmtp,
  validateContractor,
  validateEvolution,
  validateInvitation,
  validateLogin,
  validatePasswordChange,
  validateProject,
  validateRegistration,
  validateSmtp,
} from "../src/lib/validate";

const PROJECT: ProjectForm = {
  name: "Residencial Aurora", description: "", status: "PLANNING", startDate: "", expectedEndDate: "", budget: "",
  quantidadeUnidades: "", zipCode: "01310-100", street: "Avenida Paulista", number: "1000", complement: "",
  neighborhood: "Bela Vista", city: "São Paulo", state: "SP", actualEndDate: "",
};

const REGISTRATION = {
  tenantName: "Obra Boa", tenantDocument: "12.345.678/0001-95", name: "Ana", email: "ana@example.com",
  password: "Senha123", passwordAgain: "Senha123",
};

describe("project form", () => {
  test("the least form is valid", () => {
    expect(validateProject(PROJECT)).toEqual({});
  });

  test.each([
    ["name", "A", "error.short2"],
    ["name", "x".repeat(201), "error.long200"],
    ["zipCode", "0131010", "error.zipCode"],
    ["street", " R ", "error.short2"],
    ["number", " ", "error.required"],
    ["neighborhood", "", "error.short2"],
    ["city", "S", "error.short2"],
    ["state", "", "error.required"],
    ["state", "XX", "error.required"],
    ["budget", "0", "error.amount"],
    ["budget", "abc", "error.amount"],
    ["budget", "10.000.000.000.000", "error.amount"],
    ["quantidadeUnidades", "0", "error.count"],
    ["quantidadeUnidades", "1,5", "error.count"],
  ] as const)("%s = %j is refused with %s", (field, value, error) => {
    expect(validateProject({ ...PROJECT, [field]: value })).toEqual({ [field]: error });
  });

  test("the end may not be before the start", () => {
    const form = { ...PROJECT, startDate: "2026-03-02", expectedEndDate: "2026-03-01" };
    expect(validateProject(form)).toEqual({ expectedEndDate: "error.dateOrder" });
  });

  test("empty optional fields are left out of the body", () => {
    expect(toNewProject(PROJECT)).toEqual({
      name: "Residencial Aurora",
      status: "PLANNING",
      address: {
        street: "Avenida Paulista", number: "1000", neighborhood: "Bela Vista", city: "São Paulo", state: "SP",
        zipCode: "01310-100",
      },
    });
  });

  test("filled optional fields are converted", () => {
    const form: ProjectForm = {
      ...PROJECT, name: "  Aurora ", description: " Torre única ", complement: " Bloco B ", startDate: "2026-03-01",
      expectedEndDate: "2027-03-01", budget: "1.250.000,50", quantidadeUnidades: "48", zipCode: "01310100",
    };
    expect(toNewProject(form)).toMatchObject({
      name: "Aurora",
      description: "Torre única",
      startDate: "2026-03-01T00:00:00.000Z",
      expectedEndDate: "2027-03-01T00:00:00.000Z",
      budget: 1250000.5,
      quantidadeUnidades: 48,
      address: { complement: "Bloco B", zipCode: "01310-100" },
    });
  });
});

describe("change of a project", () => {
  const stored: Project = {
    id: "p1", name: "Aurora", description: null, status: "PAUSED", startDate: "2026-03-01T00:00:00.000Z",
    expectedEndDate: null, actualEndDate: null, budget: 1250000.5, quantidadeUnidades: 48, evolutions: [], _count: { units: 0 },
    address: { street: "Rua A", number: "1", neighborhood: "Centro", city: "Natal", state: "RN", zipCode: "59000000" },
  };

  test.each(["pt-BR", "en-GB"])("the form of a stored project is valid and gives the same amounts in %s", (locale) => {
    const form = projectForm(stored, locale);
    expect(validateProject(form)).toEqual({});
    expect(toProjectChange(form)).toEqual({
      name: "Aurora", description: "", status: "PAUSED", startDate: "2026-03-01T00:00:00.000Z", expectedEndDate: null,
      actualEndDate: null, budget: 1250000.5, quantidadeUnidades: 48, address: { ...stored.address, zipCode: "59000-000" },
    });
  });

  test("a budget that is not set stays empty and unsent", () => {
    const form = projectForm({ ...stored, budget: 0 }, "pt-BR");
    expect(form.budget).toBe("");
    expect(toProjectChange(form)).not.toHaveProperty("budget");
  });

  test("the actual end may not be before the start", () => {
    const form = { ...projectForm(stored, "pt-BR"), actualEndDate: "2026-02-28" };
    expect(validateProject(form)).toEqual({ actualEndDate: "error.dateOrder" });
  });
});

describe("progress form", () => {
  const FORM = { percentage: "37,5", phase: " Fundação ", date: "2026-11-02", notes: " ok " };

  test("a complete record is valid and converted", () => {
    expect(validateEvolution(FORM)).toEqual({});
    expect(toEvolution(FORM, ["/a"])).toEqual({
      percentage: 37.5, phase: "Fundação", date: "2026-11-02T00:00:00.000Z", notes: "ok", photos: ["/a"],
    });
  });

  test("unchanged photos are left out of the body", () => {
    expect(toEvolution(FORM)).not.toHaveProperty("photos");
  });

  test.each([
    ["percentage", "", "error.percentage"],
    ["percentage", "100,1", "error.percentage"],
    ["phase", "F", "error.short2"],
    ["date", "", "error.required"],
  ] as const)("%s = %j is refused with %s", (field, value, error) => {
    expect(validateEvolution({ ...FORM, [field]: value })).toEqual({ [field]: error });
  });

  test("a stored record fills the form, a new one is of today", () => {
    const stored = { id: "e", percentage: 37.5, phase: "Teto", date: "2026-11-02T00:00:00.000Z", notes: null, photos: null };
    expect(evolutionForm(stored, "2026-11-24", "pt-BR")).toEqual({ percentage: "37,5", phase: "Teto", date: "2026-11-02", notes: "" });
    expect(evolutionForm(null, "2026-11-24", "pt-BR").date).toBe("2026-11-24");
  });
});

describe("people and settings forms", () => {
  test("an invitation needs a name, an e-mail, a role and a strong password", () => {
    expect(validateInvitation({ name: "A", email: "a", role: "", password: "fraca" })).toEqual({
      name: "error.short2", email: "error.email", role: "error.required", password: "error.password",
    });
    expect(validateInvitation({ name: "Ana", email: "ana@example.com", role: "VIEWER", password: "Senha123" })).toEqual({});
  });

  test("a change of password needs the current one and twice the same new one", () => {
    expect(validatePasswordChange({ currentPassword: "", password: "Senha123", passwordAgain: "Senha12" })).toEqual({
      currentPassword: "error.required", passwordAgain: "error.passwordAgain",
    });
  });

  test("a contractor's trades are split and the phone is optional", () => {
    const form = {
      tenantDocument: "12345678000195", document: "98765432100", specialty: "Alvenaria, pintura;", phone: " ", name: "Davi",
      email: "davi@example.com", password: "Senha123", passwordAgain: "Senha123",
    };
    expect(validateContractor(form)).toEqual({});
    expect(toContractor(form)).toMatchObject({ specialty: ["Alvenaria", "pintura"], contacts: {} });
    expect(validateContractor({ ...form, specialty: " , " })).toEqual({ specialty: "error.required" });
  });

  test("a stored mail server comes back unchanged, with its masked password", () => {
    const smtp = {
      host: "smtp.example.com", port: 465, secure: true, user: "obras", password: "********", fromName: "Obras",
      fromEmail: "obras@example.com",
    };
    expect(validateSmtp(smtpForm(smtp))).toEqual({});
    expect(toSmtp(smtpForm(smtp))).toEqual(smtp);
  });

  test.each(["", "0", "65536", "25a", "2.5"])("the port %j is refused", (port) => {
    const form = { ...smtpForm(undefined), host: "h", user: "u", smtpPassword: "p", fromName: "n", fromEmail: "a@b.co", port };
    expect(validateSmtp(form)).toEqual({ port: "error.port" });
  });
});

describe("registration and login forms", () => {
  test("a complete registration is valid", () => {
    expect(validateRegistration(REGISTRATION)).toEqual({});
  });

  test.each([
    ["tenantName", "O", "error.short2"],
    ["tenantDocument", "1234567890", "error.document"],
    ["name", "", "error.short2"],
    ["email", "ana@example", "error.email"],
    ["passwordAgain", "Senha124", "error.passwordAgain"],
  ] as const)("%s = %j is refused with %s", (field, value, error) => {
    expect(validateRegistration({ ...REGISTRATION, [field]: value })).toEqual({ [field]: error });
  });

  test.each([
    ["Senha123", true],
    ["Senha12", false],
    ["senha123", false],
    ["SENHA123", false],
    ["SenhaSenha", false],
  ])("password %s is strong: %s", (password, strong) => {
    expect(isStrongPassword(password)).toBe(strong);
  });

  test("login needs an e-mail and any password", () => {
    expect(validateLogin({ email: "ana", password: "" })).toEqual({ email: "error.email", password: "error.required" });
    expect(validateLogin({ email: "ana@example.com", password: "x" })).toEqual({});
  });
});

describe("formats", () => {
  test.each([
    ["1.250.000,50", 1250000.5],
    ["1,250,000.50", 1250000.5],
    ["R$ 1.250", 1250],
    ["1250000", 1250000],
    ["1250000.5", 1250000.5],
    ["0,01", 0.01],
    ["1.25.000", null],
    ["1.250,", null],
    ["1,2345", null],
    ["-5", null],
    ["1e6", null],
    ["", null],
  ])("the amount %j reads as %j", (text, amount) => {
    expect(parseAmount(text)).toBe(amount);
  });

  test.each([
    ["0", 0], ["37,5", 37.5], [" 99.99 ", 99.99], ["100", 100], ["100,01", null], ["-1", null], ["1e1", null], ["", null],
  ])("the percentage %j reads as %j", (text, value) => {
    expect(parsePercent(text)).toBe(value);
  });

  test.each(["pt-BR", "en-GB"])("an amount written in %s reads as the same amount", (locale) => {
    expect(parseAmount(writeAmount(1250000.5, locale))).toBe(1250000.5);
  });

  test("a day is that of the reader's clock", () => {
    expect(dayOf(new Date(2026, 0, 5, 23, 59))).toBe("2026-01-05");
  });

  test.each([
    ["013", "013"],
    ["013101", "01310-1"],
    ["01310-100", "01310-100"],
    ["013101009", "01310-100"],
  ])("the postal code %s shows as %s", (typed, shown) => {
    expect(formatZipCode(typed)).toBe(shown);
  });

  test("a day stays the same in every time zone", () => {
    expect(formatDay("2026-01-02T00:00:00.000Z", "en-GB")).toBe("2 Jan 2026");
  });

  test("a month stays the same in every time zone", () => {
    expect(formatMonth("2026-03-01T00:00:00.000Z", "pt-BR")).toBe("03/2026");
  });

  test("money and percentages follow the locale", () => {
    expect(formatMoney(1250000, "pt-BR").replace(/\s/g, " ")).toBe("R$ 1.250.000");
    expect(formatMoney(10.5, "en-GB").replace(/\s/g, " ")).toBe("R$10.50");
    expect(formatPercent(37.55, "pt-BR")).toBe("37,6%");
  });

  test.each([["Ana Maria Souza", "AS"], ["ana", "A"], ["", ""]])("the initials of %j are %j", (name, letters) => {
    expect(initials(name)).toBe(letters);
  });
});
