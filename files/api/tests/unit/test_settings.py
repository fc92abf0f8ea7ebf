"""Settings: good ones are read, every bad one is named."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from enlevohub_api.settings import SETTINGS, Limit, RedisTarget, Settings, SettingsError, load_settings, parse_duration

SOURCE = Path(__file__).parents[2] / "src" / "enlevohub_api" / "settings.py"
README = Path(__file__).parents[2] / "README.md"
URL = "postgresql://app:pa55-w0rd@db1:5432,db2:5433/app?target_session_attrs=read-write"
SECRET = "4f1d0c9b7a6e5d8c3b2a1908f7e6d5c4"
GOOD = {"DATABASE_URL": URL, "JWT_SECRET": SECRET}


def problem(environment: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environment)
    return str(caught.value)


def test_settings_required_ones_are_enough() -> None:
    settings = load_settings(GOOD)
    assert settings.database_url.hosts == (("db1", 5432), ("db2", 5433))


def test_settings_have_the_documented_defaults() -> None:
    settings = load_settings(GOOD)
    assert (settings.port, settings.jwt_expires_in, settings.jwt_refresh_expires_in) == (3001, 900, 604800)


def test_settings_struct_has_the_fields_of_the_table() -> None:
    assert list(Settings.__struct_fields__) == [setting.name.lower() for setting in SETTINGS]


def test_settings_empty_variable_counts_as_absent() -> None:
    assert load_settings({**GOOD, "PORT": ""}).port == 3001


def test_settings_instance_defaults_to_the_host_name() -> None:
    assert load_settings(GOOD).instance == os.uname().nodename


def test_settings_secret_is_read_from_its_file_and_stripped(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"  {SECRET}\n")
    assert load_settings({"DATABASE_URL": URL, "JWT_SECRET_FILE": str(path)}).jwt_secret == SECRET


def test_settings_database_url_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text(URL + "\n")
    assert load_settings({"DATABASE_URL_FILE": str(path), "JWT_SECRET": SECRET}).database_url.database == "app"


def test_settings_both_value_and_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(SECRET)
    assert "JWT_SECRET_FILE are both set" in problem({**GOOD, "JWT_SECRET_FILE": str(path)})


def test_settings_missing_secret_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "absent"
    assert f"JWT_SECRET_FILE {path}: No such file" in problem({"DATABASE_URL": URL, "JWT_SECRET_FILE": str(path)})


def test_settings_empty_secret_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_text("\n")
    assert "JWT_SECRET is empty" in problem({"DATABASE_URL": URL, "JWT_SECRET_FILE": str(path)})


@pytest.mark.parametrize(
    "name",
    ["PORT_FILE", "JWT_SECRTE", "DATABSE_URL", "ENLEVOHUB_PORT", "REDIS_HOST", "SMTP_PASS", "jwt_expires_in"],
)
def test_settings_unknown_name_stops_the_start(name: str) -> None:
    assert f"{name} is no setting" in problem({**GOOD, name: "1"})


@pytest.mark.parametrize("name", ["PATH", "HOME", "HOSTNAME", "LANG", "PYTHONPATH", "SSL_CERT_FILE"])
def test_settings_leave_the_variables_of_the_system_alone(name: str) -> None:
    assert load_settings({**GOOD, name: "1"}).port == 3001


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://r1", RedisTarget((("r1", 6379),), "", 0, False, "")),
        ("redis://app@r1:7000/3", RedisTarget((("r1", 7000),), "app", 3, False, "")),
        ("rediss://[::1]:7000", RedisTarget((("::1", 7000),), "", 0, True, "")),
        ("redis+sentinel://s1,s2:7/main", RedisTarget((("s1", 26379), ("s2", 7)), "", 0, False, "main")),
        ("rediss+sentinel://s1/main/2", RedisTarget((("s1", 26379),), "", 2, True, "main")),
    ],
)
def test_settings_redis_url_is_read(url: str, expected: RedisTarget) -> None:
    assert load_settings({**GOOD, "REDIS_URL": url}).redis_url == expected


def test_settings_limit_is_read() -> None:
    assert load_settings({**GOOD, "LIMIT_LOGIN": "3/1m"}).limit_login == Limit(3, 60)


def test_settings_mail_server_needs_a_sender() -> None:
    assert "SMTP_FROM is missing" in problem({**GOOD, "SMTP_HOST": "mail.obra.com"})


def test_settings_metrics_port_is_another_one() -> None:
    assert "METRICS_PORT must differ" in problem({**GOOD, "PORT": "9091"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("JWT_SECRET", "", "is missing"),
        ("JWT_SECRET", "short", "too short"),
        ("JWT_SECRET", "change-me", "placeholder"),
        ("JWT_SECRET", "changeme-changeme-changeme-changeme", "placeholder"),
        ("JWT_SECRET", "secret", "placeholder"),
        ("JWT_SECRET", "example", "placeholder"),
        ("JWT_SECRET", "<put a long random secret in here>", "placeholder"),
        ("JWT_SECRET", "Your-Secret-Key-Change-In-Production", "placeholder"),
        ("JWT_SECRET", "${JWT_SECRET_FROM_SOMEWHERE_ELSE_123}", "placeholder"),
        ("JWT_SECRET", "a" * 64, "too few characters"),
        ("DATABASE_URL", "", "is missing"),
        ("DATABASE_URL", "mysql://app:pw1@db1/app", "postgresql://"),
        ("DATABASE_URL", "postgresql://db1/app", "user and password"),
        ("DATABASE_URL", "postgresql://app@db1/app", "user and password"),
        ("DATABASE_URL", "postgresql://app:pw1@db1", "name the database"),
        ("DATABASE_URL", "postgresql://app:change-me@db1/app", "placeholder"),
        ("DATABASE_URL", "postgresql://app:p@w@db1/app", "unescaped @"),
        ("DATABASE_URL", "postgresql://app:pw1@db1:x/app", "bad port"),
        ("DATABASE_URL", "postgresql://app:pw1@db1,/app", "empty host"),
        ("DATABASE_URL", URL + "&sslmode=require", "sslmode"),
        ("DATABASE_URL", URL.replace("read-write", "any"), "target_session_attrs"),
        ("DATABASE_URL", URL + "&connect_timeout=2", "unknown parameter"),
        ("DATABASE_URL", URL + "&sslmode=verify-full&sslrootcert=/no/such/ca.crt", "does not exist"),
        ("JWT_EXPIRES_IN", "15", "unit"),
        ("JWT_EXPIRES_IN", "0m", "unit"),
        ("JWT_EXPIRES_IN", "8d", "longer than"),
        ("JWT_REFRESH_EXPIRES_IN", "1w", "unit"),
        ("UPLOAD_MAX_SIZE", "10MB", "whole number"),
        ("UPLOAD_MAX_SIZE", "-1", "whole number"),
        ("STORAGE_PATH", "relative/path", "absolute path"),
        ("FRONTEND_URL", "ftp://host", "http"),
        ("FRONTEND_URL", "javascript:alert(1)", "http"),
        ("LOG_LEVEL", "verbose", "one of"),
        ("REDIS_URL", "r1:6379", "redis://"),
        ("REDIS_URL", "redis://app:pw@r1", "REDIS_PASSWORD"),
        ("REDIS_URL", "redis://r1,r2", "one host"),
        ("REDIS_URL", "redis+sentinel://s1,s2", "name the master"),
        ("REDIS_URL", "redis://r1/x", "database number"),
        ("REDIS_URL", "redis://r1:99999", "bad host"),
        ("REDIS_PASSWORD", "changeme", "placeholder"),
        ("REDIS_CA_FILE", "/no/such/ca.crt", "does not exist"),
        ("TRUSTED_PROXIES", "lb1", "networks"),
        ("SMTP_SECURITY", "ssl", "one of"),
        ("SMTP_FROM", "nobody", "address"),
        ("SMTP_USER", "a\r\nb", "one line"),
        ("ENVIRONMENT", "dev", "one of"),
        ("LIMIT_LOGIN", "10", "duration"),
        ("LIMIT_LOGIN", "0/1m", "whole number"),
        ("METRICS_PORT", "70000", "whole number"),
        ("PORT", "0", "whole number"),
        ("PORT", "65536", "whole number"),
        ("PORT", "\u0663\u0660\u0660\u0661", "whole number"),
        ("HOST", "a b", "address"),
        ("DATABASE_POOL_SIZE", "0", "whole number"),
        ("DATABASE_CONNECT_TIMEOUT", "0", "seconds from"),
        ("DATABASE_WAIT", "inf", "seconds from"),
        ("DATABASE_WAIT", "-1", "seconds from"),
        ("DRAIN_SECONDS", "soon", "seconds from"),
        ("DRAIN_NOTICE_SECONDS", "21", "must not exceed"),
        ("INSTANCE", "a\r\nX-Injected: 1", "name"),
    ],
)
def test_settings_bad_value_is_refused(name: str, value: str, expected: str) -> None:
    text = problem({**GOOD, name: value})
    assert name in text
    assert expected in text


def test_settings_all_problems_come_in_one_line() -> None:
    text = problem({"JWT_SECRET": "short", "PORT": "x"})
    assert re.fullmatch(r"DATABASE_URL [^\n]+; JWT_SECRET [^\n]+; PORT [^\n]+", text)


def test_settings_error_never_shows_the_secret() -> None:
    text = problem({"DATABASE_URL": "postgresql://app:s3cr3t-pw@db1:x/app", "JWT_SECRET": "kurz-und-geheim"})
    assert "s3cr3t-pw" not in text
    assert "kurz-und-geheim" not in text


def test_settings_repr_hides_the_values() -> None:
    assert SECRET not in repr(load_settings(GOOD))


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("15m", 900), ("12h", 43200), ("7d", 604800)])
def test_duration_is_read_in_seconds(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "15", "1.5h", "-1m", " 15m", "15 m", "15M", "400d", "99999999s", "15m\n"])
def test_duration_malformed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_duration(text)


def test_settings_module_imports_only_the_standard_library_and_msgspec() -> None:
    roots = set()
    for node in ast.walk(ast.parse(SOURCE.read_text())):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            roots.add(node.module.split(".")[0])
    assert roots - set(sys.stdlib_module_names) == {"msgspec", "enlevohub_api"}


def test_readme_table_matches_the_settings() -> None:
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| (.*?) \| (.*?) \| (.*?) \|$", README.read_text(), re.MULTILINE)
    expected = [
        (
            setting.name,
            "required" if setting.default is None else f"`{setting.default}`" if setting.default else "empty",
            "yes" if setting.secret else "no",
            setting.description,
        )
        for setting in SETTINGS
    ]
    assert rows == expected


def test_serve_stops_with_one_line_and_code_2() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "enlevohub_api", "serve"],
        env={"PYTHONPATH": str(SOURCE.parents[1]), "JWT_SECRET": "change-me"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 2
    assert re.fullmatch(r"enlevohub-api: configuration error: DATABASE_URL .*; JWT_SECRET .*\n", result.stderr)


def test_migrate_stops_with_code_2_without_a_url() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "enlevohub_api", "migrate"],
        env={"PYTHONPATH": str(SOURCE.parents[1])},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
