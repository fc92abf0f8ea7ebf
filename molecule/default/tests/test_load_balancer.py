"""The load balancer: TLS, paths, members, statistics."""

from __future__ import annotations

import json
from typing import Any


def test_every_pool_member_is_up(datacenter: Any, load_balancer: str) -> None:
    members = json.loads(datacenter.run(load_balancer, "load-balancer-pools"))
    assert {(item["pool"], item["member"], item["state"]) for item in members} == {
        *(("backend", name, "UP") for name in datacenter.groups["backend_servers"]),
        *(("frontend", name, "UP") for name in datacenter.groups["frontend_servers"]),
    }


def test_http_is_sent_to_https(datacenter: Any, load_balancer: str) -> None:
    answer = datacenter.get(f"http://{datacenter.address(load_balancer)}/projects?page=2")
    port = datacenter.variables[load_balancer]["enlevohub_public_port"]
    assert answer.status == 308
    assert answer.headers["location"] == f"https://{datacenter.address(load_balancer)}:{port}/projects?page=2"


def test_certificate_is_verified_by_the_ca_of_the_environment(datacenter: Any) -> None:
    assert datacenter.get("/").status == 200  # the client trusts that CA only


def test_api_path_goes_to_the_backends(datacenter: Any) -> None:
    served = {datacenter.get("/api/v1/").headers["x-served-by"] for _ in range(30)}
    assert served == set(datacenter.groups["backend_servers"])


def test_other_paths_go_to_the_frontend(datacenter: Any) -> None:
    answer = datacenter.get("/projects")
    assert answer.headers["content-type"].startswith("text/html")


def test_path_that_only_begins_like_the_api_goes_to_the_frontend(datacenter: Any) -> None:
    assert datacenter.get("/apix").headers["content-type"].startswith("text/html")


def test_frontend_is_a_second_way_to_the_backends(datacenter: Any, frontend_server: str, load_balancer: str) -> None:
    url = f"http://{datacenter.address(frontend_server)}/api/v1/"
    assert json.loads(datacenter.run(load_balancer, f"curl -sSf {url}"))["message"]


def test_statistics_ask_for_a_password(datacenter: Any, load_balancer: str) -> None:
    url = f"https://{datacenter.address(load_balancer)}:8404/"
    assert datacenter.get(url).status == 401


def test_statistics_are_bound_to_the_private_address(datacenter: Any, load_balancer: str) -> None:
    host = datacenter.host(load_balancer)
    assert host.socket(f"tcp://{datacenter.address(load_balancer)}:8404").is_listening
    assert not host.socket("tcp://127.0.0.1:8404").is_listening


def test_browser_is_told_to_stay_on_https(datacenter: Any) -> None:
    assert "max-age=" in datacenter.get("/").headers["strict-transport-security"]
