"""Check request bodies against msgspec types, strictly, and say in Portuguese what is wrong with every field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

PASSWORD_PATTERN = r"^(?=[\s\S]*[A-Z])(?=[\s\S]*[a-z])(?=[\s\S]*[0-9])"
EMAIL_PATTERN = r"^[^\s@\"(),:;<>\[\\\]]+@([A-Za-z0-9\-]+\.)+[A-Za-z0-9\-]{2,}\Z"


@dataclass(frozen=True)
class Issue:
    """One wrong value: where (a JSON pointer), which rule, and the sentence for people."""

    pointer: str
    keyword: str
    text: str

    def as_detail(self) -> dict[str, Any]:
        """Give the shape of one entry of ``details``."""
        return {
            "instancePath": self.pointer,
            "schemaPath": f"#/{self.keyword}",
            "keyword": self.keyword,
            "params": {},
            "message": self.text,
        }


class InvalidInput(Exception):
    """A request body or query is wrong; ``issues`` has at least one entry."""

    def __init__(self, issues: list[Issue]) -> None:
        """Keep the issues."""
        super().__init__("; ".join(issue.text for issue in issues))
        self.issues = issues


def parse_body(raw: bytes, kind: type[T]) -> T:
    """Decode a JSON object into a struct; unknown keys are ignored, types are not coerced.

    Raises:
        InvalidInput: with one issue per wrong field.
    """
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise InvalidInput([Issue("", "json", "O corpo da requisição não é um JSON válido")]) from None
    if not isinstance(document, dict):
        raise InvalidInput([Issue("", "type", "O corpo da requisição deve ser um objeto JSON")])
    try:
        return msgspec.convert(document, kind)
    except (msgspec.ValidationError, RecursionError):
        raise InvalidInput(_collect(document, kind)) from None


def _collect(document: dict[str, Any], kind: type[msgspec.Struct]) -> list[Issue]:
    issues: list[Issue] = []
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if name not in document:
            if field.required:
                issues.append(Issue(f"/{name}", "required", f"O campo {name} é obrigatório"))
            continue
        try:
            msgspec.convert(document[name], field.type)
        except msgspec.ValidationError as error:
            issues.append(_issue(name, str(error)))
        except RecursionError:
            issues.append(Issue(f"/{name}", "depth", f"O campo {name} tem níveis demais"))
    return issues or [Issue("", "type", "O corpo da requisição é inválido")]


def value_issue(key: str, message: str) -> Issue:
    """Make the issue of one value from msgspec's message."""
    return _issue(key, message)


_RULES: tuple[tuple[str, str, str], ...] = (
    (r"missing required field `([^`]+)`", "required", "é obrigatório"),
    (r"[Mm]issing required", "required", "é obrigatório"),
    (r"of length >= 1$", "minLength", "não pode ficar vazio"),
    (r"of length >= (\d+)", "minLength", "deve ter pelo menos {} caracteres"),
    (r"of length <= (\d+)", "maxLength", "deve ter no máximo {} caracteres"),
    (r"of length == (\d+)", "length", "deve ter exatamente {} caracteres"),
    (r">= ([\d.]+)", "minimum", "deve ser no mínimo {}"),
    (r"<= ([\d.]+)", "maximum", "deve ser no máximo {}"),
    (r"matching regex", "pattern", "tem formato inválido"),
    (r"[Ii]nvalid enum value", "enum", "não é um dos valores aceitos"),
    (
        r"timezone|RFC3339|ISO8601|datetime",
        "format",
        "deve ser data e hora com fuso, como 2026-01-02T00:00:00.000Z",
    ),
    (r"Expected `(\w+)", "type", "tem tipo inválido"),
)


def _issue(field: str, text: str) -> Issue:
    problem, _, where = text.partition(" - at `$")
    path = [part for part in re.split(r"[.\[\]]", f"{field}{where.rstrip('`')}") if part]
    for pattern, keyword, template in _RULES:
        match = re.search(pattern, problem)
        if match is None:
            continue
        argument = match[1] if match.groups() else ""
        if keyword == "required" and argument:
            path.append(argument)
        if keyword == "pattern" and path and path[-1] in ("password", "newPassword"):
            template = "deve ter letra maiúscula, letra minúscula e número"
        name = ".".join(path) or "da requisição"
        return Issue("/" + "/".join(path), keyword, f"O campo {name} {template.format(argument)}")
    name = ".".join(path) or "da requisição"
    return Issue("/" + "/".join(path), "invalid", f"O campo {name} é inválido")


def to_utc(field: str, value: datetime | None) -> datetime | None:
    """Give the instant in UTC. Raises InvalidInput when it is out of the calendar's range."""
    if value is None:
        return None
    try:
        moment = value.astimezone(UTC)
    except OverflowError:
        moment = None
    if moment is None or not 1 < moment.year < 9999:
        raise InvalidInput([Issue(f"/{field}", "format", f"O campo {field} está fora do calendário")])
    return moment
