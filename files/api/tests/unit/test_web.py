"""Routes, parameters and the session that a handler's statement asks for."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest
from msgspec import Meta

from enlevohub_api.validation import InvalidInput
from enlevohub_api.web import BodyTooLarge, NoRoute, Request, Router, Routes, get, post


@get("/{item_id}")
async def one(item_id: str) -> str:
    return item_id


@get("/newest")
async def newest() -> str:
    return "newest"


@get("/")
async def search(
    page: Annotated[int, Meta(ge=1)] = 1, sort_by: str = "name", text: Annotated[str, Meta(max_length=3)] | None = None
) -> list[Any]:
    return [page, sort_by, text]


@post("/")
async def receive(request: Request) -> int:
    return len(await request.body())


ROUTES = Routes(Router("/items", [one, newest, search, receive]).operations("/api"))


def ask(method: str, path: str, query: str = "", chunks: list[bytes] | None = None, limit: int = 10) -> Any:
    operations, _, values = ROUTES.find(path)
    waiting = list(chunks or [b""])

    async def messages() -> dict[str, Any]:
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    scope = {"method": method, "path": path, "headers": [], "query_string": query.encode()}
    request = Request(scope, messages, None, limit)  # type: ignore[arg-type]  # these handlers need no services
    return asyncio.run(operations[method](request, values))  # type: ignore[arg-type]


@pytest.mark.parametrize(("path", "answer"), [("/api/items/7", "7"), ("/api/items/newest", "newest")])
def test_fixed_segment_comes_before_a_variable_one(path: str, answer: str) -> None:
    assert ask("GET", path) == answer


@pytest.mark.parametrize("path", ["/api/items", "/api/items/", "//api//items"])
def test_empty_segments_do_not_count(path: str) -> None:
    assert ask("GET", path) == [1, "name", None]


@pytest.mark.parametrize("path", ["/", "/api", "/api/items/7/more", "/items"])
def test_unknown_path_is_told(path: str) -> None:
    with pytest.raises(NoRoute):
        ROUTES.find(path)


def test_query_is_read_by_its_names_and_types() -> None:
    assert ask("GET", "/api/items", "page=2&sortBy=a%20b&text=%C3%A9&other=1&page=3") == [3, "a b", "é"]


def test_every_wrong_parameter_is_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        ask("GET", "/api/items", "page=0&text=long")
    assert [issue.pointer for issue in caught.value.issues] == ["/page", "/text"]


def test_body_of_several_parts_is_joined() -> None:
    assert ask("POST", "/api/items", chunks=[b"12345", b"", b"67890"]) == 10


def test_body_over_its_limit_is_refused_while_it_comes() -> None:
    with pytest.raises(BodyTooLarge):
        ask("POST", "/api/items", chunks=[b"12345", b"678901", b"never read"])


def test_two_handlers_for_one_path_are_refused() -> None:
    with pytest.raises(ValueError, match="two handlers"):
        Routes(Router("/", [one, one]).operations())
