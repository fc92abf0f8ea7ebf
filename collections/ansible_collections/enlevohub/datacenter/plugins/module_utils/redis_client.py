"""A client of Redis and Sentinel that needs nothing but Python: for our modules, and for people as ``redis-admin``.

As a program it reads ``/etc/redis/admin.json`` (address, ports, service, user, password, pki), which only root may
read: the password is neither an argument nor an environment variable.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import sys
from typing import Any, NamedTuple

TIMEOUT = 5.0
SETTINGS = "/etc/redis/admin.json"
_URL = re.compile(r"(rediss?)(\+sentinel)?://(?:([^@/:\s]+)@)?([^@/\s]+)((?:/[A-Za-z0-9._\-]+)*)/?")
USAGE = """usage: redis-admin COMMAND [ARGUMENT...]   a command of Redis; SENTINEL ... goes to the Sentinel
       redis-admin ready              exit code 0: this member is the primary, or a replica in sync
       redis-admin status             role and state of this member and its Sentinel as JSON"""


class RedisError(Exception):
    """Redis is not reached or says no; the text is one line without secrets."""


class Target(NamedTuple):
    """Where Redis is: its servers, or the sentinels that know the primary called ``service``."""

    tls: bool
    user: str
    hosts: list[tuple[str, int]]
    service: str


def parse_url(text: str) -> Target:
    """Read ``redis[s]://[user@]host[:port]/...`` or ``redis[s]+sentinel://[user@]host[:port],.../service``.

    Raises RedisError when the text is neither.
    """
    match = _URL.fullmatch(text)
    if match is None:
        raise RedisError("is no URL of Redis")
    path = match[5].split("/")[1:]
    if match[2] and not path:
        raise RedisError("does not name the service that the sentinels watch")
    default = 26379 if match[2] else 6379
    hosts = []
    for part in match[4].split(","):
        host, _, port = part.rpartition(":") if re.search(r":\d+$", part) else (part, "", str(default))
        hosts.append((host.strip("[]"), int(port)))
    return Target(match[1] == "rediss", match[3] or "", hosts, path[0] if match[2] else "")


def tls_context(authority: str = "", directory: str = "") -> ssl.SSLContext:
    """Return a context that verifies the server.

    Args:
        authority: PEM text of the CA; empty: those of the system, or ca.crt of the directory.
        directory: directory of ca.crt, host.crt and host.key; the host shows its certificate.
    """
    context = ssl.create_default_context(cadata=authority or None, cafile=f"{directory}/ca.crt" if directory else None)
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    if directory:
        context.load_cert_chain(f"{directory}/host.crt", f"{directory}/host.key")
    return context


def reason(error: Exception) -> str:
    """Return why a connection failed, as people say it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, (TimeoutError, socket.timeout)):
        return "no answer"
    return str(getattr(error, "strerror", None) or error)


class RedisClient:
    """One connection. Every error is a RedisError."""

    def __init__(
        self, host: str, port: int, user: str, password: str, context: ssl.SSLContext | None, timeout: float = TIMEOUT
    ) -> None:
        """Connect and log in.

        Args:
            host: name or address.
            port: port.
            user: name; empty: the default user.
            password: password; empty: no login.
            context: TLS; None: plain.
            timeout: seconds for the connection and for each answer.
        """
        self.where = f"{host}:{port}"
        try:
            self._socket = socket.create_connection((host, port), timeout)
            if context is not None:
                self._socket = context.wrap_socket(self._socket, server_hostname=host)
            self._stream = self._socket.makefile("rb")
        except (OSError, ValueError) as error:
            raise RedisError(f"{self.where}: {reason(error)}") from None
        if password:
            self.call("AUTH", *([user] if user else []), password)

    def __enter__(self) -> RedisClient:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._stream.close()
        self._socket.close()

    def call(self, *words: str) -> Any:
        """Run one command; returns text, a number, None or a list of them. Raises RedisError."""
        parts = [word.encode() for word in words]
        request = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        try:
            self._socket.sendall(request)
            answer = self._read()
        except (OSError, ValueError) as error:
            raise RedisError(f"{self.where}: {reason(error)}") from None
        if isinstance(answer, RedisError):
            raise answer
        return answer

    def _read(self) -> Any:
        line = self._stream.readline()
        if not line:
            raise OSError("the connection was closed")
        kind, rest = line[:1], line[1:].strip().decode(errors="replace")
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self._stream.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return None if rest == "-1" else [self._read() for _ in range(int(rest))]
        if kind == b"-":
            return RedisError(f"{self.where}: {rest}")
        raise OSError("the answer is not Redis's protocol; is it TLS on a plain port, or the reverse?")

    def info(self, section: str) -> dict[str, str]:
        """Return a section of INFO by name."""
        return dict(line.split(":", 1) for line in str(self.call("INFO", section)).splitlines() if ":" in line)

    def sentinel(self, *words: str) -> dict[str, str]:
        """Run a SENTINEL command that answers with names and values."""
        answer = self.call("SENTINEL", *words)
        return dict(zip(answer[::2], answer[1::2]))


def check_access(url: str, password: str, sentinel_user: str, sentinel_password: str, authority: str) -> str:
    """Log in as the API will and write a key; returns what is wrong, empty when nothing is.

    Args:
        url: see :func:`parse_url`.
        password: password of the user of the URL.
        sentinel_user: user at the sentinels.
        sentinel_password: password at the sentinels; empty: they ask for none.
        authority: PEM text of the CA; empty: those of the system.
    """
    try:
        target = parse_url(url)
        context = tls_context(authority) if target.tls else None
        host, port = target.hosts[0]
        problems = []
        if target.service:
            for address in target.hosts:
                try:
                    with RedisClient(*address, sentinel_user, sentinel_password, context) as sentinel:
                        found = sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", target.service)
                    if not found:
                        raise RedisError(f"the sentinel {sentinel.where} does not know {target.service}")
                    host, port = found[0], int(found[1])
                    break
                except RedisError as error:
                    problems.append(str(error))
            else:
                raise RedisError("; ".join(problems))
        with RedisClient(host, port, target.user, password, context) as redis:
            redis.call("SET", "enlevohub:preflight", "1", "EX", "10")
    except (RedisError, ssl.SSLError, OSError) as error:
        return str(error)
    return ""


class Member:
    """The Redis member of this host, as its operator sees it."""

    def __init__(self, path: str = SETTINGS) -> None:
        """Read the settings of the program. Raises RedisError when there are none."""
        try:
            with open(path, encoding="utf-8") as handle:
                self.settings: dict[str, Any] = json.load(handle)
            self._context = tls_context(directory=self.settings["pki"])
        except (OSError, ValueError) as error:
            raise RedisError(f"{path} or the certificate of this host cannot be used: {error}") from None

    def connect(self, which: str = "redis", address: str = "") -> RedisClient:
        """Connect to ``redis`` or ``sentinel`` of this host, or of another member."""
        found = self.settings
        port = found["port"] if which == "redis" else found["sentinel_port"]
        return RedisClient(address or found["address"], port, found["user"], found["password"], self._context)

    def problem(self) -> str:
        """Return why this member is neither the primary nor a replica in sync; empty when it is."""
        with self.connect() as redis:
            state = redis.info("replication")
        if state["role"] == "master" or state["master_link_status"] == "up":
            return ""
        return f"replica of {state['master_host']}:{state['master_port']}, which does not answer it"

    def status(self) -> dict[str, Any]:
        """Return role, state and what the Sentinel says."""
        found: dict[str, Any] = {}
        with self.connect() as redis:
            state = redis.info("replication")
            memory = redis.info("memory")
        primary = state["role"] == "master"
        found["role"] = "primary" if primary else "replica"
        found["state"] = "serves" if primary else "in sync" if state["master_link_status"] == "up" else "not in sync"
        found["of"] = "" if primary else state["master_host"]
        found["replicas"] = int(state["connected_slaves"])
        found["memory"] = memory["used_memory_human"]
        try:
            with self.connect("sentinel") as sentinel:
                sentinel.call("SENTINEL", "CKQUORUM", self.settings["service"])
                found["sentinel"] = "quorum"
        except RedisError as error:
            found["sentinel"] = str(error)
        return found


def show(answer: Any, depth: int = 0) -> list[str]:
    """Return an answer as lines of text."""
    if isinstance(answer, list):
        return [line for item in answer for line in show(item, depth + 1)]
    return ["  " * max(depth - 1, 0) + ("(nil)" if answer is None else str(answer))]


def main(words: list[str]) -> int:
    """Run the program; returns its exit code."""
    if not words or words[0] in ("-h", "--help"):
        sys.stdout.write(USAGE + "\n")
        return 0 if words else 2
    try:
        member = Member()
        if words == ["ready"]:
            problem = member.problem()
            if problem:
                raise RedisError(problem)
            lines = ["ready"]
        elif words == ["status"]:
            lines = [json.dumps(member.status())]
        else:
            with member.connect("sentinel" if words[0].lower() == "sentinel" else "redis") as client:
                lines = show(client.call(*words))
    except RedisError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
