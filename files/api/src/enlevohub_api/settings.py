"""Typed settings read from the environment.

``SETTINGS`` is the one table of all settings; the README table and the deployment are compared with it.
This module imports the standard library and msgspec only.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote

import msgspec

from enlevohub_api.dsn import Dsn, DsnError, parse_dsn

LOG_LEVELS = ("debug", "info", "warning", "error")
MIN_JWT_SECRET = 32
SMTP_SECURITIES = ("starttls", "tls", "none")
ENVIRONMENTS = ("production", "development")
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_S3_KEYS = ("s3_access_key_id", "s3_secret_access_key")


@dataclass(frozen=True)
class Setting:
    """One row of the table of settings.

    ``default`` is None for a required setting. A ``secret`` may also come from the file that ``<name>_FILE`` names.
    """

    name: str
    kind: str
    default: str | None
    secret: bool
    description: str


SETTINGS: tuple[Setting, ...] = (
    Setting("DATABASE_URL", "dsn", None, True, "PostgreSQL URL; all hosts of the cluster, comma-separated"),
    Setting("JWT_SECRET", "secret", None, True, "key that signs the tokens, 32 characters or more"),
    Setting("JWT_EXPIRES_IN", "duration", "15m", False, "life of an access token"),
    Setting("JWT_REFRESH_EXPIRES_IN", "duration", "7d", False, "life of a refresh token"),
    Setting("UPLOAD_MAX_SIZE", "bytes", "52428800", False, "largest uploaded file in bytes"),
    Setting("STORAGE_PATH", "storage", "/var/lib/enlevohub/storage", False, "root of uploads: a path or an s3:// URI"),
    Setting("S3_ENDPOINT", "urls", "", False, "URL of the S3 service, several comma-separated; empty: AWS"),
    Setting("S3_REGION", "text", "us-east-1", False, "region of the bucket"),
    Setting("S3_ACCESS_KEY_ID", "key", "", True, "access key, required with an s3:// URI"),
    Setting("S3_SECRET_ACCESS_KEY", "key", "", True, "secret key, required with an s3:// URI"),
    Setting("S3_CA_FILE", "file", "", False, "CA certificate of the S3 service, beside those of the system"),
    Setting("UPLOAD_URL_EXPIRES_IN", "duration", "12h", False, "least life of the signed URL of a photo"),
    Setting("FRONTEND_URL", "url", "http://localhost:5173", False, "origin of the web application"),
    Setting(
        "TRUSTED_PROXIES",
        "networks",
        "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,::1/128,fc00::/7",
        False,
        "proxies whose X-Forwarded-For is believed; none: nobody's",
    ),
    Setting("REDIS_URL", "redis", "", False, "redis://, rediss:// or redis+sentinel:// URL; empty: no Redis"),
    Setting("REDIS_PASSWORD", "password", "", True, "password of Redis"),
    Setting("REDIS_SENTINEL_USER", "line", "", False, "user at the sentinels; empty: their default user"),
    Setting("REDIS_SENTINEL_PASSWORD", "password", "", True, "password of the sentinels"),
    Setting("REDIS_CA_FILE", "file", "", False, "CA certificate of Redis; empty: those of the system"),
    Setting("SMTP_HOST", "text", "", False, "mail server for companies without one of their own; empty: none"),
    Setting("SMTP_PORT", "port", "587", False, "port of the mail server"),
    Setting("SMTP_SECURITY", "smtp_security", "starttls", False, "starttls, tls (from the first byte) or none"),
    Setting("SMTP_USER", "line", "", False, "user of the mail server; empty: no login"),
    Setting("SMTP_PASSWORD", "password", "", True, "password of that user"),
    Setting("SMTP_FROM", "sender", "", False, "sender of the mails, as `a@b.com` or `Name <a@b.com>`"),
    Setting("SMTP_CA_FILE", "file", "", False, "CA certificate of mail servers, beside those of the system"),
    Setting("ENVIRONMENT", "environment", "production", False, "development: reset links without SMTP go to the log"),
    Setting("LIMIT_LOGIN", "limit", "10/15m", False, "failed logins of one account from one address"),
    Setting("LIMIT_LOGIN_ADDRESS", "limit", "100/15m", False, "failed logins from one address"),
    Setting("LIMIT_LOGIN_ACCOUNT", "limit", "100/15m", False, "failed logins of one account from unknown addresses"),
    Setting("LIMIT_FORGOT", "limit", "5/1h", False, "forgotten passwords of one account from one address"),
    Setting("LIMIT_FORGOT_ADDRESS", "limit", "50/1h", False, "forgotten passwords from one address"),
    Setting("LIMIT_REGISTER", "limit", "60/1h", False, "registrations from one address"),
    Setting("METRICS_PORT", "port_or_zero", "9091", False, "port of /metrics; 0: none"),
    Setting("LOG_LEVEL", "log_level", "info", False, "debug, info, warning or error"),
    Setting("PORT", "port", "3001", False, "port to listen on"),
    Setting("HOST", "text", "0.0.0.0", False, "address to listen on"),
    Setting("DATABASE_POOL_SIZE", "count", "10", False, "most connections for requests; readiness has one more"),
    Setting("DATABASE_CONNECT_TIMEOUT", "seconds", "2", False, "seconds one host has to answer a connect"),
    Setting("DATABASE_WAIT", "seconds", "10", False, "seconds a request waits for a read-write leader"),
    Setting("DRAIN_SECONDS", "seconds", "20", False, "seconds running requests have to finish after SIGTERM"),
    Setting(
        "DRAIN_NOTICE_SECONDS", "seconds_or_zero", "2", False, "seconds to keep listening, not ready, after SIGTERM"
    ),
    Setting("INSTANCE", "text", "", False, "name in X-Served-By; empty: the host name"),
)


@dataclass(frozen=True)
class Limit:
    """So many attempts in so many seconds."""

    count: int
    seconds: int


@dataclass(frozen=True)
class RedisTarget:
    """Where Redis is: its servers, or the sentinels that know the master called ``service``."""

    hosts: tuple[tuple[str, int], ...]
    user: str
    database: int
    tls: bool
    service: str


class SettingsError(Exception):
    """One or more settings are missing or wrong; the text is one line that names them all, without secrets."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The checked settings; field names are the environment names in lower case. Durations are in seconds."""

    database_url: Dsn
    jwt_secret: str
    jwt_expires_in: int
    jwt_refresh_expires_in: int
    upload_max_size: int
    storage_path: str
    s3_endpoint: tuple[str, ...]
    s3_region: str
    s3_access_key_id: str
    s3_secret_access_key: str
    s3_ca_file: str
    upload_url_expires_in: int
    frontend_url: str
    trusted_proxies: tuple[Network, ...]
    redis_url: RedisTarget | None
    redis_password: str
    redis_sentinel_user: str
    redis_sentinel_password: str
    redis_ca_file: str
    smtp_host: str
    smtp_port: int
    smtp_security: str
    smtp_user: str
    smtp_password: str
    smtp_from: str
    smtp_ca_file: str
    environment: str
    limit_login: Limit
    limit_login_address: Limit
    limit_login_account: Limit
    limit_forgot: Limit
    limit_forgot_address: Limit
    limit_register: Limit
    metrics_port: int
    log_level: str
    port: int
    host: str
    database_pool_size: int
    database_connect_timeout: float
    database_wait: float
    drain_seconds: float
    drain_notice_seconds: float
    instance: str

    def __repr__(self) -> str:
        """Hide the values: some of them are secrets."""
        return "Settings(...)"


def load_settings(environment: Mapping[str, str]) -> Settings:
    """Read and check every setting.

    Raises:
        SettingsError: naming every wrong setting and what to do.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for setting in SETTINGS:
        try:
            values[setting.name.lower()] = _PARSERS[setting.kind](_raw_value(setting, environment))
        except ValueError as error:
            problems.append(f"{setting.name} {error}")
    if not problems and values["jwt_refresh_expires_in"] <= values["jwt_expires_in"]:
        problems.append("JWT_REFRESH_EXPIRES_IN must be longer than JWT_EXPIRES_IN")
    if not problems and values["drain_notice_seconds"] > values["drain_seconds"]:
        problems.append("DRAIN_NOTICE_SECONDS must not exceed DRAIN_SECONDS")
    if not problems and values["storage_path"].startswith("s3://"):
        problems += [f"{name.upper()} is missing: an s3:// URI needs it" for name in _S3_KEYS if not values[name]]
    if not problems and values["smtp_host"] and not values["smtp_from"]:
        problems.append("SMTP_FROM is missing: SMTP_HOST needs it")
    if not problems and values["metrics_port"] == values["port"]:
        problems.append("METRICS_PORT must differ from PORT")
    problems += _unknown_names(environment)
    if problems:
        raise SettingsError("; ".join(problems))
    values["instance"] = values["instance"] or socket.gethostname()
    return Settings(**values)


def load_database_url(environment: Mapping[str, str]) -> Dsn:
    """Read only ``DATABASE_URL``: the migration needs nothing else. Raises SettingsError."""
    setting = SETTINGS[0]
    try:
        return _parse_database_url(_raw_value(setting, environment))
    except ValueError as error:
        raise SettingsError(f"{setting.name} {error}") from error


def _unknown_names(environment: Mapping[str, str]) -> list[str]:
    """Name the variables that look like a setting and are none: a misspelled setting would silently be its default."""
    known = [setting.name for setting in SETTINGS]
    known += [f"{setting.name}_FILE" for setting in SETTINGS if setting.secret]
    families = {name.partition("_")[0] + "_" for name in known if "_" in name}
    problems = []
    for name in sorted(name for name, value in environment.items() if value and name not in known):
        near = difflib.get_close_matches(name.upper(), known, 1, 0.86)
        if near or name.startswith(("ENLEVOHUB_", *families)) or name.removesuffix("_FILE") in known:
            hint = f" (near: {near[0]})" if near else ""
            problems.append(f"{name} is no setting of this service{hint}: remove it or correct its name")
    return problems


def is_placeholder(value: str) -> bool:
    """Tell whether a secret looks like the sample of a documentation instead of a real one."""
    plain = re.sub(r"[\s_.\-]", "", value.lower())
    if re.fullmatch(r"<.*>|\$\{.*\}|\{\{.*\}\}", value.strip()):
        return True
    if plain in ("secret", "example", "password", "test", "none", "null", "todo", "xxx"):
        return True
    return any(word in plain for word in ("changeme", "changein", "changethis", "placeholder", "example", "yoursecret"))


def parse_duration(text: str) -> int:
    """Convert ``30s``, ``15m``, ``12h`` or ``7d`` to seconds. Raises ValueError."""
    match = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", text)
    if match is None:
        raise ValueError("must be a number and a unit: 30s, 15m, 12h or 7d")
    seconds = int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]
    if seconds > 366 * 86400:
        raise ValueError("must be at most 366d")
    return seconds


def _raw_value(setting: Setting, environment: Mapping[str, str]) -> str:
    """Give the text of one setting; an empty variable counts as absent."""
    value = environment.get(setting.name, "")
    path = environment.get(f"{setting.name}_FILE", "") if setting.secret else ""
    if value and path:
        raise ValueError(f"and {setting.name}_FILE are both set: keep one")
    if path:
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise ValueError(f"cannot be read from {setting.name}_FILE {path}: {reason}") from None
        if not value:
            raise ValueError(f"is empty in {setting.name}_FILE {path}")
    if value:
        return value
    if setting.default is None:
        raise ValueError(f"is missing: set {setting.name} or {setting.name}_FILE")
    return setting.default


def _parse_database_url(text: str) -> Dsn:
    try:
        dsn = parse_dsn(text)
    except DsnError as error:
        raise ValueError(str(error)) from None
    if is_placeholder(dsn.password):
        raise ValueError("has a placeholder as password: set a real one")
    if dsn.sslrootcert is not None and not Path(dsn.sslrootcert).is_file():
        raise ValueError(f"names a CA file that does not exist: {dsn.sslrootcert}")
    return dsn


def _parse_jwt_secret(text: str) -> str:
    if is_placeholder(text):
        raise ValueError("is a placeholder: set a random one (openssl rand -base64 48)")
    if len(text) < MIN_JWT_SECRET:
        raise ValueError(f"is too short: {MIN_JWT_SECRET} characters or more (openssl rand -base64 48)")
    if len(set(text)) < 8:
        raise ValueError("repeats too few characters: set a random one (openssl rand -base64 48)")
    return text


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high):
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text) is None or not low <= float(text) <= high:
            raise ValueError(f"must be seconds from {low:g} to {high:g}")
        return float(text)

    return parse


def _parse_storage(text: str) -> str:
    if not re.fullmatch(r"/\S*|s3://[a-z0-9][a-z0-9.\-]{1,62}(/\S*)?", text):
        raise ValueError("must be an absolute path or s3://bucket/prefix")
    return text


def _parse_url(text: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+(/[^\s?#]*)?", text):
        raise ValueError("must be an http:// or https:// URL")
    return text.rstrip("/")


def _parse_urls(text: str) -> tuple[str, ...]:
    return tuple(_parse_url(part.strip()) for part in text.split(",")) if text else ()


def _parse_key(text: str) -> str:
    if text and is_placeholder(text):
        raise ValueError("is a placeholder: set a real one")
    return text


def _parse_password(text: str) -> str:
    if text and is_placeholder(text):
        raise ValueError("is a placeholder: set a real one")
    return text


def _parse_networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip() != "none")
    except ValueError:
        raise ValueError("must be addresses or networks, comma-separated: 192.0.2.10,10.1.0.0/24; or none") from None


def _parse_redis(text: str) -> RedisTarget | None:
    if not text:
        return None
    match = re.fullmatch(r"(rediss?)(\+sentinel)?://(?:([^@/:\s]+)@)?([^@/\s]+)((?:/[A-Za-z0-9._\-]+)*)/?", text)
    if match is None:
        raise ValueError(
            "must be redis://[user@]host[:port][/database], rediss://... with TLS, or "
            "redis+sentinel://[user@]host[:port],.../service[/database]; the password is REDIS_PASSWORD"
        )
    sentinel = match[2] is not None
    path = match[5].split("/")[1:]
    service = path.pop(0) if sentinel and path else ""
    if sentinel and not service:
        raise ValueError("must name the master that the sentinels watch: redis+sentinel://host,.../service")
    if len(path) > 1 or (path and not (path[0].isdigit() and len(path[0]) < 6)):
        raise ValueError("has a bad database number")
    hosts = tuple(_parse_redis_host(part, 26379 if sentinel else 6379) for part in match[4].split(","))
    if not sentinel and len(hosts) > 1:
        raise ValueError("must name one host, or use redis+sentinel://")
    return RedisTarget(hosts, unquote(match[3] or ""), int(path[0]) if path else 0, match[1] == "rediss", service)


def _parse_redis_host(text: str, default: int) -> tuple[str, int]:
    match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._\-]+))(?::([0-9]{1,5}))?", text)
    if match is None or not 0 < int(match[3] or default) < 65536:
        raise ValueError(f"has a bad host: {text!r}")
    return match[1] or match[2], int(match[3] or default)


def _parse_limit(text: str) -> Limit:
    count, slash, window = text.partition("/")
    if not slash:
        raise ValueError("must be a number of attempts and a duration: 10/15m")
    return Limit(_whole_number(1, 1_000_000)(count), parse_duration(window))


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return parse


def _parse_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of printable text")
    return text


def _parse_sender(text: str) -> str:
    if text and re.fullmatch(r"[^<>@\s]+@[^<>@\s]+|[^<>@\r\n]+ <[^<>@\s]+@[^<>@\s]+>", text) is None:
        raise ValueError("must be an address: a@b.com or Name <a@b.com>")
    return text


def _parse_file(text: str) -> str:
    if text and not Path(text).is_file():
        raise ValueError(f"names a file that does not exist: {text}")
    return text


def _parse_text(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.:_\-]{0,253}", text):
        raise ValueError("must be a name or an address")
    return text


_PARSERS: dict[str, Callable[[str], Any]] = {
    "dsn": _parse_database_url,
    "secret": _parse_jwt_secret,
    "duration": parse_duration,
    "bytes": _whole_number(1, 1024**4),
    "storage": _parse_storage,
    "url": _parse_url,
    "urls": _parse_urls,
    "key": _parse_key,
    "file": _parse_file,
    "log_level": _one_of(*LOG_LEVELS),
    "port": _whole_number(1, 65535),
    "port_or_zero": _whole_number(0, 65535),
    "password": _parse_password,
    "networks": _parse_networks,
    "redis": _parse_redis,
    "limit": _parse_limit,
    "line": _parse_line,
    "sender": _parse_sender,
    "smtp_security": _one_of(*SMTP_SECURITIES),
    "environment": _one_of(*ENVIRONMENTS),
    "text": _parse_text,
    "count": _whole_number(1, 1000),
    "seconds": _seconds(0.1, 3600),
    "seconds_or_zero": _seconds(0, 3600),
}
