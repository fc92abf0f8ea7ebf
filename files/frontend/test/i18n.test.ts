import { expect, test } from "vitest";
import { fill, MESSAGES, pickLanguage } from "../src/i18n";

const places = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();

test("both languages have the same keys", () => {
  expect(Object.keys(MESSAGES.en).sort()).toEqual(Object.keys(MESSAGES.pt).sort());
});

test("both languages use the same places in every text", () => {
  for (const [key, text] of Object.entries(MESSAGES.pt)) {
    expect(places(MESSAGES.en[key as keyof typeof MESSAGES.en]), key).toEqual(places(text));
  }
});

test("no text is empty", () => {
  for (const messages of Object.values(MESSAGES)) {
    expect(Object.values(messages).filter((text) => text.trim() === "")).toEqual([]);
  }
});

test.each([
  [["pt-BR", "en"], "pt"],
  [["en-US"], "en"],
  [["de-DE", "en-GB", "pt"], "en"],
  [["PT"], "pt"],
  [["de"], "pt"],
  [[], "pt"],
])("the browser's languages %j give %s", (preferred, language) => {
  expect(pickLanguage(preferred)).toBe(language);
});

test("fill puts values in and leaves unknown places", () => {
  expect(fill("{n} de {total}", { n: 0 })).toBe("0 de {total}");
});
