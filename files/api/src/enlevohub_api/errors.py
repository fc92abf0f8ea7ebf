"""Error answers in the shapes of the contract. ``message`` is short Portuguese prose: the web application shows it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import asyncpg

from enlevohub_api.database import RETRY_AFTER_SECONDS, OutcomeUnknown, Unavailable
from enlevohub_api.passwords import TooBusy
from enlevohub_api.storage import StorageFull, StorageUnavailable
from enlevohub_api.validation import InvalidInput
from enlevohub_api.web import BodyTooLarge, Disconnected, NoRoute, Response, WrongMethod

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


def _answer(status: int, error: str, message: str, **more: Any) -> Response:
    return Response({"error": error, "message": message, **more}, status)


def _on_api_error(error: ApiError) -> Response:
    return Response({"error": error.error, "message": error.message}, error.status, error.headers or {})


def _on_invalid_input(error: InvalidInput) -> Response:
    text = "; ".join(issue.text for issue in error.issues)
    return _answer(400, "Validation Error", text, details=[issue.as_detail() for issue in error.issues])


def _on_database_input(error: asyncpg.DataError) -> Response:
    logger.warning("value refused by the database", extra={"reason": type(error).__name__})
    return _answer(400, "Validation Error", "Um valor enviado não é aceito", details=[])


def _on_unavailable(_: Exception) -> Response:
    body = {
        "error": "Service Unavailable",
        "message": "Serviço temporariamente indisponível, tente de novo em instantes",
    }
    return Response(body, 503, {"retry-after": str(RETRY_AFTER_SECONDS)})


def _on_storage_full(_: StorageFull) -> Response:
    return _answer(507, "Insufficient Storage", "Não há espaço para guardar o arquivo")


def _on_outcome_unknown(error: OutcomeUnknown) -> Response:
    logger.error("connection lost during commit", extra={"reason": str(error)})
    message = "A conexão caiu durante a gravação: confira se ela foi feita antes de repetir"
    return _answer(503, "Outcome Unknown", message)


def _on_no_route(_: NoRoute) -> Response:
    return _answer(404, "Not Found", "Rota não encontrada", statusCode=404)


def _on_wrong_method(error: WrongMethod) -> Response:
    body = {"error": "Method Not Allowed", "message": "Método não permitido nesta rota"}
    return Response(body, 405, {"allow": error.allowed})


def _on_large_body(_: BodyTooLarge) -> Response:
    return _answer(413, "Payload Too Large", "O corpo da requisição é grande demais")


def _on_disconnect(_: Disconnected) -> Response:
    return _answer(400, "Bad Request", "O envio foi interrompido")


def _on_unexpected(error: Exception) -> Response:
    logger.error("unexpected error", exc_info=error)
    return _answer(500, "Internal Server Error", "Erro interno do servidor")


_ANSWERS: dict[type[Exception], Callable[[Any], Response]] = {
    ApiError: _on_api_error,
    InvalidInput: _on_invalid_input,
    asyncpg.DataError: _on_database_input,
    Unavailable: _on_unavailable,
    TooBusy: _on_unavailable,
    StorageUnavailable: _on_unavailable,
    StorageFull: _on_storage_full,
    OutcomeUnknown: _on_outcome_unknown,
    NoRoute: _on_no_route,
    WrongMethod: _on_wrong_method,
    BodyTooLarge: _on_large_body,
    Disconnected: _on_disconnect,
    Exception: _on_unexpected,
}


def answer_to(error: Exception) -> Response:
    """Give the answer to a failure, by the nearest of its types."""
    return next(_ANSWERS[kind](error) for kind in type(error).__mro__ if kind in _ANSWERS)


def is_outage(error: Exception) -> bool:
    """Tell whether a failure says that the database is away."""
    return isinstance(error, (Unavailable, OutcomeUnknown))
