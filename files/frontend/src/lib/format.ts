/**
 * Reads an amount of money as people type it: "1.250.000,50", "1,250,000.50", "1250000.5".
 *
 * The last separator is the decimal one when one or two digits follow it; any other separator must group thousands.
 * Returns null for anything else.
 */
export function parseAmount(text: string): number | null {
  const compact = text.replace(/R\$|\s/g, "");
  const match = /^(\d[\d.,]*?)(?:[.,](\d{1,2}))?$/.exec(compact);
  if (!match) return null;
  const [, whole = "", cents = "0"] = match;
  if (!/^\d+$/.test(whole) && !/^\d{1,3}(\.\d{3})+$/.test(whole) && !/^\d{1,3}(,\d{3})+$/.test(whole)) return null;
  return Number(`${whole.replace(/[.,]/g, "")}.${cents}`);
}

/** Reads a percentage of 0 to 100 with at most two decimals, "37,5" or "37.5"; null for anything else. */
export function parsePercent(text: string): number | null {
  if (!/^\d{1,3}([.,]\d{1,2})?$/.test(text.trim())) return null;
  const value = Number(text.trim().replace(",", "."));
  return value <= 100 ? value : null;
}

/** Writes an amount as it may be typed again. */
export function writeAmount(amount: number, locale: string): string {
  return new Intl.NumberFormat(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(amount);
}

/** The calendar day of the reader, as `<input type="date">` wants it. */
export function dayOf(now: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

/** Formats an amount in BRL; whole amounts without cents. */
export function formatMoney(amount: number, locale: string): string {
  const digits = Number.isInteger(amount) ? 0 : 2;
  const options = { style: "currency", currency: "BRL", minimumFractionDigits: digits, maximumFractionDigits: digits } as const;
  return new Intl.NumberFormat(locale, options).format(amount);
}

/** Formats an ISO date as a calendar day, in UTC: the API keeps days as midnight UTC. */
export function formatDay(iso: string, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" }).format(new Date(iso));
}

/** Formats an ISO date as month and year, in UTC. */
export function formatMonth(iso: string, locale: string): string {
  return new Intl.DateTimeFormat(locale, { month: "2-digit", year: "numeric", timeZone: "UTC" }).format(new Date(iso));
}

/** Formats a percentage given as 0 to 100. */
export function formatPercent(percentage: number, locale: string): string {
  const options = { style: "unit", unit: "percent", maximumFractionDigits: 1 } as const;
  return new Intl.NumberFormat(locale, options).format(percentage);
}

/** Up to two capital letters of a name, for an avatar. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const picked = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return picked.map((word) => (word ?? "").charAt(0).toUpperCase()).join("");
}
