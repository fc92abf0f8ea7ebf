"""The HTTP layer: what handlers declare, read and answer.

A handler is an async function with a decorator. Everything that its signature says is worked out at the start, so a
request costs a look-up, the handler, and one encoding:

* ``request``: the `Request`;
* names of the path (``/{project_id}``): their text;
* parameters annotated with `Header`: a header;
* all others: the query; ``sort_by`` is ``sortBy`` there, and the annotation is checked by msgspec.

What it returns becomes the JSON of the answer; a `Response` or a `Stream` goes out as it is.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeAlias, TypeVar, Union
from urllib.parse import parse_qsl

import msgspec

from enlevohub_api.validation import InvalidInput, Issue, value_issue

if TYPE_CHECKING:
    from enlevohub_api.documented import Documented
    from enlevohub_api.services import Services
    from enlevohub_api.tokens import AccessClaims

Scope: TypeAlias = dict[str, Any]
Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

T = TypeVar("T")

JSON = "application/json"
MAX_JSON_BODY = 1024 * 1024
"""Bytes; a larger body gives 413."""


class BodyTooLarge(Exception):
    """The body is over the limit of its operation."""


class Disconnected(Exception):
    """The client went away before its body was complete."""


class NoRoute(Exception):
    """No operation has the path."""


class WrongMethod(Exception):
    """Operations have the path, but none with the method; ``allowed`` names theirs."""

    def __init__(self, allowed: Iterable[str]) -> None:
        """Keep the methods."""
        super().__init__()
        self.allowed = ", ".join(sorted(allowed))


class Request:
    """One request: its head, and its body when it is asked for."""

    __slots__ = ("_receive", "_scope", "caller", "max_body", "method", "path", "services", "unproven")

    def __init__(self, scope: Scope, receive: Receive, services: Services, max_body: int | None) -> None:
        """Take the ASGI scope; ``max_body`` is in bytes, None for no limit."""
        self._scope = scope
        self._receive = receive
        self.services = services
        self.max_body = max_body
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.caller: AccessClaims | None = None
        self.unproven: AccessClaims | None = None
        """The caller while nobody has asked yet whether the session stands; see `services.requires`."""

    def header(self, name: bytes) -> str | None:
        """Give the first header of a lower-case name."""
        for key, value in self._scope["headers"]:
            if key == name:
                return bytes(value).decode("latin-1")
        return None

    def headers(self, name: bytes) -> list[str]:
        """Give all headers of a lower-case name."""
        return [value.decode("latin-1") for key, value in self._scope["headers"] if key == name]

    @property
    def peer(self) -> str:
        """Address of the other end of the connection."""
        client = self._scope.get("client")
        return str(client[0]) if client else ""

    @property
    def query_string(self) -> bytes:
        """The query as it came."""
        return bytes(self._scope["query_string"])

    @property
    def content_length(self) -> int | None:
        """Bytes of the body, when the client says so."""
        text = self.header(b"content-length")
        return int(text) if text is not None and text.isascii() and text.isdigit() else None

    async def stream(self) -> AsyncIterator[bytes]:
        """Give the body while it comes. Raises BodyTooLarge, Disconnected."""
        if self.max_body is not None and (self.content_length or 0) > self.max_body:
            raise BodyTooLarge
        size, more = 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            if self.max_body is not None and size > self.max_body:
                raise BodyTooLarge
            if chunk:
                yield chunk

    async def body(self) -> bytes:
        """Give the whole body. Raises BodyTooLarge, Disconnected."""
        return b"".join([chunk async for chunk in self.stream()])


@dataclass
class Response:
    """An answer that is not just the JSON of a 200 or 201."""

    content: Any
    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = JSON

    def payload(self) -> bytes:
        """Give the bytes of the body."""
        return self.content if isinstance(self.content, bytes) else msgspec.json.encode(self.content)


@dataclass
class Stream:
    """An answer that is sent while it is read."""

    body: AsyncIterator[bytes]
    media_type: str
    status_code: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Written(Generic[T]):
    """The JSON of an answer that is written already, and its type for the document."""

    body: bytes


@dataclass(frozen=True)
class Header:
    """Annotates a parameter that is a header."""

    name: str


Guard: TypeAlias = Callable[[Request], Awaitable[None]]


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation."""

    name: str
    argument: str
    kind: Any
    default: Any = inspect.Parameter.empty

    def schema_type(self) -> Any:
        """Give the type of the value when it is sent."""
        return _without_none(self.kind)


class Reader:
    """Reads parameters from texts into keyword arguments, all at once; only what is wrong is looked at one by one."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        """Make the type that has all of them as its fields."""
        self.parameters = parameters
        self._names = tuple(parameter.argument for parameter in parameters)
        fields = [
            (item.argument, item.kind)
            if item.default is inspect.Parameter.empty
            else (item.argument, item.kind, item.default)
            for item in parameters
        ]
        renamed = {item.argument: item.name for item in parameters}
        self._kind = msgspec.defstruct("Parameters", fields, rename=renamed, kw_only=True)

    def read(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Check the texts. Raises InvalidInput with one issue per wrong parameter."""
        try:
            found = msgspec.convert(texts, self._kind, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidInput(self._issues(texts) or [Issue("", "type", str(error))]) from None
        return {name: getattr(found, name) for name in self._names}

    def _issues(self, texts: Mapping[str, str]) -> list[Issue]:
        issues = []
        for item in self.parameters:
            if item.name not in texts:
                continue
            try:
                msgspec.convert(texts[item.name], item.kind, strict=False)
            except msgspec.ValidationError as error:
                issues.append(value_issue(_camel(item.argument), str(error)))
        return issues


class Operation:
    """A handler with everything that its decorator and its signature say."""

    def __init__(self, method: str, path: str, function: Callable[..., Awaitable[Any]], options: _Options) -> None:
        """Read the signature; the path is still relative to that of the routers."""
        self.method = method
        self.path = path
        self.function = function
        self.options = options
        self.guards = tuple(options.guards)
        hints = typing.get_type_hints(function, include_extras=True)
        answer = hints.pop("return")
        self.answer = typing.get_args(answer)[0] if typing.get_origin(answer) is Written else answer
        self._takes_request = hints.pop("request", None) is not None
        self._hints = hints
        self.status = options.status_code or (201 if method == "POST" else 200)

    def mount(self, prefix: str, guards: Sequence[Guard], tags: Sequence[str]) -> Mounted:
        """Put the operation below a prefix."""
        return Mounted(self, _join(prefix, self.path), (*guards, *self.guards), tags)


@dataclass(frozen=True)
class _Options:
    status_code: int | None = None
    guards: Sequence[Guard] = ()
    summary: str = ""
    responses: Mapping[int, Documented] = field(default_factory=dict)
    media_type: str = JSON
    max_body: int | None = MAX_JSON_BODY


class Mounted:
    """An operation at its whole path; it answers requests."""

    def __init__(self, operation: Operation, path: str, guards: Sequence[Guard], tags: Sequence[str]) -> None:
        """Work out once how a request becomes the arguments of the handler."""
        self.operation = operation
        self.method = operation.method
        self.path = path
        self.guards = guards
        self.tags = tags
        self.status = operation.status
        self.max_body = operation.options.max_body
        self.path_names = tuple(part[1:-1] for part in path.split("/") if part.startswith("{"))
        query: list[Parameter] = []
        headers: list[Parameter] = []
        defaults = inspect.signature(operation.function).parameters
        for argument, kind in operation._hints.items():
            if argument in self.path_names:
                continue
            header = _header_of(kind)
            name = header.name if header else _camel(argument)
            parameter = Parameter(name, argument, kind, defaults[argument].default)
            (headers if header else query).append(parameter)
        self.query = Reader(query) if query else None
        self.headers = Reader(headers) if headers else None
        self._function = operation.function
        self._takes_request = operation._takes_request

    async def __call__(self, request: Request, path_values: Sequence[str]) -> Any:
        """Run the guards, then the handler."""
        for guard in self.guards:
            await guard(request)
        arguments: dict[str, Any] = dict(zip(self.path_names, path_values, strict=True))
        if self.query is not None:
            text = request.query_string.decode("latin-1")
            arguments |= self.query.read(dict(parse_qsl(text, keep_blank_values=True)) if text else {})
        if self.headers is not None:
            sent = ((item.name, request.header(item.name.lower().encode())) for item in self.headers.parameters)
            arguments |= self.headers.read({name: value for name, value in sent if value is not None})
        if self._takes_request:
            return await self._function(request, **arguments)
        return await self._function(**arguments)


class Router:
    """Operations and further routers below one path; guards and tags hold for all of them."""

    def __init__(
        self,
        path: str,
        route_handlers: Sequence[Operation | Router],
        guards: Sequence[Guard] = (),
        tags: Sequence[str] = (),
    ) -> None:
        """Keep the parts."""
        self.path = path
        self.route_handlers = route_handlers
        self.guards = guards
        self.tags = tags

    def operations(self, prefix: str = "", guards: Sequence[Guard] = (), tags: Sequence[str] = ()) -> list[Mounted]:
        """Give every operation at its whole path."""
        here, all_guards = _join(prefix, self.path), (*guards, *self.guards)
        found: list[Mounted] = []
        for handler in self.route_handlers:
            if isinstance(handler, Router):
                found += handler.operations(here, all_guards, self.tags or tags)
            else:
                found.append(handler.mount(here, all_guards, self.tags or tags))
        return found


class _Node:
    """A segment of paths."""

    __slots__ = ("children", "methods", "path", "variable")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.variable: _Node | None = None
        self.methods: dict[str, Mounted] = {}
        self.path = ""


class Routes:
    """Finds the operation of a path. A fixed segment is taken before a variable one; empty segments do not count."""

    def __init__(self, operations: Iterable[Mounted]) -> None:
        """Make the tree."""
        self.operations = list(operations)
        self._root = _Node()
        for operation in self.operations:
            node = self._root
            for part in operation.path.split("/"):
                if part.startswith("{"):
                    node.variable = node.variable or _Node()
                    node = node.variable
                elif part:
                    node = node.children.setdefault(part, _Node())
            if operation.method in node.methods:
                raise ValueError(f"two handlers for {operation.method} {operation.path}")
            node.methods[operation.method] = operation
            node.path = operation.path

    def find(self, path: str) -> tuple[Mapping[str, Mounted], str, list[str]]:
        """Give the operations of a path by their method, its template, and the texts of its variables.

        Raises:
            NoRoute: there are none.
        """
        node, values = self._root, []
        for part in path.split("/"):
            if not part:
                continue
            child = node.children.get(part)
            if child is None:
                child = node.variable
                if child is None:
                    raise NoRoute
                values.append(part)
            node = child
        if not node.methods:
            raise NoRoute
        return node.methods, node.path, values


def _decorator(method: str) -> Callable[..., Callable[[Callable[..., Awaitable[Any]]], Operation]]:
    def declare(path: str, **options: Any) -> Callable[[Callable[..., Awaitable[Any]]], Operation]:
        return lambda function: Operation(method, path, function, _Options(**options))

    return declare


get = _decorator("GET")
post = _decorator("POST")
put = _decorator("PUT")
patch = _decorator("PATCH")
delete = _decorator("DELETE")


def _join(prefix: str, path: str) -> str:
    return "/" + "/".join(part for part in f"{prefix}/{path}".split("/") if part)


def _camel(name: str) -> str:
    head, *tail = name.rstrip("_").split("_")
    return head + "".join(part.capitalize() for part in tail)


def _header_of(kind: Any) -> Header | None:
    return next((item for item in getattr(kind, "__metadata__", ()) if isinstance(item, Header)), None)


def _without_none(kind: Any) -> Any:
    if typing.get_origin(kind) is Annotated:
        inner, *metadata = typing.get_args(kind)
        rest = [item for item in metadata if not isinstance(item, Header)]
        plain = _without_none(inner)
        return Annotated[(plain, *rest)] if rest else plain
    if typing.get_origin(kind) in (Union, UnionType):
        (plain,) = (item for item in typing.get_args(kind) if item is not type(None))
        return plain
    return kind
