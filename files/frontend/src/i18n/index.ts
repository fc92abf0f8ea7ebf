import { en } from "./en";
import { pt } from "./pt";

export type MessageKey = keyof typeof pt;
export type Messages = Record<MessageKey, string>;
export type Language = "pt" | "en";

export const MESSAGES: Record<Language, Messages> = { pt, en };

/** Picks the first language of the browser that this client speaks; Portuguese when none is. */
export function pickLanguage(preferred: readonly string[]): Language {
  for (const tag of preferred) {
    const base = tag.toLowerCase().split("-")[0];
    if (base === "pt" || base === "en") return base;
  }
  return "pt";
}

/** Fills the `{name}` places of a text. */
export function fill(text: string, values: Record<string, string | number> = {}): string {
  return text.replace(/\{(\w+)\}/g, (place, name: string) => String(values[name] ?? place));
}

export const language: Language = pickLanguage(globalThis.navigator?.languages ?? []);

/** Locale of numbers and dates. */
export const locale = language === "pt" ? "pt-BR" : "en-GB";

/** Translates one key into the language of the browser. */
export function t(key: MessageKey, values?: Record<string, string | number>): string {
  return fill(MESSAGES[language][key], values);
}
