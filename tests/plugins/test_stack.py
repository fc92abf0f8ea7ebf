"""Filters that describe a stack."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.enlevohub.datacenter.plugins.filter import stack

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
    images = {"enlevohub/api": {"reference": "enlevohub/api:1", "id": "sha256:1", "archive": ""}}
    assert stack.references(images) == {"enlevohub/api": "enlevohub/api:1"}
