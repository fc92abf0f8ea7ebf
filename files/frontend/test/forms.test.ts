import { describe, expect, test } from "vitest";
import { formatDay, formatMoney, formatMonth, formatPercent, initials, parseAmount } from "../src/lib/format";
import {
  formatZipCode,
  isStrongPassword,
  type ProjectForm,
  toNewProject,
  validateLogin,
  validateProject,
  validateRegistration,
} from "../src/lib/validate";

const PROJECT: ProjectForm = {
  name: "Residencial Aurora", description: "", status: "PLANNING", startDate: "", expectedEndDate: "", budget: "",
  quantidadeUnidades: "", zipCode: "01310-100", street: "Avenida Paulista", number: "1000", complement: "",
  neighborhood: "Bela Vista", city: "São Paulo", state: "SP",
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
