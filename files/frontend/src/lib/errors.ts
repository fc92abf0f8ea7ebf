import { ApiError } from "../api/client";
import { language, type MessageKey, t } from "../i18n";

/**
 * One sentence for a failed call. The API speaks Portuguese: its own words are shown to Portuguese
 * readers; `refused` replaces them for others, for a 400 or 401 of a form.
 */
export function errorText(error: unknown, refused: MessageKey = "error.unknown"): string {
  if (!(error instanceof ApiError)) return t("error.unknown");
  if (error.status === 0) return t("error.offline");
  if (error.status === 429) return t("error.tooMany");
  if (error.status >= 500) return t("error.unavailable");
  if (language === "pt" && error.serverMessage) return error.serverMessage;
  if (error.status === 403) return t("error.forbidden");
  return t(refused);
}
