"""Shapes of errors and headers, on the application without a database."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from enlevohub_api.app import create_app
from enlevohub_api.application import Application
from enlevohub_api.database import Database, OutcomeUnknown
from enlevohub_api.images import Images
from enlevohub_api.mail import Mailer
from enlevohub_api.metrics import Metrics
from enlevohub_api.passwords import Passwords
from enlevohub_api.photos import PhotoUrls
from enlevohub_api.project_lists import ProjectLists
from enlevohub_api.revocation import Revocations
from enlevohub_api.services import Drain, Services
from enlevohub_api.settings import load_settings
from enlevohub_api.storage import open_storage
from enlevohub_api.tokens import AccessClaims, Tokens

SECRET = "4f1d0c9b7a6e5d8c3b2a1908f7e6d5c4"
ID = "11111111-1111-4111-8111-111111111111"


class Standing(Revocations):
    """Takes every token that is signed: there is no database to ask."""

    async def stands(self, claims: AccessClaims) -> bool:
        return True


@pytest.fixture
def drain() -> Drain:
    return Drain()


@pytest.fixture
def app(drain: Drain) -> Application:
    with socket.socket() as refused:
        refused.bind(("127.0.0.1", 0))
        port = refused.getsockname()[1]
    settings = load_settings(
        {
            "DATABASE_URL": f"postgresql://a:pw1@127.0.0.1:{port}/d",
            "JWT_SECRET": SECRET,
            "INSTANCE": "app1",
            "FRONTEND_URL": "https://hub.example",
        }
    )
    database = Database(settings.database_url, size=1, connect_timeout=0.2, wait=0.2)
    services = Services(
        settings=settings,
        database=database,
        health_database=database,
        tokens=Tokens(SECRET),
        passwords=Passwords(),
        drain=drain,
        redis=None,
        revocations=Standing(database, None),
        lists=ProjectLists(None),
        mailer=Mailer(""),
        metrics=Metrics(),
        storage=open_storage(settings),
        images=Images(settings.upload_max_size),
        photos=PhotoUrls(SECRET, settings.upload_url_expires_in),
    )
    return create_app(services)


Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(app: Application) -> Ask:
    async def send(method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://192.0.2.1") as client:
            return await client.request(method, path, **options)

    return lambda method, path, **options: asyncio.run(send(method, path, **options))


def bearer(role: str) -> dict[str, str]:
    now = int(time.time())
    claims = AccessClaims(
        user_id=ID, tenant_id=ID, email="a@b.com", role=role, sid=ID, jti=ID, iat=now, exp=now + 60, typ="access"
    )
    return {"Authorization": f"Bearer {Tokens(SECRET).sign(claims)}"}


def test_unknown_route_is_the_contract_404(ask: Ask) -> None:
    response = ask("GET", "/api/v1/nope")
    assert (response.status_code, response.json()) == (
        404,
        {"message": "Rota não encontrada", "error": "Not Found", "statusCode": 404},
    )


def test_wrong_method_is_405_with_a_message(ask: Ask) -> None:
    response = ask("DELETE", "/api/v1/auth/login")
    assert (response.status_code, response.json()["error"]) == (405, "Method Not Allowed")


def test_body_over_one_mebibyte_is_413(ask: Ask) -> None:
    response = ask("POST", "/api/v1/auth/login", content=b"x" * (1024 * 1024 + 1))
    assert (response.status_code, response.json()["error"]) == (413, "Payload Too Large")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_malformed_json_is_400(ask: Ask, content: bytes) -> None:
    response = ask("POST", "/api/v1/auth/login", content=content)
    assert (response.status_code, response.json()["error"]) == (400, "Validation Error")


def test_validation_error_has_message_and_details(ask: Ask) -> None:
    body = ask("POST", "/api/v1/auth/login", json={"email": "x"}).json()
    assert body["message"] == "O campo email deve ter pelo menos 3 caracteres; O campo password é obrigatório"
    assert [detail["instancePath"] for detail in body["details"]] == ["/email", "/password"]


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer a.b.c", "bearer {}", "BEARER {}", "Bearer  {}", "Bearer {} x", "Basic {}", "{}"],
)
def test_bad_authorization_header_is_401(ask: Ask, header: str) -> None:
    token = bearer("ROOT")["Authorization"].removeprefix("Bearer ")
    response = ask("GET", "/api/v1/auth/me", headers={"Authorization": header.format(token)})
    assert (response.status_code, response.json()["error"]) == (401, "Unauthorized")


def test_missing_token_comes_before_a_bad_query(ask: Ask) -> None:
    assert ask("GET", "/api/v1/projects?limit=900").status_code == 401


def test_missing_permission_is_403(ask: Ask) -> None:
    response = ask("POST", "/api/v1/projects", headers=bearer("VIEWER"), json={})
    assert (response.status_code, response.json()["error"]) == (403, "Forbidden")


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=x",
        "page=99999999999999999999",
        "limit=0",
        "limit=101",
        "limit=1.5",
        "status=DONE",
        "sortBy=id",
        "sortBy=name;drop",
        "sortOrder=up",
    ],
)
def test_bad_query_is_400_and_names_the_parameter(ask: Ask, query: str) -> None:
    response = ask("GET", f"/api/v1/projects?{query}", headers=bearer("VIEWER"))
    assert response.status_code == 400
    assert response.json()["details"][0]["instancePath"] == "/" + query.partition("=")[0]


def test_no_leader_is_503_with_retry_after(ask: Ask) -> None:
    response = ask("GET", "/api/v1/projects", headers=bearer("VIEWER"))
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert set(response.json()) == {"error", "message"}


def test_not_ready_without_a_leader(ask: Ask) -> None:
    response = ask("GET", "/health/ready")
    assert (response.status_code, response.json()["reason"]) == (503, "database")


def test_not_ready_while_draining(ask: Ask, drain: Drain) -> None:
    drain.draining = True
    response = ask("GET", "/health/ready")
    assert (response.status_code, response.json()["reason"]) == (503, "draining")


def test_answer_closes_the_connection_while_draining(ask: Ask, drain: Drain) -> None:
    drain.draining = True
    assert ask("GET", "/health/live").headers["connection"] == "close"


def test_unexpected_error_is_500_without_its_text(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("private detail")

    monkeypatch.setattr(Database, "read", fail)
    response = ask("GET", "/api/v1/projects", headers=bearer("VIEWER"))
    assert response.status_code == 500
    assert response.json() == {"error": "Internal Server Error", "message": "Erro interno do servidor"}


def test_unknown_outcome_of_a_write_does_not_invite_a_repeat(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise OutcomeUnknown("reset")

    monkeypatch.setattr(Database, "write", fail)
    body = {
        "email": "a@b.com",
        "password": "Abcdefg1",
        "name": "An",
        "tenantName": "Te",
        "tenantDocument": "12345678901",
    }
    response = ask("POST", "/api/v1/auth/register", json=body)
    assert (response.status_code, "retry-after" in response.headers) == (503, False)


def test_sane_request_id_is_kept(ask: Ask) -> None:
    assert ask("GET", "/health", headers={"X-Request-Id": "abc-123"}).headers["x-request-id"] == "abc-123"


@pytest.mark.parametrize("identity", ["", "a b", "a" * 129, '"x"', "<script>"])
def test_insane_request_id_is_replaced(ask: Ask, identity: str) -> None:
    answer = ask("GET", "/health", headers={"X-Request-Id": identity}).headers["x-request-id"]
    assert answer != identity
    assert len(answer) == 36


def test_every_answer_names_its_instance(ask: Ask) -> None:
    assert ask("GET", "/api/v1/nope").headers["x-served-by"] == "app1"


def test_cors_answers_the_frontend(ask: Ask) -> None:
    response = ask("GET", "/health", headers={"Origin": "https://hub.example"})
    assert response.headers["access-control-allow-origin"] == "https://hub.example"


def test_cors_does_not_answer_another_origin(ask: Ask) -> None:
    response = ask("GET", "/health", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in response.headers


def test_openapi_document_has_the_request_bodies(ask: Ask) -> None:
    document = ask("GET", "/docs/json").json()
    body = document["paths"]["/api/v1/auth/login"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/LoginBody"}


def test_openapi_references_all_resolve(ask: Ask) -> None:
    text = ask("GET", "/docs/json").text
    document = ask("GET", "/docs/json").json()
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(document["components"]["schemas"])


def test_docs_page_loads_nothing_from_elsewhere(ask: Ask) -> None:
    page = ask("GET", "/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text
    assert "https://" not in page.text
