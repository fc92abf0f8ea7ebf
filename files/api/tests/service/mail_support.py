"""An SMTP server on loopback that keeps what it is given: plain, with STARTTLS, or with TLS from the first byte."""

from __future__ import annotations

import base64
import re
import socket
import socketserver
import ssl
import subprocess
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from service.support import wait_until


@dataclass
class Received:
    """One mail, and how it came."""

    to: list[str]
    encrypted: bool
    login: tuple[str, str] | None
    message: EmailMessage

    @property
    def text(self) -> str:
        return str(self.message.get_content())

    @property
    def token(self) -> str:
        """The token of the reset link in the mail."""
        found = re.search(r"/reset-password\?token=([0-9a-f]{64})\s", self.text)
        assert found is not None, self.text
        return found[1]


@dataclass
class Conversation:
    """What one client said so far."""

    encrypted: bool
    login: tuple[str, str] | None = None
    to: list[str] = field(default_factory=list)


class MailReceiver:
    """Listens until it is closed."""

    def __init__(self, certificate: Path, security: str = "starttls", refuse: str = "") -> None:
        """``refuse`` is the command that gets a permanent error."""
        self.mails: list[Received] = []
        self.security = security
        self.refuse = refuse
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        receiver = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                try:
                    _converse(receiver, self.request)
                except OSError:
                    return

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def to(self, address: str) -> list[Received]:
        return [mail for mail in self.mails if address in mail.to]

    def wait_for(self, address: str, count: int = 1) -> Received:
        """Wait for the mails to an address and give the last one."""
        wait_until(lambda: len(self.to(address)) >= count, f"mail number {count} to {address}", 60)
        return self.to(address)[-1]


def _converse(receiver: MailReceiver, connection: socket.socket) -> None:
    with ExitStack() as stack:
        _talk(receiver, connection, stack)


def _talk(receiver: MailReceiver, connection: socket.socket, stack: ExitStack) -> None:
    connection.settimeout(30)
    state = Conversation(encrypted=False)
    if receiver.security == "tls":
        connection = stack.enter_context(receiver.context.wrap_socket(connection, server_side=True))
        state.encrypted = True
    stream: Any = stack.enter_context(connection.makefile("rwb"))

    def say(line: str) -> None:
        stream.write(line.encode() + b"\r\n")
        stream.flush()

    say("220 test")
    while line := stream.readline():
        command, _, rest = line.decode().strip().partition(" ")
        command = command.upper()
        if command == receiver.refuse:
            say("550 no")
        elif command == "EHLO":
            offer = ["test", "AUTH PLAIN"]
            if receiver.security == "starttls" and not state.encrypted:
                offer.append("STARTTLS")
            for word in offer[:-1]:
                say(f"250-{word}")
            say(f"250 {offer[-1]}")
        elif command == "STARTTLS":
            say("220 go")
            connection = stack.enter_context(receiver.context.wrap_socket(connection, server_side=True))
            stream = stack.enter_context(connection.makefile("rwb"))
            state = Conversation(encrypted=True)
        elif command == "AUTH":
            _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
            state.login = (user, password)
            say("235 in")
        elif command == "RCPT":
            state.to.append(rest.partition("<")[2].partition(">")[0])
            say("250 ok")
        elif command == "DATA":
            say("354 go")
            lines = []
            while (part := stream.readline()) not in (b".\r\n", b""):
                lines.append(part.removeprefix(b"."))
            message = message_from_bytes(b"".join(lines), policy=policy.default)
            assert isinstance(message, EmailMessage)
            receiver.mails.append(Received(state.to, state.encrypted, state.login, message))
            state.to = []
            say("250 taken")
        elif command == "QUIT":
            say("221 bye")
            return
        else:
            say("250 ok")


def make_certificate(directory: Path) -> Path:
    """Make a certificate for localhost that signs itself; the file holds key and certificate."""
    key, certificate, both = (directory / name for name in ("key.pem", "certificate.pem", "both.pem"))
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    both.write_text(key.read_text() + certificate.read_text())
    return both
