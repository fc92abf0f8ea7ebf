"""Log lines."""

from __future__ import annotations

import json
import logging
from contextvars import copy_context
from typing import Any

from enlevohub_api.logs import REQUEST_ID, JsonFormatter


def line(message: str, **extra: Any) -> str:
    record = logging.getLogger("test").makeRecord("test", logging.INFO, "f", 1, message, (), None, extra=extra)
    return JsonFormatter().format(record)


def test_log_line_is_one_json_object() -> None:
    text = line("two\nlines", path='/a"\n{"level":"error"}')
    assert "\n" not in text
    assert json.loads(text)["path"] == '/a"\n{"level":"error"}'


def test_log_line_has_the_extra_fields() -> None:
    assert json.loads(line("x", status=404))["status"] == 404


def test_log_line_carries_the_id_of_the_running_request() -> None:
    def in_request() -> str:
        REQUEST_ID.set("r-1")
        return line("inner")

    assert json.loads(copy_context().run(in_request))["request_id"] == "r-1"


def test_log_line_outside_a_request_has_no_id() -> None:
    assert "request_id" not in json.loads(line("x"))
