"""The management address: TLS, users, tokens, faults that can be switched on, and a log of every request."""

from __future__ import annotations

import base64
import json
import re
import ssl
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from enlevohub_f5sim import as3
from enlevohub_f5sim.journal import Journal
from enlevohub_f5sim.objects import BigIp, RestError

LOGIN = "/mgmt/shared/authn/login"
TOKENS = "/mgmt/shared/authz/tokens/"
SECRET_KEYS = ("password",)


@dataclass
class Fault:
    """Something that goes wrong.

    Attributes:
        method: method of the requests, empty: any.
        path: pattern of their path.
        status: answer instead of the right one; 0: the right one.
        after: whether the request is carried out all the same before the wrong answer.
        delay: seconds before the answer.
        refuse: close the connection without an answer.
        times: how many requests meet it; -1: all.
        skip: how many requests pass before.
    """

    method: str = ""
    path: str = ""
    status: int = 0
    after: bool = False
    delay: float = 0.0
    refuse: bool = False
    times: int = -1
    skip: int = 0


@dataclass
class Request:
    """One line of the log, with the moments it came and was answered (monotonic); no password, no token is in it."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    status: int
    moment: float
    answered: float = 0.0

    def __str__(self) -> str:
        """Return method and path."""
        return f"{self.method} {self.path}"


@dataclass
class Simulator:
    """The management address of a device.

    Attributes:
        users: passwords by user.
        most_tokens: how many tokens a user may have.
        log: every request, oldest first.
        tokens: tokens that are in use, and whose.
        given: all tokens that were ever given.
        journal: where requests are told to.
    """

    users: dict[str, str]
    device: BigIp = field(default_factory=BigIp)
    most_tokens: int = 100
    faults: list[Fault] = field(default_factory=list)
    log: list[Request] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    given: list[str] = field(default_factory=list)
    host: str = "127.0.0.1"
    port: int = 0
    journal: Journal = field(default_factory=Journal)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Put AS3 on the device."""
        self.as3 = as3.As3(self.device)

    @contextmanager
    def serve(self, certificate: Path, key: Path) -> Iterator[Simulator]:
        """Answer on the management address until the end of the block."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        simulator = self

        class Handler(_Handler):
            owner = simulator
            tls = context

        with _Server((self.host, self.port), Handler) as server:
            server.daemon_threads = True
            self.port = int(server.server_address[1])
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="f5sim")
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def fault(self, **values: Any) -> Fault:
        """Switch a fault on."""
        found = Fault(**values)
        self.faults.append(found)
        return found

    def meet(self, method: str, path: str) -> Fault | None:
        """Return the fault that a request meets, and count it."""
        with self._lock:
            for fault in self.faults:
                if fault.times and fault.method in ("", method) and re.search(fault.path, path):
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None

    def keep(self, request: Request) -> None:
        """Write a request to the log."""
        with self._lock:
            self.log.append(request)
        offset = time.time() - time.monotonic()
        told = {"method": request.method, "path": request.path, "body": request.body, "status": request.status}
        self.journal.write("rest", began=request.moment + offset, ended=request.answered + offset, **told)

    def writes(self) -> list[Request]:
        """Return the requests that could change the device, in their order."""
        found = []
        for request in list(self.log):
            if request.method == "GET" or request.path == LOGIN or request.path.startswith(TOKENS):
                continue
            if request.body.get("action") != "dry-run":
                found.append(request)
        return found

    # --- answers

    def answer(
        self, method: str, path: str, query: dict[str, str], body: dict[str, Any], headers: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """Return status and body of an answer."""
        if path == LOGIN and method == "POST":
            return self._login(body)
        if not self._known(headers):
            return 401, {
                "code": 401,
                "message": "Authorization failed: no user authentication header or token detected.",
            }
        if path.startswith(TOKENS):
            return self._token(method, path.removeprefix(TOKENS), body)
        if path.startswith(as3.BASE):
            return self.as3.request(method, path, query, body)
        try:
            found = self.device.request(method, path, query, body, headers.get("x-f5-rest-coordination-id", ""))
        except RestError as error:
            return error.status, {"code": error.status, "message": error.message, "errorStack": [], "apiError": 3}
        return 200, found

    def _login(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        user = str(body.get("username"))
        if self.users.get(user) != body.get("password"):
            return 401, {"code": 401, "message": "Authentication failed."}
        with self._lock:
            if list(self.tokens.values()).count(user) >= self.most_tokens:
                return 400, {"code": 400, "message": f"user {user} has reached maximum active login tokens"}
            token = uuid.uuid4().hex[:26].upper()
            self.tokens[token] = user
            self.given.append(token)
        return 200, {"username": user, "token": {"token": token, "name": token, "timeout": 1200}}

    def _known(self, headers: dict[str, str]) -> bool:
        if "x-f5-auth-token" in headers:
            return headers["x-f5-auth-token"] in self.tokens
        kind, _, text = headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return False
        user, _, password = base64.b64decode(text).decode().partition(":")
        return self.users.get(user) == password

    def _token(self, method: str, token: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if token not in self.tokens:
            return 404, {"code": 404, "message": "no such token"}
        if method == "DELETE":
            with self._lock:
                del self.tokens[token]
            return 200, {}
        return 200, {"token": token, **body}


class _Server(ThreadingHTTPServer):
    """The listener; a client that goes away before TLS stands is no error."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell what went wrong, unless the client did."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection to the management address."""

    owner: Simulator
    tls: ssl.SSLContext
    protocol_version = "HTTP/1.1"
    timeout = 60

    def setup(self) -> None:
        """Begin TLS here, in the thread of the connection."""
        self.request.settimeout(self.timeout)
        self.request = self.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        """Serve the connection; a client that goes away is no error."""
        try:
            super().handle()
        except (OSError, ValueError):
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Print nothing: the log is elsewhere."""

    def _serve(self) -> None:
        moment = time.monotonic()
        parts = urlsplit(self.path)
        path = unquote(parts.path).rstrip("/")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(text) if text else {}
        except ValueError:
            body = {}
        fault = self.owner.meet(self.command, path)
        if fault is not None and fault.delay:
            time.sleep(fault.delay)
        headers = {name.lower(): value for name, value in self.headers.items()}
        wrong = fault is not None and (fault.status or fault.refuse)
        if fault is not None and wrong and not fault.after:
            status, answer = fault.status, {"code": fault.status, "message": "fault of the simulator", "errorStack": []}
        else:
            status, answer = self.owner.answer(self.command, path, query, body, headers)
            if fault is not None and wrong:
                status, answer = fault.status, {"code": fault.status, "message": "fault of the simulator"}
        self._keep(path, query, body, status, moment)
        if fault is not None and fault.refuse:
            self.close_connection = True
            return
        self._reply(status, answer)

    def _keep(self, path: str, query: dict[str, str], body: Any, status: int, moment: float) -> None:
        kept = body if isinstance(body, dict) else {}
        kept = {key: "***" if key in SECRET_KEYS else value for key, value in kept.items()}
        shown = TOKENS + "***" if path.startswith(TOKENS) else path
        self.owner.keep(Request(self.command, shown, query, kept, status, moment, time.monotonic()))

    def _reply(self, status: int, answer: dict[str, Any]) -> None:
        data = b"" if status == 204 else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(data)))
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="Enterprise Manager"')
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815
