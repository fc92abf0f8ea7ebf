"""Filters that describe a stack."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.enlevohub.datacenter.plugins.filter import stack

from tests.conftest import ROOT

DEFAULTS: dict[str, Any] = {"restart": "always", "healthcheck": {"interval": "10s"}}
SERVICES: dict[str, dict[str, Any]] = {
    "api": {"image": "api:1", "ports": ["192.0.2.11:3001:3001"]},
    "migrate": {"image": "api:1", "ports": ["192.0.2.11:3001:3001"]},
}
SECRETS = {"jwt": "one", "database": "two"}


def document(services: dict[str, Any] = SERVICES, secrets: dict[str, str] = SECRETS, **options: Any) -> dict[str, Any]:
    """Return a compose document with ``migrate`` as one-shot service."""
    found: dict[str, Any] = stack.compose_document(services, DEFAULTS, secrets, options.get("one_shot", ["migrate"]))
    return found


def test_service_gets_the_defaults() -> None:
    assert document()["services"]["api"]["restart"] == "always"


def test_service_wins_over_the_defaults() -> None:
    assert (
        document({"api": {"restart": "unless-stopped"}}, one_shot=[])["services"]["api"]["restart"] == "unless-stopped"
    )


@pytest.mark.parametrize("key", ["ports"])
def test_one_shot_service_loses_what_belongs_to_a_server(key: str) -> None:
    assert key not in document()["services"]["migrate"]


@pytest.mark.parametrize(
    ("key", "value"), [("profiles", ["one-shot"]), ("restart", "no"), ("healthcheck", {"disable": True})]
)
def test_one_shot_service_runs_to_its_end(key: str, value: Any) -> None:
    assert document()["services"]["migrate"][key] == value


def test_one_shot_service_that_does_not_exist_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="compose_stack_jobs names seed, which is not in"):
        document(one_shot=["seed"])


def test_document_leaves_its_input_alone() -> None:
    document()
    assert "restart" not in SERVICES["api"]


def test_stack_without_secrets_has_neither_secrets_nor_label() -> None:
    found = document(secrets={})
    assert "secrets" not in found
    assert not {"secrets", "labels"} & set(found["services"]["api"])


def test_labels_of_the_service_stay() -> None:
    labels = document({"api": {"labels": {"team": "works"}}}, one_shot=[])["services"]["api"]["labels"]
    assert labels["team"] == "works"
    assert set(labels) == {"team", "enlevohub.secrets"}


def test_secrets_are_files_below_the_stack() -> None:
    assert document()["secrets"] == {
        "database": {"file": "./secrets/database"},
        "jwt": {"file": "./secrets/jwt"},
    }


@pytest.mark.parametrize(
    "other", [{"jwt": "one", "database": "three"}, {"jwt": "two", "database": "one"}, {"jwt": "one"}, {"jw": "one"}]
)
def test_digest_changes_with_the_secrets(other: dict[str, str]) -> None:
    assert stack.secrets_digest(other) != stack.secrets_digest(SECRETS)


def test_digest_does_not_depend_on_the_order() -> None:
    assert stack.secrets_digest(dict(reversed(SECRETS.items()))) == stack.secrets_digest(SECRETS)


def test_secret_files_are_readable_for_their_owner_alone() -> None:
    assert {item["mode"] for item in stack.secret_files(SECRETS, "/opt/x", 10001)} == {"0400"}


def test_relative_file_is_put_below_the_directory() -> None:
    assert stack.files_below([{"path": "a/b", "content": "x"}], "/opt/x") == [{"path": "/opt/x/a/b", "content": "x"}]


def test_absolute_file_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="/etc/passwd must be relative to /opt/x"):
        stack.files_below([{"path": "/etc/passwd", "content": "x"}], "/opt/x")


def test_references_are_kept_by_name() -> None:
    images = {"enlevohub/api": {"reference": "enlevohub/api:1", "id": "sha256:1", "kept": ""}}
    assert stack.references(images) == {"enlevohub/api": "enlevohub/api:1"}


@pytest.mark.parametrize(
    ("plan", "groups"),
    [
        ({"action": "current", "kept": True, "surplus": []}, []),
        ({"action": "current", "kept": False, "surplus": []}, ["keep"]),
        ({"action": "create", "kept": False, "surplus": []}, ["create", "changed", "keep"]),
        ({"action": "rollout", "kept": True, "surplus": ["api-2"]}, ["rollout", "changed", "keep", "surplus"]),
    ],
)
def test_plan_puts_the_host_into_groups(plan: dict[str, Any], groups: list[str]) -> None:
    assert stack.rollout_groups(plan) == groups


def test_host_that_was_left_drained_gets_into_a_group_of_its_own() -> None:
    plan = {"action": "rollout", "kept": True, "surplus": []}
    assert stack.rollout_groups(plan, unfinished=True) == ["rollout", "changed", "keep", "unfinished"]
    assert "unfinished" not in stack.rollout_groups({**plan, "action": "create"}, unfinished=True)


@pytest.mark.parametrize("stack_name", ["backend", "frontend"])
@pytest.mark.parametrize(("unfinished", "order"), [([], ["app1", "app3"]), (["app3"], ["app3", "app1"])])
def test_hosts_are_rolled_in_the_order_of_the_inventory_but_one_that_was_left_drained_before_the_others(
    stack_name: str, unfinished: list[str], order: list[str]
) -> None:
    inventory = InventoryManager(DataLoader(), parse=False)
    answered = {"servers": ["app1", "app2", "app3"], "rollout": ["app3", "app1"], "unfinished": unfinished}
    for group, hosts in answered.items():
        inventory.add_group(f"{stack_name}_{group}")
        for host in hosts:
            inventory.add_host(host, f"{stack_name}_{group}")
    plays = yaml.safe_load((ROOT / "playbooks/application.yml").read_text(encoding="utf-8"))
    (play,) = [item for item in plays if item["name"] == f"Replace one {stack_name} after the other"]
    assert [host.name for host in inventory.get_hosts(play["hosts"])] == order


def test_touched_hosts_go_back_last_one_first_and_the_others_get_their_files_back() -> None:
    groups = {"backend_changed": ["app1", "app2", "app3"], "backend_touched": ["app1", "app2"], "frontend_changed": []}
    found = stack.hosts_to_put_back(groups, {"backend": {}, "frontend": {}})
    assert [(item["host"], item["group"]) for item in found] == [
        ("app3", "backend_revert"),
        ("app2", "backend_back"),
        ("app1", "backend_back"),
    ]


def test_known_image_is_not_built_again() -> None:
    images = [{"name": "api", "context": "files/api"}, {"name": "web", "context": "files/web"}]
    known = {"api": {"reference": "api:1", "id": "sha256:1"}}
    assert stack.with_known(images, known) == [{**images[0], "reference": "api:1", "id": "sha256:1"}, images[1]]


def test_secrets_reach_the_service_as_files() -> None:
    assert stack.secrets_by_file({"SMTP_PASSWORD": "x"}) == {"smtp_password": "x"}
    assert stack.secret_environment({"SMTP_PASSWORD": "x"}) == {"SMTP_PASSWORD_FILE": "/run/secrets/smtp_password"}


def test_directory_for_uploads_is_closed_to_others() -> None:
    (entry,) = stack.data_directories(["/srv/x"], 10001)
    assert (entry["owner"], entry["mode"]) == ("10001", "0750")
