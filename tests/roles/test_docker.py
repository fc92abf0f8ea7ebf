"""Docker: the engine's options and where it comes from."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import Renderer

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBFit\n=0JEr\n-----END PGP PUBLIC KEY BLOCK-----\n"
SOURCES = "/etc/apt/sources.list.d/docker.sources"


def files(render: Renderer, channel: str, **extra: Any) -> dict[str, dict[str, Any]]:
    """Return the files of a channel by path."""
    chosen = render.value("docker", "__docker_files", "app1", **extra)[channel]
    return render.files("docker", "chosen", "app1", chosen=chosen, **extra)


@pytest.fixture(scope="module")
def daemon(render: Renderer) -> dict[str, Any]:
    """The content of daemon.json."""
    found: dict[str, Any] = json.loads(files(render, "debian")["/etc/docker/daemon.json"]["content"])
    return found


def test_containers_live_on_while_the_engine_restarts(daemon: dict[str, Any]) -> None:
    assert daemon["live-restore"] is True


def test_containers_gain_no_privileges(daemon: dict[str, Any]) -> None:
    assert daemon["no-new-privileges"] is True


def test_logs_of_containers_have_a_limit(daemon: dict[str, Any]) -> None:
    assert (daemon["log-driver"], daemon["log-opts"]) == ("local", {"max-size": "20m", "max-file": "5"})


def test_daemon_options_can_be_replaced(render: Renderer) -> None:
    found = files(render, "debian", docker_daemon_options={"mtu": 1400})["/etc/docker/daemon.json"]["content"]
    assert json.loads(found) == {"mtu": 1400}


def test_repository_goes_with_the_distributions_own_packages(render: Renderer) -> None:
    assert files(render, "debian")[SOURCES] == {"path": SOURCES, "state": "absent"}


def test_repository_has_every_line_of_its_key_indented(render: Renderer) -> None:
    text = files(render, "docker_ce", docker_ce_signing_key=KEY)[SOURCES]["content"]
    block = text.split("Signed-By:\n")[1]
    assert block.splitlines() == [f" {line or '.'}" for line in KEY.splitlines()]


def test_repository_is_a_deb822_stanza(render: Renderer) -> None:
    text = files(render, "docker_ce", docker_ce_signing_key=KEY)[SOURCES]["content"]
    fields = [line.split(":")[0] for line in text.splitlines() if not line.startswith(("#", " "))]
    assert fields == ["Types", "URIs", "Suites", "Components", "Signed-By"]


@pytest.mark.parametrize(
    ("channel", "engine", "compose"),
    [("debian", "docker.io", "docker-compose"), ("docker_ce", "docker-ce", "docker-compose-plugin")],
)
def test_channel_has_engine_and_compose(render: Renderer, channel: str, engine: str, compose: str) -> None:
    assert {engine, compose} <= set(render.value("docker", "__docker_packages", "app1")[channel])
