"""The settings of the API: what the role gives is what the program takes."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import yaml

from enlevohub_secrets.table import TEXT_SECRETS
from tests.conftest import ROOT, Renderer

SOURCE = ROOT / "files/api/src/enlevohub_api"
ODD_PASSWORD = 'it\'s/a@b:c?d#e%f&g=h+i "j" \\k ção'


class Setting(NamedTuple):
    """A row of the API's table of settings."""

    name: str
    kind: str
    default: str | None
    secret: bool
    description: str


@cache
def module(path: Path) -> ast.Module:
    """Return the syntax tree of a module; the API's own libraries are not needed here."""
    return ast.parse(path.read_text(encoding="utf-8"))


def constant(name: str) -> Any:
    """Return a constant of the API's settings."""
    for node in module(SOURCE / "settings.py").body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise KeyError(name)


SETTINGS = {
    row.name: row
    for node in ast.walk(module(SOURCE / "settings.py"))
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "Setting"
    for row in [Setting(*(ast.literal_eval(argument) for argument in node.args))]
}
REQUIRED = [name for name, row in SETTINGS.items() if row.default is None]
SECRET = [name for name, row in SETTINGS.items() if row.secret]
REQUIRED_SECRET = [name for name in SECRET if name in REQUIRED]


@pytest.fixture(scope="module")
def service(render: Renderer) -> dict[str, Any]:
    """The service of the API as in compose.yaml on app1."""
    found: dict[str, Any] = yaml.safe_load(render("backend > compose_stack", "compose.yaml.j2", "app1"))
    api: dict[str, Any] = found["services"]["api"]
    return api


@pytest.fixture(scope="module")
def environment(service: dict[str, Any]) -> dict[str, str]:
    """The environment of the API's container."""
    return {name: str(value) for name, value in service["environment"].items()}


@pytest.fixture(scope="module")
def dsn() -> ModuleType:
    """The API's own parser of connection strings."""
    spec = importlib.util.spec_from_file_location("enlevohub_api_dsn", SOURCE / "dsn.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


def test_table_of_settings_was_read() -> None:
    assert {"DATABASE_URL", "JWT_SECRET", "PORT"} <= set(SETTINGS)


def test_container_gets_no_setting_that_the_api_does_not_know(environment: dict[str, str]) -> None:
    known = set(SETTINGS) | {f"{name}_FILE" for name in SECRET}
    assert sorted(set(environment) - known) == []


@pytest.mark.parametrize("name", REQUIRED)
def test_required_setting_is_given(environment: dict[str, str], name: str) -> None:
    assert {name, f"{name}_FILE"} & set(environment)


@pytest.mark.parametrize("name", SECRET)
def test_secret_setting_is_given_as_a_file_and_never_as_a_value(environment: dict[str, str], name: str) -> None:
    path = f"/run/secrets/{name.lower()}"
    accepted = [path] if name in REQUIRED else [path, None]
    assert name not in environment
    assert environment.get(f"{name}_FILE") in accepted


@pytest.mark.parametrize("name", REQUIRED_SECRET)
def test_secret_file_is_a_secret_of_the_service(service: dict[str, Any], name: str) -> None:
    assert name.lower() in service["secrets"]


@pytest.mark.parametrize("name", REQUIRED_SECRET)
def test_secret_setting_has_one_name_in_role_stack_and_api(render: Renderer, name: str) -> None:
    secrets = render.value("backend", "__backend_secrets", "app1")
    assert secrets[name.lower()] == render.value("backend", f"backend_{name.lower()}", "app1")


@pytest.mark.parametrize("name", ["FRONTEND_URL", "INSTANCE"])
def test_setting_has_one_name_in_role_and_api(render: Renderer, environment: dict[str, str], name: str) -> None:
    assert environment[name] == render.value("backend", f"backend_{name.lower()}", "app1")


REDIS = {"REDIS_URL", "REDIS_PASSWORD_FILE", "REDIS_SENTINEL_USER", "REDIS_SENTINEL_PASSWORD_FILE", "REDIS_CA_FILE"}


def redis_environment(render: Renderer, driver: str, **values: Any) -> dict[str, str]:
    """The part of the API's environment that is about Redis."""
    text = render("backend > compose_stack", "compose.yaml.j2", "app1", redis_driver=driver, **values)
    found = yaml.safe_load(text)["services"]["api"]["environment"]
    return {name: value for name, value in found.items() if name.startswith("REDIS_")}


def test_redis_of_this_project_is_reached_by_sentinel_with_users_and_ca(render: Renderer) -> None:
    found = redis_environment(render, "internal")
    assert set(found) == REDIS
    assert found["REDIS_URL"].startswith("rediss+sentinel://enlevohub@10.89.0.11:26379,")
    assert found["REDIS_CA_FILE"] == "/run/secrets/redis_ca"


def test_api_asks_the_sentinel_of_its_own_server_first(render: Renderer) -> None:
    assert "@10.89.0.13:26379," in render.value("backend", "backend_redis_url", "app3")


def test_every_setting_of_redis_is_one_that_the_api_knows() -> None:
    assert REDIS - {name for row in SETTINGS for name in (row, f"{row}_FILE")} == set()


def test_external_redis_gets_no_more_than_is_set(render: Renderer) -> None:
    found = redis_environment(render, "external", redis_external_url="rediss://ana@redis.example:6380/1")
    assert found == {
        "REDIS_URL": "rediss://ana@redis.example:6380/1",
        "REDIS_PASSWORD_FILE": "/run/secrets/redis_password",
    }


def test_external_redis_with_its_own_ca_and_sentinels_gets_both(render: Renderer) -> None:
    values = {"redis_external_sentinel_user": "ana", "redis_external_ca_certificate": "-----BEGIN CERTIFICATE-----"}
    url = "rediss+sentinel://ana@redis.example/main"
    assert set(redis_environment(render, "external", redis_external_url=url, **values)) == REDIS


def test_no_redis_leaves_no_setting(render: Renderer) -> None:
    assert redis_environment(render, "none") == {}


@pytest.mark.parametrize("name", ["REDIS_PASSWORD", "REDIS_SENTINEL_PASSWORD"])
def test_password_of_redis_is_the_one_of_its_user(render: Renderer, name: str) -> None:
    secrets = render.value("backend", "__backend_secrets", "app1")
    assert secrets[name.lower()] == render.value("redis", "redis_application_password", "app1")


def test_readme_of_the_api_lists_every_setting_with_its_default() -> None:
    text = (ROOT / "files/api/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z0-9_]+)` \| (.+?) \| (yes|no) \|", text, re.MULTILINE)
    shown = {None: "required", "": "empty"}
    assert rows == [
        (row.name, shown.get(row.default, f"`{row.default}`"), "yes" if row.secret else "no")
        for row in SETTINGS.values()
    ]


def test_generated_jwt_secret_is_long_enough_for_the_api() -> None:
    assert len(TEXT_SECRETS["vault_jwt_secret"]()) >= constant("MIN_JWT_SECRET")


def test_log_level_is_one_that_the_api_knows(environment: dict[str, str]) -> None:
    assert environment["LOG_LEVEL"] in constant("LOG_LEVELS")


@pytest.mark.parametrize("name", [name for name, row in SETTINGS.items() if row.kind == "duration"])
def test_duration_has_a_unit(environment: dict[str, str], name: str) -> None:
    assert re.fullmatch(r"[1-9]\d*[smhd]", environment.get(name, SETTINGS[name].default or ""))


def test_container_is_given_longer_than_the_api_drains(service: dict[str, Any], environment: dict[str, str]) -> None:
    assert int(service["stop_grace_period"].removesuffix("s")) > int(environment["DRAIN_SECONDS"])


@pytest.mark.parametrize("password", ["plain", ODD_PASSWORD], ids=["plain", "odd"])
def test_api_reads_the_connection_string_of_the_role(render: Renderer, dsn: ModuleType, password: str) -> None:
    secrets = {"vault_database_app_password": password}
    found = dsn.parse_dsn(render.value("backend", "backend_database_url", "app1", secrets=secrets))
    assert (found.hosts, found.user, found.password, found.database) == (
        (("10.89.0.21", 5432), ("10.89.0.22", 5432)),
        "enlevohub",
        password,
        "enlevohub",
    )


def test_api_verifies_the_database_by_name_and_ca(render: Renderer, dsn: ModuleType) -> None:
    found = dsn.parse_dsn(render.value("backend", "backend_database_url", "app1"))
    assert (found.sslmode, found.sslrootcert) == ("verify-full", "/etc/enlevohub/ca.crt")


def test_ca_of_the_connection_string_is_mounted(render: Renderer, dsn: ModuleType, service: dict[str, Any]) -> None:
    path = dsn.parse_dsn(render.value("backend", "backend_database_url", "app1")).sslrootcert
    assert f"/etc/enlevohub/pki/ca.crt:{path}:ro" in service["volumes"]


def test_api_connects_as_the_owner_of_its_database(render: Renderer) -> None:
    database, *_ = render.value("patroni", "patroni_databases", "db1")
    url = urlsplit(render.value("backend", "backend_database_url", "app1"))
    assert (url.path, url.netloc.split(":")[0]) == (f"/{database['name']}", database["owner"])


def test_owner_and_clients_have_the_same_password(render: Renderer, dsn: ModuleType) -> None:
    database, *_ = render.value("patroni", "patroni_databases", "db1")
    assert dsn.parse_dsn(render.value("backend", "backend_database_url", "app1")).password == database["password"]


def test_database_has_a_connection_for_every_place_in_every_pool(render: Renderer, environment: dict[str, str]) -> None:
    backends = len(render.value("backend", "backend_member_list", "app1"))
    limit = render.value("patroni", "patroni_cluster_parameters", "db1")["max_connections"]
    reserved = 20  # superuser, replication, Patroni, migrations, operators
    storage = 3 * int(render.value("object_storage", "object_storage_database_connections", "app1"))
    assert backends * (int(environment["DATABASE_POOL_SIZE"]) + 1) + storage + reserved <= limit
