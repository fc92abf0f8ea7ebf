"""What people do: register a company, log in, create projects; the rows are on both database servers."""

from __future__ import annotations

import json
from typing import Any


def test_company_registers_and_logs_in(datacenter: Any) -> None:
    account = datacenter.register()
    answer = datacenter.get("/api/v1/auth/login", {"email": account["user"]["email"], "password": account["password"]})
    assert (answer.status, answer.body["user"]["id"]) == (200, account["user"]["id"])


def test_project_is_listed_by_every_backend(datacenter: Any, backend_server: str) -> None:
    token = datacenter.register()["tokens"]["accessToken"]
    created = datacenter.create_project(token)
    assert created.status == 201, created.text
    url = f"http://{datacenter.address(backend_server)}:3001/api/v1/projects"
    answer = json.loads(datacenter.run(backend_server, f"curl -sSf -H 'Authorization: Bearer {token}' {url}"))
    assert [row["id"] for row in answer["data"]] == [created.body["id"]]


def test_project_row_is_on_every_database_server(datacenter: Any) -> None:
    token = datacenter.register()["tokens"]["accessToken"]
    project = datacenter.create_project(token).body["id"]
    for server in datacenter.groups["database_servers"]:
        found = datacenter.wait(
            f"the row on {server}",
            lambda name=server: datacenter.sql(name, f"select count(*) from projects where id = '{project}'") == "1",
            10,
        )
        assert found < 10


def test_refresh_token_gives_new_tokens(datacenter: Any) -> None:
    tokens = datacenter.register()["tokens"]
    answer = datacenter.get("/api/v1/auth/refresh", {"refreshToken": tokens["refreshToken"]})
    assert answer.status == 200
    assert datacenter.get("/api/v1/auth/me", token=answer.body["accessToken"]).status == 200


def test_other_company_does_not_see_the_project(datacenter: Any) -> None:
    project = datacenter.create_project(datacenter.register()["tokens"]["accessToken"]).body["id"]
    stranger = datacenter.register()["tokens"]["accessToken"]
    assert datacenter.get(f"/api/v1/projects/{project}", token=stranger).status == 404
