"""The backend on every application server: it answers by itself and runs hardened."""

from __future__ import annotations

import json
from typing import Any


def inspect(datacenter: Any, server: str) -> list[dict[str, Any]]:
    """Return what Docker knows of the running containers of a server."""
    found: list[dict[str, Any]] = json.loads(datacenter.run(server, "docker inspect $(docker ps -q)"))
    assert found
    return found


def test_backend_is_ready_by_address_without_a_host_header(datacenter: Any, backend_server: str) -> None:
    url = f"http://{datacenter.address(backend_server)}:3001/health/ready"
    assert datacenter.run(backend_server, f"curl -sS -o /dev/null -w '%{{http_code}}' -0 -H 'Host:' {url}") == "200"


def test_backend_says_which_copy_answered(datacenter: Any, backend_server: str) -> None:
    url = f"http://{datacenter.address(backend_server)}:3001/api/v1/"
    answer = datacenter.run(backend_server, f"curl -sSf -D - -o /dev/null {url}")
    assert f"\nx-served-by: {backend_server}" in answer.lower()


def test_backend_listens_on_the_address_of_its_host_only(datacenter: Any, backend_server: str) -> None:
    ports = datacenter.run(backend_server, "docker ps --format '{{.Ports}}' --filter name=backend")
    assert ports == f"{datacenter.address(backend_server)}:3001->3001/tcp"


def test_containers_run_hardened(datacenter: Any, docker_server: str) -> None:
    for item in inspect(datacenter, docker_server):
        host = item["HostConfig"]
        assert item["Config"]["User"] == "10001:10001"
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert 0 < host["PidsLimit"] <= 256
        assert 0 < host["Memory"] <= 512 * 2**20
        assert item["State"]["Health"]["Status"] == "healthy"


def test_docker_inspect_holds_no_secret(datacenter: Any, docker_server: str) -> None:
    assert datacenter.secrets_in(json.dumps(inspect(datacenter, docker_server))) == []


def test_secret_files_belong_to_the_containers_only(datacenter: Any, backend_server: str) -> None:
    listed = datacenter.run(backend_server, "stat -c '%u:%g %a %n' /opt/enlevohub/backend/secrets/*")
    names = ["database_url", "jwt_secret", "redis_ca", "redis_password", "redis_sentinel_password"]
    names += ["s3_access_key_id", "s3_secret_access_key"]
    assert [line.rsplit("/", 1) for line in listed.splitlines()] == [
        ["10001:10001 400 /opt/enlevohub/backend/secrets", name] for name in names
    ]


def test_all_servers_run_the_same_image(datacenter: Any) -> None:
    ids = {
        datacenter.run(server, "docker inspect --format '{{.Image}}' backend-api-1")
        for server in datacenter.groups["backend_servers"]
    }
    assert len(ids) == 1


def test_docker_keeps_containers_over_a_restart_and_rotates_logs(datacenter: Any, docker_server: str) -> None:
    shown = datacenter.run(docker_server, "docker info --format '{{.LiveRestoreEnabled}} {{.LoggingDriver}}'")
    assert shown == "true local"


def test_database_connections_use_tls(datacenter: Any, backend_server: str) -> None:
    leader = datacenter.leader()
    address = datacenter.address(backend_server)
    rows = datacenter.sql(
        leader,
        "select bool_and(ssl), count(*) from pg_stat_ssl join pg_stat_activity using (pid) "
        f"where client_addr = '{address}'",
        "postgres",
    )
    secure, count = rows.split("|")
    assert secure == "t"
    assert int(count) > 0


def test_frontend_container_reaches_every_backend(datacenter: Any, frontend_server: str, backend_server: str) -> None:
    """The backend of its own server too, which Docker keeps apart as another network."""
    process = datacenter.run(frontend_server, "docker inspect -f '{{.State.Pid}}' $(docker ps -q -f name=frontend)")
    ask = f"nsenter -t {process.strip()} -n curl -sS -m 5 -o /dev/null -w '%{{http_code}}'"
    assert (
        datacenter.run(frontend_server, f"{ask} http://{datacenter.address(backend_server)}:3001/health/live") == "200"
    )
