"""The failures that an operation documents in OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from enlevohub_api.schemas import Camel

_TEXTS = {
    400: "A value is wrong, or a rule of the business forbids it",
    401: "The token, the password or the account is not accepted",
    403: "The caller's role does not allow it",
    404: "It does not exist for the caller",
    408: "The body did not arrive in time",
    409: "The same key was used for another request",
    413: "The body is too large",
    416: "The range is beyond the end",
    429: "Too many attempts; Retry-After says when to come back",
    500: "An error of the service",
    503: "A part that the service needs is away; Retry-After says when to come back",
    507: "The store of uploads is full",
}


class Failure(Camel):
    """The body of every failure; ``message`` is for people."""

    error: str
    message: str
    details: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class Documented:
    """A documented answer: the type of its body, None for none, and what it means."""

    kind: Any
    text: str
    media_type: str = "application/json"


def failures(*statuses: int) -> Mapping[int, Documented]:
    """Describe the failures of an operation; 500 and 503 belong to all."""
    return {status: Documented(Failure, _TEXTS[status]) for status in sorted({*statuses, 500, 503})}
