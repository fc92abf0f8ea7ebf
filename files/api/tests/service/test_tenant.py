"""The company: settings that merge and hide the password, numbers, the store, and the test mail."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.mail_support import MailReceiver, make_certificate
from service.support import PASSWORD, PROJECT, Account, Api, Postgres, login, register, running

pytestmark = pytest.mark.postgres

SMTP: dict[str, Any] = {
    "host": "smtp.obra.com",
    "port": 587,
    "secure": False,
    "user": "hub",
    "password": "smtp-pa55",
    "fromName": "Obra",
    "fromEmail": "hub@obra.com",
}
MASK = "********"


@pytest.fixture
def root(api: Api, postgres: Postgres, database: str) -> Account:
    """A company whose first user is ROOT."""
    account = register(api)
    postgres.sql(f"update users set role = 'ROOT' where id = '{account.user_id}'", database)
    return Account(account.email, account.document, login(api, account.email).json())


def send(api: Api, caller: Account, method: str, path: str, json: object = None) -> httpx.Response:
    with api.client(caller.access) as client:
        return client.request(method, f"/api/v1/tenant{path}", json=json)


def patch(api: Api, caller: Account, json: dict[str, Any]) -> httpx.Response:
    return send(api, caller, "PATCH", "/settings", json)


def member(api: Api, boss: Account, role: str) -> Account:
    email = f"{role.lower()}-{boss.email}"
    body = {"email": email, "password": PASSWORD, "name": "Rui", "role": role}
    with api.client(boss.access) as client:
        assert client.post("/api/v1/users", json=body).status_code == 200
    return Account(email, boss.document, login(api, email).json())


def test_company_is_the_callers_own(api: Api, account: Account) -> None:
    answer = send(api, account, "GET", "").json()
    assert set(answer) == {"id", "name", "document", "plan", "settings", "createdAt"}
    assert (answer["id"], answer["document"], answer["settings"]) == (account.tenant_id, account.document, {})


def test_settings_are_merged_and_kept(apis: tuple[Api, Api], root: Account) -> None:
    first = {"maxUsers": 5, "features": {"units": True}, "customization": {"primaryColor": "#fff"}, "other": 1}
    assert patch(apis[0], root, first).status_code == 200
    response = patch(apis[1], root, {"features": {"projects": False}, "customization": {"logo": "x"}})
    expected = {
        "maxUsers": 5,
        "features": {"units": True, "projects": False},
        "customization": {"primaryColor": "#fff", "logo": "x"},
    }
    assert (set(response.json()), response.json()["settings"]) == ({"id", "name", "settings"}, expected)
    assert send(apis[0], root, "GET", "/settings").json() == expected


def test_settings_at_once_lose_nothing(apis: tuple[Api, Api], root: Account) -> None:
    names = ["projects", "financial", "units", "contracts", "suppliers", "contractors", "brokers"]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda pair: patch(apis[pair[0] % 2], root, {"features": {pair[1]: True}}), enumerate(names)))
    assert send(apis[0], root, "GET", "/settings").json() == {"features": dict.fromkeys(names, True)}


def test_smtp_password_is_masked_and_the_mask_keeps_it(
    api: Api, root: Account, postgres: Postgres, database: str
) -> None:
    answer = patch(api, root, {"smtp": SMTP})
    assert answer.json()["settings"]["smtp"] == {**SMTP, "password": MASK}
    for path in ("", "/settings"):
        assert SMTP["password"] not in send(api, root, "GET", path).text
    sent_back = send(api, root, "GET", "/settings").json()["smtp"] | {"port": 465}
    assert patch(api, root, {"smtp": sent_back}).status_code == 200
    stored = postgres.sql(
        f"select settings #>> '{{smtp,password}}', settings #>> '{{smtp,port}}' from tenants "
        f"where id = '{root.tenant_id}'",
        database,
    )
    assert stored == "smtp-pa55|465"


def test_smtp_mask_without_a_stored_password_is_400(api: Api, root: Account) -> None:
    assert patch(api, root, {"smtp": {**SMTP, "password": MASK}}).status_code == 400


@pytest.mark.parametrize(("role", "sees"), [("MASTER", True), ("ENGINEER", False), ("VIEWER", False)])
def test_smtp_is_seen_by_who_edits_the_company(api: Api, root: Account, role: str, sees: bool) -> None:
    assert patch(api, root, {"smtp": SMTP, "maxUsers": 3}).status_code == 200
    caller = member(api, root, role)
    for answer in (send(api, caller, "GET", "/settings").json(), send(api, caller, "GET", "").json()["settings"]):
        assert answer == {"maxUsers": 3} | ({"smtp": {**SMTP, "password": MASK}} if sees else {})


@pytest.mark.parametrize(
    "json",
    [
        {"smtp": {"host": "a"}},
        {"smtp": {**SMTP, "port": 0}},
        {"smtp": {**SMTP, "port": "587"}},
        {"smtp": {**SMTP, "fromEmail": "nobody"}},
        {"smtp": {**SMTP, "fromName": "a\r\nBcc: x@y.com"}},
        {"smtp": {**SMTP, "host": "a b"}},
        {"features": {"units": "yes"}},
        {"features": []},
        {"maxUsers": "5"},
        {"maxUsers": -1},
        {"customization": {"logo": 1}},
    ],
)
def test_settings_bad_value_is_400(api: Api, root: Account, json: dict[str, Any]) -> None:
    assert patch(api, root, json).status_code == 400


ROOT_ONLY = [
    ("PATCH", "/settings", {}),
    ("POST", "/settings/test-email", {"to": "a@b.com"}),
    ("GET", "/settings/storage-config", None),
    ("PUT", "/settings/storage-config", {"storagePath": "/x"}),
    ("POST", "/settings/storage-test", {"path": "/x"}),
    ("GET", "/settings/drives", None),
]


@pytest.mark.parametrize(("method", "path", "json"), ROOT_ONLY)
def test_endpoint_is_for_root_only(api: Api, account: Account, method: str, path: str, json: object) -> None:
    assert send(api, account, method, path, json).status_code == 403


@pytest.mark.parametrize("path", ["", "/settings", "/statistics", "/users"])
def test_endpoint_needs_a_signed_in_user(api: Api, path: str) -> None:
    with api.client() as client:
        assert client.get(f"/api/v1/tenant{path}").status_code == 401


def test_settings_of_one_company_do_not_touch_another(api: Api, root: Account, account: Account) -> None:
    assert patch(api, root, {"maxUsers": 7}).status_code == 200
    assert send(api, account, "GET", "/settings").json() == {}


def test_statistics_count_the_companys_own_rows(api: Api, account: Account) -> None:
    stranger = register(api)
    for caller in (account, stranger, stranger):
        with api.client(caller.access) as client:
            assert client.post("/api/v1/projects", json=PROJECT).status_code == 201
    member(api, account, "VIEWER")
    expected = {"projects": 1, "users": 2, "suppliers": 0, "contractors": 0, "units": 0, "sales": 0}
    assert send(api, account, "GET", "/statistics").json() == expected


def test_storage_config_says_where_uploads_go(api: Api, root: Account) -> None:
    answer = send(api, root, "GET", "/settings/storage-config").json()
    assert set(answer) == {"storagePath", "source"}
    assert answer["source"] in ("env", "default")


def test_storage_config_cannot_be_changed(api: Api, root: Account) -> None:
    response = send(api, root, "PUT", "/settings/storage-config", {"storagePath": "/other"})
    assert (response.status_code, "STORAGE_PATH" in str(response.json()["message"])) == (400, True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def own_api(
    postgres: Postgres, database: str, certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """A copy of the service with a directory as store, and trust in the tests' mail servers."""
    directory = tmp_path_factory.mktemp("own")
    extra = {"STORAGE_PATH": str(directory / "store"), "SMTP_CA_FILE": str(certificate)}
    api = Api(postgres.url(database), directory / "api.log", "api3", extra)
    with running(api):
        yield api


def test_storage_test_probes_the_configured_store(own_api: Api, root: Account) -> None:
    config = send(own_api, root, "GET", "/settings/storage-config").json()
    assert config == {"storagePath": own_api.extra["STORAGE_PATH"], "source": "env"}
    answer = send(own_api, root, "POST", "/settings/storage-test", {"path": config["storagePath"]}).json()
    assert answer["success"] is True
    assert answer["freeGB"] >= 0
    assert [path for path in Path(config["storagePath"]).rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("path", ["/proc/self", "/tmp/elsewhere", "", "../store"])
def test_storage_test_touches_no_other_place(own_api: Api, root: Account, path: str) -> None:
    response = send(own_api, root, "POST", "/settings/storage-test", {"path": path})
    assert (response.status_code, response.json()["success"]) == (200, False)
    assert not Path("/tmp/elsewhere").exists()


def test_storage_test_without_a_path_is_400(own_api: Api, root: Account) -> None:
    assert send(own_api, root, "POST", "/settings/storage-test", {}).status_code == 400


def test_drives_are_none(own_api: Api, root: Account) -> None:
    assert send(own_api, root, "GET", "/settings/drives").json() == []


def try_mail(api: Api, root: Account, port: int, **changes: object) -> httpx.Response:
    assert patch(api, root, {"smtp": {**SMTP, "host": "localhost", "port": port, **changes}}).status_code == 200
    return send(api, root, "POST", "/settings/test-email", {"to": "to@obra.com"})


@pytest.mark.parametrize(("security", "secure"), [("starttls", False), ("tls", True)])
def test_test_mail_arrives_encrypted(
    own_api: Api, root: Account, certificate: Path, security: str, secure: bool
) -> None:
    receiver = MailReceiver(certificate, security)
    try:
        response = try_mail(own_api, root, receiver.port, secure=secure)
        assert response.status_code == 200, response.text
        (mail,) = receiver.mails
        assert (mail.to, mail.encrypted, mail.login) == (["to@obra.com"], True, ("hub", "smtp-pa55"))
    finally:
        receiver.close()


@pytest.mark.parametrize(
    ("security", "refuse"),
    [("none", ""), ("starttls", "AUTH"), ("starttls", "RCPT"), ("starttls", "MAIL")],
    ids=["no TLS", "login refused", "recipient refused", "sender refused"],
)
def test_test_mail_that_fails_is_400_and_tells_no_secret(
    own_api: Api, root: Account, certificate: Path, security: str, refuse: str
) -> None:
    receiver = MailReceiver(certificate, security, refuse)
    try:
        response = try_mail(own_api, root, receiver.port)
        assert (response.status_code, receiver.mails) == (400, [])
        assert SMTP["password"] not in response.text + own_api.log_path.read_text()
    finally:
        receiver.close()


def test_test_mail_to_a_server_of_unknown_authority_is_400(own_api: Api, root: Account, tmp_path: Path) -> None:
    receiver = MailReceiver(make_certificate(tmp_path))
    try:
        assert try_mail(own_api, root, receiver.port).status_code == 400
        assert receiver.mails == []
    finally:
        receiver.close()


def test_test_mail_without_a_server_is_400(own_api: Api, root: Account) -> None:
    assert send(own_api, root, "POST", "/settings/test-email", {"to": "a@b.com"}).status_code == 400
