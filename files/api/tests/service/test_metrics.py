"""Metrics on a port of their own."""

from __future__ import annotations

import re
import socket
import uuid
from pathlib import Path

import httpx
import pytest
from enlevohub_lab.ports import free_port

from service.support import Account, Api, Postgres, run_cli, running, wait_until

pytestmark = pytest.mark.postgres


def page(api: Api) -> str:
    response = httpx.get(f"http://127.0.0.1:{api.metrics_port}/metrics", timeout=30)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return response.text


def value(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_requests_are_counted_by_route_template_and_status(api: Api, account: Account) -> None:
    counter = 'enlevohub_http_requests_total{method="GET",route="/api/v1/projects/{project_id}",status="404"}'
    before = value(page(api), counter)
    with api.client(account.access) as client:
        for _ in range(3):
            assert client.get(f"/api/v1/projects/{uuid.uuid4()}").status_code == 404
    wait_until(lambda: value(page(api), counter) == before + 3, "the requests are counted")
    text = page(api)
    count = 'enlevohub_http_request_seconds_count{method="GET",route="/api/v1/projects/{project_id}"}'
    assert value(text, count) >= 3
    assert 'le="0.005"' in text


def test_unknown_paths_and_methods_make_no_series_of_their_own(api: Api) -> None:
    unknown = uuid.uuid4().hex
    with api.client() as client:
        client.get(f"/api/v1/{unknown}")
        client.get(f"/{unknown}")
        client.request("BREW", "/api/v1/projects")
    counter = 'enlevohub_http_requests_total{method="GET",route="unknown",status="404"}'
    wait_until(lambda: value(page(api), counter) >= 2, "the requests are counted")
    assert unknown not in page(api)
    assert "BREW" not in page(api)


def test_state_of_the_service_is_shown(api: Api, account: Account) -> None:
    text = page(api)
    assert value(text, "enlevohub_database_pool_size") == 10
    assert value(text, "enlevohub_draining") == 0
    assert value(text, 'enlevohub_token_checks_total{by="database"}') >= 0
    assert 'enlevohub_database_connections{state="busy"}' in text
    assert value(text, 'enlevohub_database_connections{state="idle"}') >= 1


def test_metrics_hold_no_account(api: Api, account: Account) -> None:
    text = page(api)
    assert not any(secret in text for secret in (account.email, account.user_id, account.tenant_id, account.access))


def test_metrics_are_not_on_the_port_of_the_service(api: Api) -> None:
    with api.client() as client:
        assert client.get("/metrics").status_code == 404


def test_service_is_not_on_the_port_of_the_metrics(api: Api) -> None:
    assert httpx.get(f"http://127.0.0.1:{api.metrics_port}/health", timeout=30).status_code == 404


def test_draining_is_shown_until_the_end(postgres: Postgres, database: str, tmp_path: Path) -> None:
    api = Api(postgres.url(database), tmp_path / "api.log", extra={"DRAIN_NOTICE_SECONDS": "5"})
    with running(api):
        api.terminate()
        wait_until(lambda: value(page(api), "enlevohub_draining") == 1, "the drain shows", 10)


def test_metrics_port_zero_means_none(postgres: Postgres, database: str, tmp_path: Path) -> None:
    api = Api(postgres.url(database), tmp_path / "api.log", metrics_port=0)
    with running(api), api.client() as client:
        assert client.get("/health").status_code == 200


def test_metrics_port_in_use_stops_the_start(postgres: Postgres, database: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment = {
            "DATABASE_URL": postgres.url(database),
            "JWT_SECRET": "0f5a3c7e9b1d2f4a6c8e0b2d4f6a8c0e",
            "HOST": "127.0.0.1",
            "PORT": str(free_port()),
            "METRICS_PORT": str(taken.getsockname()[1]),
        }
        result = run_cli("serve", environment)
    assert result.returncode == 1
    assert "address already in use" in result.stdout.lower()
    assert result.stderr == ""
