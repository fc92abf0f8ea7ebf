"""The stacks: what each container may do, and where its secrets are."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.conftest import ENVIRONMENTS, ROOT, Renderer, load_yaml

STACKS = {"backend": ("api", "migrate"), "frontend": ("web",)}
SERVICES = [(stack, service) for stack, services in STACKS.items() for service in services]
RUNNING = [("backend", "api"), ("frontend", "web")]
SECRETS = {"vault_jwt_secret": "jwt-secret-of-the-test", "vault_database_app_password": "database-password-of-the-test"}
HOSTS = [
    (stack, environment, host)
    for stack in STACKS
    for environment in ENVIRONMENTS
    for host in load_yaml(ROOT / "inventories" / environment / "hosts.yml")[f"{stack}_servers"]["hosts"]
]


def document(render: Renderer, stack: str, host: str = "app1", **options: Any) -> dict[str, Any]:
    """Return the content of compose.yaml of a stack."""
    found: dict[str, Any] = yaml.safe_load(render(f"{stack} > compose_stack", "compose.yaml.j2", host, **options))
    return found


def files(render: Renderer, stack: str, **options: Any) -> dict[str, dict[str, Any]]:
    """Return the files of a stack on app1 by path."""
    return render.files(f"{stack} > compose_stack", "__compose_stack_files", "app1", **options)


@pytest.fixture(scope="module")
def services(render: Renderer) -> dict[tuple[str, str], dict[str, Any]]:
    """Every service by stack and name."""
    return {(stack, name): service for stack in STACKS for name, service in document(render, stack)["services"].items()}


def test_stacks_have_exactly_the_services_under_test(services: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert sorted(services) == sorted(SERVICES)


@pytest.mark.parametrize("service", SERVICES, ids="-".join)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("read_only", True),
        ("cap_drop", ["ALL"]),
        ("security_opt", ["no-new-privileges:true"]),
        ("user", "10001:10001"),
        ("pull_policy", "never"),
        ("init", True),
    ],
)
def test_service_is_confined(
    services: dict[tuple[str, str], dict[str, Any]], service: tuple[str, str], key: str, value: Any
) -> None:
    assert services[service][key] == value


@pytest.mark.parametrize("service", SERVICES, ids="-".join)
def test_service_has_a_limit_of_processes(
    services: dict[tuple[str, str], dict[str, Any]], service: tuple[str, str]
) -> None:
    assert 0 < services[service]["pids_limit"] <= 1024


@pytest.mark.parametrize("service", SERVICES, ids="-".join)
def test_service_has_a_limit_of_memory(
    services: dict[tuple[str, str], dict[str, Any]], service: tuple[str, str]
) -> None:
    assert re.fullmatch(r"[1-9]\d*m", services[service]["mem_limit"])


@pytest.mark.parametrize("service", SERVICES, ids="-".join)
def test_service_has_none_of_the_dangerous_keys(
    services: dict[tuple[str, str], dict[str, Any]], service: tuple[str, str]
) -> None:
    assert {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(services[service]) == set()


@pytest.mark.parametrize("service", SERVICES, ids="-".join)
def test_service_mounts_everything_read_only(
    services: dict[tuple[str, str], dict[str, Any]], service: tuple[str, str]
) -> None:
    assert [volume for volume in services[service]["volumes"] if not volume.endswith(":ro")] == []


@pytest.mark.parametrize("service", SERVICES, ids="-".join)
def test_service_has_an_image_with_a_fixed_tag(
    services: dict[tuple[str, str], dict[str, Any]], service: tuple[str, str]
) -> None:
    assert re.fullmatch(r"enlevohub/\w+:[0-9a-f]{12}", services[service]["image"])


@pytest.mark.parametrize("service", RUNNING, ids="-".join)
def test_service_starts_again_whatever_ended_it(
    services: dict[tuple[str, str], dict[str, Any]], service: tuple[str, str]
) -> None:
    assert services[service]["restart"] == "always"


@pytest.mark.parametrize(("stack", "environment", "host"), HOSTS)
def test_ports_are_bound_to_the_address_of_the_host(render: Renderer, stack: str, environment: str, host: str) -> None:
    address = load_yaml(ROOT / "inventories" / environment / "hosts.yml")["all"]["hosts"][host]["ansible_host"]
    found = document(render, stack, host, environment=environment)["services"].values()
    published = [port for service in found for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith(f"{address}:")] == []


def test_migration_is_out_of_the_ordinary_start(services: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert services["backend", "migrate"]["profiles"] == ["one-shot"]


def test_migration_publishes_no_port(services: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert "ports" not in services["backend", "migrate"]


def test_migration_is_not_started_again(services: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert services["backend", "migrate"]["restart"] == "no"


def test_migration_is_a_job_that_is_started_by_name_only(render: Renderer) -> None:
    assert render.value("backend > compose_stack", "compose_stack_jobs", "app1") == ["migrate"]


def test_migration_and_service_have_the_same_image(services: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert services["backend", "migrate"]["image"] == services["backend", "api"]["image"]


@pytest.mark.parametrize("name", SECRETS)
def test_compose_file_holds_no_secret(render: Renderer, name: str) -> None:
    text = render("backend > compose_stack", "compose.yaml.j2", "app1", secrets=SECRETS)
    assert SECRETS[name] not in text


@pytest.mark.parametrize("name", ["database_url", "jwt_secret"])
def test_secret_is_a_file_that_only_the_container_reads(render: Renderer, name: str) -> None:
    entry = files(render, "backend")[f"/opt/enlevohub/backend/secrets/{name}"]
    assert (entry["mode"], entry["owner"], entry["group"], entry["secret"]) == ("0400", "10001", "10001", True)


def test_secret_file_belongs_to_the_user_of_the_container(render: Renderer) -> None:
    entry = files(render, "backend", backend_uid=20002)["/opt/enlevohub/backend/secrets/jwt_secret"]
    user = document(render, "backend", backend_uid=20002)["services"]["api"]["user"]
    assert f"{entry['owner']}:{entry['group']}" == user == "20002:20002"


def test_secret_file_holds_the_secret_and_nothing_else(render: Renderer) -> None:
    entry = files(render, "backend", secrets=SECRETS)["/opt/enlevohub/backend/secrets/jwt_secret"]
    assert entry["content"] == SECRETS["vault_jwt_secret"]


def test_files_without_the_secret_mark_hold_no_secret(render: Renderer) -> None:
    found = files(render, "backend", secrets=SECRETS)
    shown = [entry["content"] for entry in found.values() if "content" in entry and not entry.get("secret")]
    assert [value for value in SECRETS.values() if any(value in text for text in shown)] == []


def test_directory_of_the_secrets_cannot_be_listed(render: Renderer) -> None:
    assert files(render, "backend")["/opt/enlevohub/backend/secrets"]["mode"] == "0711"


def test_files_come_after_their_directory(render: Renderer) -> None:
    paths = list(files(render, "backend"))
    assert paths[0] == "/opt/enlevohub/backend"
    assert paths.index("/opt/enlevohub/backend/secrets") < paths.index("/opt/enlevohub/backend/secrets/jwt_secret")


def test_service_gets_the_secrets_that_the_stack_has(services: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert services["backend", "api"]["secrets"] == [
        "database_url",
        "jwt_secret",
        "redis_ca",
        "redis_password",
        "redis_sentinel_password",
        "s3_access_key_id",
        "s3_secret_access_key",
    ]


@pytest.mark.parametrize("name", SECRETS)
def test_label_changes_with_the_secret(render: Renderer, name: str) -> None:
    before = document(render, "backend")["services"]["api"]["labels"]
    after = document(render, "backend", secrets={name: SECRETS[name]})["services"]["api"]["labels"]
    assert before != after


def test_label_stays_while_the_secrets_stay(render: Renderer) -> None:
    first, second = (document(render, "backend")["services"]["api"]["labels"] for _ in range(2))
    assert first == second


def test_frontend_has_an_upstream_server_for_every_backend(render: Renderer) -> None:
    text = files(render, "frontend")["/opt/enlevohub/frontend/upstreams/backend.conf"]["content"]
    assert re.findall(r"^ +server (\S+)", text, re.MULTILINE) == [
        "10.89.0.11:3001",
        "10.89.0.12:3001",
        "10.89.0.13:3001",
    ]


def test_frontend_defines_one_upstream(render: Renderer) -> None:
    text = files(render, "frontend")["/opt/enlevohub/frontend/upstreams/backend.conf"]["content"]
    assert re.findall(r"^upstream (\w+) \{", text, re.MULTILINE) == ["enlevohub_backend"]


def test_frontend_reloads_after_a_change_of_its_upstreams(render: Renderer) -> None:
    mounted = render.value("frontend > compose_stack", "__compose_stack_mounted", "app1")
    assert mounted == ["/opt/enlevohub/frontend/upstreams/backend.conf"]
    assert render.value("frontend > compose_stack", "compose_stack_reload", "app1") == {
        "web": ["nginx", "-s", "reload"]
    }


def test_every_mounted_directory_of_the_stack_is_written_by_it(render: Renderer) -> None:
    (volume,) = document(render, "frontend")["services"]["web"]["volumes"]
    source = volume.split(":")[0]
    assert [path for path in files(render, "frontend") if path.startswith(f"{source}/")]
