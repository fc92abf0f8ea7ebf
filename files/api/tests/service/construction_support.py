"""Requests about projects and what belongs to them."""

from __future__ import annotations

from typing import Any

import httpx

from service.images_support import image
from service.support import PROJECT, Account, Api, Postgres, login

Files = list[tuple[str, tuple[str, bytes, str]]]

FLOOR_PLAN = {"name": "Tipo A", "type": "APARTMENT", "area": 55.25, "defaultPrice": 250000.5, "bedrooms": 2}


class Site:
    """One project of an account, on one copy of the service."""

    def __init__(self, api: Api, account: Account, project: str | None = None) -> None:
        self.api = api
        self.account = account
        self.token = account.access
        self.id = project or str(self.ask("POST", "/api/v1/projects", json=PROJECT, expect=201)["id"])

    def ask(self, method: str, path: str, *, expect: int = 200, **options: Any) -> Any:
        """Ask for a path of the API; give the JSON of the expected answer."""
        response = self.send(method, path, **options)
        assert response.status_code == expect, response.text
        return response.json()

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        with self.api.client(self.token) as client:
            return client.request(method, path, **options)

    def path(self, rest: str = "") -> str:
        return f"/api/v1/projects/{self.id}{rest}"

    def get(self, rest: str = "", expect: int = 200) -> Any:
        return self.ask("GET", self.path(rest), expect=expect)

    def post(self, rest: str, body: Any, expect: int = 201, **options: Any) -> Any:
        return self.ask("POST", self.path(rest), json=body, expect=expect, **options)

    def patch(self, rest: str, body: Any, expect: int = 200) -> Any:
        return self.ask("PATCH", self.path(rest), json=body, expect=expect)

    def delete(self, rest: str = "", expect: int = 200) -> Any:
        return self.ask("DELETE", self.path(rest), expect=expect)

    def upload(self, *files: bytes, where: str = "evolutions") -> httpx.Response:
        return self.send("POST", self.path(f"/{where}/upload"), files=parts(*files))

    def photo(self) -> str:
        """Upload one photo; give its URL."""
        response = self.upload(image())
        assert response.status_code == 200, response.text
        return str(response.json()["urls"][0])

    def on(self, other: Api) -> Site:
        """The same project on another copy of the service."""
        return Site(other, self.account, self.id)

    def as_role(self, role: str, postgres: Postgres, database: str) -> Site:
        """The same project with a role of its account's changed."""
        postgres.sql(f"update users set role = '{role}' where id = '{self.account.user_id}'", database)
        site = Site(self.api, self.account, self.id)
        site.token = login(self.api, self.account.email).json()["tokens"]["accessToken"]
        return site


def parts(*files: bytes) -> Files:
    return [("photos", (f"{number}.jpg", data, "image/jpeg")) for number, data in enumerate(files)]


def key_of_url(url: str) -> str:
    """The key that the database keeps for a photo's URL."""
    return url.partition("?")[0].replace("/api/v1/projects/uploads", "uploads/projects")


def as_contractor(api: Api, account: Account, postgres: Postgres, database: str) -> tuple[str, str]:
    """Make the user a CONTRACTOR; give the contractor's id and a new access token."""
    contractor = postgres.sql(
        f"insert into contractors (tenant_id, name, document) values ('{account.tenant_id}', 'C', '1') returning id",
        database,
    )
    postgres.sql(
        f"update users set role = 'CONTRACTOR', contractor_id = '{contractor}' where id = '{account.user_id}'", database
    )
    return contractor, login(api, account.email).json()["tokens"]["accessToken"]
