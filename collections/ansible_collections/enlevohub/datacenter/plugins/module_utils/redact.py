"""Hide what looks like a secret in log lines that are shown to the operator."""

from __future__ import annotations

import re

CREDENTIALS_IN_URL = re.compile(r"://([^:@/\s]+):[^@\s]+@")
BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.+/=-]{8,}")
NAMED_VALUE = re.compile(r"(?i)(password|secret|token)(['\"]?\s*[=:]\s*)\S+")


def redact(text: str) -> str:
    """Return the text with passwords in URLs, credentials of headers and values of telling names replaced by stars."""
    text = CREDENTIALS_IN_URL.sub(r"://\1:***@", text)
    text = BEARER.sub(r"\1 ***", text)
    return NAMED_VALUE.sub(r"\1\2***", text)
