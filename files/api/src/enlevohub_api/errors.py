"""Error answers in the shapes of the contract. ``message`` is short Portuguese prose: the web application shows it."""

from __future__ import annotations

import logging
from typing import Any

import asyncpg
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap

from enlevohub_api.database import RETRY_AFTER_SECONDS, OutcomeUnknown, Unavailable
from enlevohub_api.passwords import TooBusy
from enlevohub_api.storage import StorageFull, StorageUnavailable
from enlevohub_api.validation import InvalidInput, Issue, query_issue

logger = logging.getLogger(__name__)


class ApiError(Exception):
    """A failure with a status and a body of the contract."""

    def __init__(self, status: int, error: str, message: str, headers: dict[str, str] | None = None) -> None:
        """Keep status, the short ``error`` name, the ``message`` for people and further headers."""
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message
        self.headers = headers


def unauthorized(message: str = "Token ausente, inválido ou expirado") -> ApiError:
    """Make the 401 that sends the web application to its refresh."""
    return ApiError(401, "Unauthorized", message)


def forbidden(message: str = "Você não tem permissão para esta ação") -> ApiError:
    """Make the 403 of a missing permission."""
    return ApiError(403, "Forbidden", message)


def not_found(message: str) -> ApiError:
    """Make the 404 of a row that does not exist, or belongs to another tenant."""
    return ApiError(404, "Not Found", message)


def bad_request(message: str) -> ApiError:
    """Make the 400 of a broken business rule."""
    return ApiError(400, "Bad Request", message)


def _answer(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response[dict[str, Any]]:
    return Response(body, status_code=status, media_type=MediaType.JSON, headers=headers)


def _invalid(issues: list[Issue]) -> Response[dict[str, Any]]:
    body = {
        "error": "Validation Error",
        "message": "; ".join(issue.text for issue in issues),
        "details": [issue.as_detail() for issue in issues],
    }
    return _answer(400, body)


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _on_api_error(_: Request[Any, Any, Any], error: ApiError) -> Response[dict[str, Any]]:
    return _answer(error.status, {"error": error.error, "message": error.message}, error.headers)


def _on_invalid_input(_: Request[Any, Any, Any], error: InvalidInput) -> Response[dict[str, Any]]:
    return _invalid(error.issues)


def _on_invalid_query(_: Request[Any, Any, Any], error: ValidationException) -> Response[dict[str, Any]]:
    extra = error.extra if isinstance(error.extra, list) else []
    issues = [query_issue(_camel(str(item.get("key", ""))), str(item.get("message", ""))) for item in extra]
    return _invalid(issues or [query_issue("", error.detail)])


def _on_database_input(_: Request[Any, Any, Any], error: asyncpg.DataError) -> Response[dict[str, Any]]:
    logger.warning("value refused by the database", extra={"reason": type(error).__name__})
    return _answer(400, {"error": "Validation Error", "message": "Um valor enviado não é aceito", "details": []})


def _on_unavailable(_: Request[Any, Any, Any], __: Exception) -> Response[dict[str, Any]]:
    message = "Serviço temporariamente indisponível, tente de novo em instantes"
    body = {"error": "Service Unavailable", "message": message}
    return _answer(503, body, {"retry-after": str(RETRY_AFTER_SECONDS)})


def _on_storage_full(_: Request[Any, Any, Any], __: StorageFull) -> Response[dict[str, Any]]:
    return _answer(507, {"error": "Insufficient Storage", "message": "Não há espaço para guardar o arquivo"})


def _on_outcome_unknown(_: Request[Any, Any, Any], error: OutcomeUnknown) -> Response[dict[str, Any]]:
    logger.error("connection lost during commit", extra={"reason": str(error)})
    message = "A conexão caiu durante a gravação: confira se ela foi feita antes de repetir"
    return _answer(503, {"error": "Outcome Unknown", "message": message})


def _on_http(_: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    messages = {
        400: ("Bad Request", "Requisição inválida"),
        404: ("Not Found", "Rota não encontrada"),
        405: ("Method Not Allowed", "Método não permitido nesta rota"),
        413: ("Payload Too Large", "O corpo da requisição é grande demais"),
    }
    name, message = messages.get(error.status_code, ("Error", "Requisição recusada"))
    body: dict[str, Any] = {"error": name, "message": message}
    if error.status_code == 404:
        body["statusCode"] = 404
    return _answer(error.status_code, body, dict(error.headers or {}))


def _on_unexpected(_: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    logger.error("unexpected error", exc_info=error)
    return _answer(500, {"error": "Internal Server Error", "message": "Erro interno do servidor"})


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    ApiError: _on_api_error,
    InvalidInput: _on_invalid_input,
    ValidationException: _on_invalid_query,
    asyncpg.DataError: _on_database_input,
    Unavailable: _on_unavailable,
    TooBusy: _on_unavailable,
    StorageUnavailable: _on_unavailable,
    StorageFull: _on_storage_full,
    OutcomeUnknown: _on_outcome_unknown,
    HTTPException: _on_http,
    Exception: _on_unexpected,
}
