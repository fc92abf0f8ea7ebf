"""One machine: site.yml with inventories/single, then the same images under files/compose.yaml beside it."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from enlevohub_drill import variants
from enlevohub_drill.load import Load
from enlevohub_drill.photos import work
from enlevohub_drill.site import ROOT, Datacenter

NAME = "server1"
STACK = "/opt/enlevohub-compose"
COMPOSE = f"cd {STACK} && docker compose --project-directory . "
LAB = (ROOT / os.environ.get("ENLEVOHUB_INVENTORY", "inventories/molecule")).name


# --- site.yml on one server


def test_second_run_changes_nothing(server: Datacenter, arguments: tuple[str, ...]) -> None:
    assert server.playbook(*arguments).changed == {NAME: 0}


def test_page_and_api_answer_by_tls(server: Datacenter) -> None:
    assert server.get("/").status == 200
    assert server.get("/api/v1/").status == 200


def test_uploaded_photo_is_served_by_both_copies(server: Datacenter) -> None:
    photo = work(server).photo
    answers = [server.get(photo) for _ in range(8)]
    assert {answer.status for answer in answers} == {200}
    assert {answer.headers["x-served-by"] for answer in answers} == {NAME, f"{NAME}-2"}


def test_uploads_belong_to_the_containers_and_nobody_else_reads_them(server: Datacenter) -> None:
    assert server.run(NAME, "stat -c '%u %a' /var/lib/enlevohub/storage").strip() == "10001 750"
    assert server.run(NAME, "find /var/lib/enlevohub/storage -type f -name '*.jpg' | wc -l").strip() != "0"


def test_release_on_one_server_loses_no_request(server: Datacenter, arguments: tuple[str, ...]) -> None:
    token = server.register()["tokens"]["accessToken"]
    given = ("-e", "release=9.1.0", "-e", "rollout_watch=3", *variants.good("9.1.0"))
    authority = server.secrets["vault_pki_ca_certificate"]
    with Load(server.public, authority, token, rate=10, seed=1, slow_seconds=5) as load:
        server.playbook(*arguments, *given, playbook="playbooks/deploy.yml")
    noticed = load.between(0, 1e12)
    print(f"\nrelease on one server: {noticed}")
    assert noticed.problems == {}
    assert {server.get("/api/v1/").body["version"] for _ in range(6)} == {"9.1.0"}


# --- files/compose.yaml


@pytest.fixture(scope="module")
def images(server: Datacenter) -> None:
    """The images on the server: those of the release, and the one of PostgreSQL."""
    tag = "enlevohub/postgres:latest"
    base = "BASE_IMAGE=enlevohub/base:trixie"
    build = ["docker", "build", "--tag", tag, "--build-arg", base, str(ROOT / "files" / "postgres")]
    subprocess.run(build, check=True, capture_output=True, timeout=900)
    archive = ROOT / "build" / "postgres.tar"
    subprocess.run(["docker", "save", "--output", str(archive), tag], check=True, timeout=300)
    copy(server, archive, "/var/tmp/postgres.tar")
    server.run(NAME, "docker load --quiet --input /var/tmp/postgres.tar")
    for name in ("api", "frontend"):
        image = server.run(NAME, f"docker image ls --quiet enlevohub/{name} | head -1").strip()
        server.run(NAME, f"docker tag {image} enlevohub/{name}:latest")


def copy(server: Datacenter, source: Path, target: str, mode: str = "0644") -> None:
    """Copy a file to the server, through SSH's standard input."""
    state = ROOT / ".lab" / LAB
    host = server.host(NAME).backend.host.name
    login = ["ssh", "-i", f"{state}/id_ed25519", "-o", f"UserKnownHostsFile={state}/known_hosts", f"operator@{host}"]
    command = f"sudo install -D -m {mode} /dev/stdin {target}"
    with source.open("rb") as handle:
        subprocess.run([*login, command], stdin=handle, check=True, capture_output=True, timeout=300)


@pytest.fixture(scope="module")
def compose(server: Datacenter, images: None, compose_port: int) -> Iterator[Datacenter]:
    """The stack of files/compose.yaml, up and healthy."""
    for name in ("compose.yaml", "compose/backend.conf"):
        copy(server, ROOT / "files" / name, f"{STACK}/{name}")
    text = (ROOT / "files" / ".env.example").read_text().replace("HTTP_PORT=80\n", f"HTTP_PORT={compose_port}\n")
    text = text.replace("POSTGRES_PASSWORD=\n", f"POSTGRES_PASSWORD={uuid.uuid4().hex}\n")
    text = text.replace("JWT_SECRET=\n", f"JWT_SECRET={uuid.uuid4().hex}{uuid.uuid4().hex}\n")
    path = ROOT / "build" / "compose.env"
    path.write_text(text)
    copy(server, path, f"{STACK}/.env", "0600")
    server.run(NAME, COMPOSE + "up --detach --wait --wait-timeout 180")
    site = Datacenter(server.inventory, server.groups, server.variables, server.secrets)
    site.public = f"http://{server.public.removeprefix('https://')}:{compose_port}"
    site._hosts.update(server._hosts)
    yield site
    server.run(NAME, COMPOSE + "down --volumes")


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "JWT_SECRET"])
def test_compose_refuses_to_start_without_a_secret(compose: Datacenter, name: str) -> None:
    compose.run(NAME, f"cd {STACK} && sed 's/^{name}=.*/{name}=/' .env > /tmp/without.env")
    result = compose.host(NAME).run(COMPOSE + "--env-file /tmp/without.env config --quiet")
    assert result.rc != 0
    assert f"set {name} in .env" in result.stderr


def test_compose_brings_up_three_healthy_services(compose: Datacenter) -> None:
    lines = compose.run(NAME, COMPOSE + "ps --format json").splitlines()
    states = {item["Service"]: (item["State"], item["Health"]) for item in map(json.loads, lines)}
    assert states == dict.fromkeys(("postgres", "backend", "frontend"), ("running", "healthy"))


def test_compose_containers_come_back_after_a_reboot(compose: Datacenter) -> None:
    command = "docker inspect --format '{{.HostConfig.RestartPolicy.Name}}' "
    for name in ("postgres", "backend", "frontend"):
        assert compose.run(NAME, f"{command} enlevohub-{name}-1").strip() == "always"


def test_inspection_shows_no_secret(compose: Datacenter) -> None:
    text = compose.run(NAME, "docker inspect $(docker ps --all --quiet --filter name=enlevohub-)")
    values = compose.run(NAME, f"grep -E '^(POSTGRES_PASSWORD|JWT_SECRET)=' {STACK}/.env").split()
    assert len(values) == 2
    assert [value for value in values if value.partition("=")[2] in text] == []


def test_three_backends_are_balanced_and_come_and_go(compose: Datacenter) -> None:
    compose.run(NAME, COMPOSE + "up --detach --wait --scale backend=3")
    served: set[str] = set()

    def all_three() -> bool:
        served.update(compose.get("/api/v1/").headers["x-served-by"] for _ in range(10))
        return len(served) == 3

    compose.wait("answers of three backends", all_three, 60)
    compose.run(NAME, "docker stop --time 1 enlevohub-backend-3")
    assert {compose.get("/api/v1/").status for _ in range(20)} == {200}
    compose.run(NAME, COMPOSE + "up --detach --wait --scale backend=1")
    compose.wait("answers after scaling down", lambda: compose.get("/api/v1/").status == 200, 60)


def test_data_and_photos_outlive_the_containers(compose: Datacenter) -> None:
    done = work(compose)
    compose.run(NAME, COMPOSE + "down")
    compose.run(NAME, COMPOSE + "up --detach --wait --wait-timeout 180")
    found = compose.get(f"/api/v1/projects/{done.project}", token=done.token)
    assert (found.status, found.body["id"]) == (200, done.project)
    assert compose.get(done.photo).status == 200
