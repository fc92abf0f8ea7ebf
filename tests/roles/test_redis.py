"""redis: TLS only, users with no more than they need, nothing forgotten, and files that a failover does not touch."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.conftest import ROOT, Renderer

ROLE = str(ROOT / "roles/redis")


def lines(text: str) -> dict[str, str]:
    """Return the directives of a configuration by name."""
    return dict(line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def config(render: Renderer) -> dict[str, str]:
    """Redis's configuration on app1."""
    return lines(render("redis", "redis.conf.j2", "app1"))


@pytest.fixture(scope="module")
def sentinel(render: Renderer) -> str:
    """Sentinel's configuration on app2."""
    return render("redis", "sentinel.conf.j2", "app2")


@pytest.fixture(scope="module")
def files(render: Renderer) -> dict[str, dict[str, Any]]:
    """The files on app1."""
    return render.files("redis", "__redis_files", "app1", role_path=ROLE)


def users(text: str) -> dict[str, list[str]]:
    """Return the rules of each user by name."""
    return {line.split()[1]: line.split()[2:] for line in text.splitlines()}


def test_plain_port_is_closed(config: dict[str, str], sentinel: str) -> None:
    assert (config["port"], lines(sentinel)["port"]) == ("0", "0")


def test_replication_uses_tls(config: dict[str, str], sentinel: str) -> None:
    assert (config["tls-replication"], lines(sentinel)["tls-replication"]) == ("yes", "yes")


def test_full_memory_forgets_nothing(config: dict[str, str]) -> None:
    assert (config["maxmemory"], config["maxmemory-policy"]) == ("128mb", "noeviction")


def test_writes_are_kept_on_disk(config: dict[str, str]) -> None:
    assert (config["appendonly"], config["appendfsync"]) == ("yes", "everysec")


def test_primary_without_replica_takes_no_write(config: dict[str, str]) -> None:
    assert config["min-replicas-to-write"] == "1"


def test_single_member_takes_writes_alone(render: Renderer) -> None:
    alone = [{"name": "app1", "address": "10.89.0.11"}]
    assert render.value("redis", "redis_min_replicas", "app1", redis_member_list=alone) == 0


def test_files_of_the_role_say_nothing_that_a_failover_changes(render: Renderer, sentinel: str) -> None:
    text = render("redis", "redis.conf.j2", "app1")
    assert not {"replicaof", "slaveof"} & set(lines(text))
    assert "sentinel monitor" not in sentinel
    assert "epoch" not in sentinel


@pytest.mark.parametrize(
    ("unit", "own", "ours"),
    [
        ("redis-server.conf.j2", "/var/lib/redis/redis.conf", "/etc/redis/enlevohub.conf"),
        ("redis-sentinel.conf.j2", "/var/lib/redis/sentinel.conf", "/etc/redis/enlevohub-sentinel.conf"),
    ],
)
def test_file_of_the_role_is_read_after_the_one_that_redis_owns(
    render: Renderer, files: dict[str, Any], unit: str, own: str, ours: str
) -> None:
    text = render("redis", unit, "app1")
    assert f"{own} --include {ours} " in text
    assert ours in files
    assert own not in files


@pytest.mark.parametrize("path", ["/etc/redis/users.acl", "/etc/redis/sentinel.acl"])
def test_default_user_is_off(files: dict[str, Any], path: str) -> None:
    rules = users(files[path]["content"])["default"]
    assert rules[0] == "off"
    assert "resetpass" in rules
    assert "-@all" in rules


@pytest.mark.parametrize("path", ["/etc/redis/users.acl", "/etc/redis/sentinel.acl"])
def test_file_of_users_holds_digests_only(files: dict[str, Any], path: str) -> None:
    assert "dummy" not in files[path]["content"]
    digest = hashlib.sha256(b"dummy vault_redis_application_password of lab").hexdigest()
    assert f"#{digest}" in users(files[path]["content"])["enlevohub"]


def test_application_may_not_run_dangerous_commands(files: dict[str, Any]) -> None:
    rules = users(files["/etc/redis/users.acl"]["content"])["enlevohub"]
    assert rules[-2:] == ["-@dangerous", "-@admin"]
    assert [rule for rule in rules if rule[0] in "~%&"] == ["~enlevohub:*"]
    assert "+@all" not in rules


def test_only_the_operator_may_do_everything(files: dict[str, Any]) -> None:
    found = users(files["/etc/redis/users.acl"]["content"])
    assert [name for name, rules in found.items() if "+@all" in rules] == ["operator"]


def test_files_with_secrets_are_for_redis_or_root_only(files: dict[str, Any]) -> None:
    modes = {path: entry["mode"] for path, entry in files.items() if "dummy" in str(entry.get("content"))}
    assert modes == {
        "/etc/redis/enlevohub.conf": "0640",
        "/etc/redis/enlevohub-sentinel.conf": "0640",
        "/etc/redis/admin.json": "0600",
    }
    assert all(files[path]["secret"] for path in modes)


@pytest.mark.parametrize(("count", "quorum"), [(1, 1), (3, 2), (5, 3)])
def test_quorum_is_more_than_half_of_the_members(render: Renderer, count: int, quorum: int) -> None:
    members = [{"name": f"app{number}", "address": f"10.89.0.1{number}"} for number in range(count)]
    assert render.value("redis", "__redis_quorum", "app1", redis_members=members) == quorum


def test_renewed_certificate_restarts_both(render: Renderer) -> None:
    for unit in render.value("redis", "__redis_units", "app1"):
        assert {"/etc/enlevohub/pki/host.crt", "/etc/enlevohub/pki/ca.crt"} <= set(unit["restart_on"])


def test_services_of_two_environments_have_different_names(render: Renderer) -> None:
    names = {render.value("redis", "redis_service", "app1", environment=name) for name in ("lab", "molecule")}
    assert names == {"enlevohub-lab", "enlevohub-molecule"}
