"""Log lines as JSON on standard output, one object per line."""

from __future__ import annotations

import io
import logging
import sys
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import msgspec

REQUEST_ID: ContextVar[str] = ContextVar("REQUEST_ID")
"""Id of the request that the current task serves; every log line of the task carries it."""

_requests = logging.getLogger("enlevohub_api.request")

_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """Formats a record, its ``extra`` fields and its traceback as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Give one line without line breaks."""
        line: dict[str, Any] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        identity = REQUEST_ID.get(None)
        if identity is not None:
            line["request_id"] = identity
        line |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode("utf-8", "replace")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def log_request(identity: str, method: str, path: str, status: int, seconds: float) -> None:
    """Write the one line of a request: straight to the stream, because it is written for every request."""
    if not _requests.isEnabledFor(logging.INFO):
        return
    line = {
        "time": _time(time.time()),
        "level": "info",
        "logger": _requests.name,
        "message": "request",
        "request_id": identity,
        "method": method,
        "path": path,
        "status": status,
        "ms": round(seconds * 1000, 1),
    }
    sys.stdout.write(msgspec.json.encode(line).decode("utf-8", "replace") + "\n")


def configure_logging(level: str) -> None:
    """Send every log to standard output from ``level`` up."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # A line goes out when it is written, also into a pipe or file.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
