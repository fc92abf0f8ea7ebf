"""PostgreSQL connection URLs with more than one host. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

SSL_MODES = ("disable", "verify-full")
"""Either no TLS or TLS with a checked host name; the modes in between give a false sense of safety."""

_PARAMETERS = ("target_session_attrs", "sslmode", "sslrootcert")


class DsnError(ValueError):
    """The connection URL is malformed. The text never repeats the URL: it holds a password."""


@dataclass(frozen=True)
class Dsn:
    """A parsed connection URL.

    ``hosts`` are (name, port) pairs, all of the same cluster. ``sslrootcert`` is a CA file;
    None means the system's trust store.
    """

    hosts: tuple[tuple[str, int], ...]
    user: str
    password: str = field(repr=False)
    database: str
    sslmode: str
    sslrootcert: str | None


def parse_dsn(url: str) -> Dsn:
    """Parse ``postgresql://user:password@host[:port][,host[:port]...]/database[?parameters]``.

    Raises:
        DsnError: with what is wrong and what is expected.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("postgresql", "postgres"):
        raise DsnError("must start with postgresql://")
    if any(character.isspace() for character in url):
        raise DsnError("must not contain white space (percent-encode it)")
    location, _, query = rest.partition("?")
    authority, slash, database = location.partition("/")
    credentials, at, hosts = authority.rpartition("@")
    if not at:
        raise DsnError("must name user and password: postgresql://user:password@host/database")
    user, colon, password = credentials.partition(":")
    if not user or not colon or not password:
        raise DsnError("must name user and password: postgresql://user:password@host/database")
    if "@" in credentials:
        raise DsnError("has an unescaped @ in user or password (write %40)")
    if not slash or not database:
        raise DsnError("must name the database after the hosts: .../database")
    if "/" in database:
        raise DsnError("has an unescaped / in password or database name (write %2F)")
    parameters = _parse_parameters(query)
    return Dsn(
        hosts=tuple(_parse_host(entry) for entry in hosts.split(",")),
        user=unquote(user),
        password=unquote(password),
        database=unquote(database),
        sslmode=parameters.get("sslmode", "disable"),
        sslrootcert=parameters.get("sslrootcert"),
    )


def _parse_host(entry: str) -> tuple[str, int]:
    if entry.startswith("["):
        host, bracket, tail = entry[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")):
            raise DsnError("has a malformed IPv6 host (write [::1]:5432)")
        colon, port = tail[:1], tail[1:]
    else:
        host, colon, port = entry.partition(":")
    if not host:
        raise DsnError("has an empty host")
    if not colon:
        return host, 5432
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise DsnError(f"has a bad port for host {host} (1 to 65535)")
    return host, int(port)


def _parse_parameters(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError as error:
        raise DsnError("has malformed parameters after the question mark") from error
    parameters: dict[str, str] = {}
    for name, value in pairs:
        if name not in _PARAMETERS:
            raise DsnError(f"has an unknown parameter {name} (known: {', '.join(_PARAMETERS)})")
        if name in parameters:
            raise DsnError(f"has the parameter {name} twice")
        parameters[name] = value
    if parameters.get("target_session_attrs", "read-write") != "read-write":
        raise DsnError("must have target_session_attrs=read-write (the service writes)")
    sslmode = parameters.get("sslmode", "disable")
    if sslmode not in SSL_MODES:
        raise DsnError(f"must have sslmode {' or '.join(SSL_MODES)}")
    rootcert = parameters.get("sslrootcert")
    if rootcert is not None and sslmode != "verify-full":
        raise DsnError("has sslrootcert without sslmode=verify-full")
    if rootcert is not None and not rootcert.startswith("/"):
        raise DsnError("must have an absolute path as sslrootcert")
    return parameters
