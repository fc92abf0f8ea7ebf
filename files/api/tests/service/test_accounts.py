"""The own account: profile, password, and the reset link that comes by mail."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from service.mail_support import MailReceiver, make_certificate
from service.support import PASSWORD, Account, Api, Postgres, login, refresh, register, running, wait_until

pytestmark = pytest.mark.postgres

NEW_PASSWORD = "Outra-senha-2"
Pair = tuple[Api, Api]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def mails(certificate: Path) -> Iterator[MailReceiver]:
    receiver = MailReceiver(certificate)
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def mail_api(
    postgres: Postgres,
    database: str,
    certificate: Path,
    mails: MailReceiver,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Api]:
    """A copy of the service with a mail server in its settings."""
    extra = {
        "SMTP_HOST": "localhost",
        "SMTP_PORT": str(mails.port),
        "SMTP_USER": "hub",
        "SMTP_PASSWORD": "smtp-pa55",
        "SMTP_FROM": "EnlevoHub <hub@obra.com>",
        "SMTP_CA_FILE": str(certificate),
        "FRONTEND_URL": "https://hub.example",
    }
    api = Api(postgres.url(database), tmp_path_factory.mktemp("mail") / "api.log", "api3", extra)
    with running(api):
        yield api


def forgot(api: Api, email: str, address: str | None = None) -> httpx.Response:
    with api.client(address=address) as client:
        return client.post("/api/v1/auth/forgot-password", json={"email": email})


def reset(api: Api, token: str, password: str = NEW_PASSWORD) -> httpx.Response:
    with api.client() as client:
        return client.post("/api/v1/auth/reset-password", json={"token": token, "newPassword": password})


def patch_profile(api: Api, token: str, body: dict[str, object]) -> httpx.Response:
    with api.client(token) as client:
        return client.patch("/api/v1/auth/profile", json=body)


def change(api: Api, token: str, current: str = PASSWORD, new: str = NEW_PASSWORD) -> httpx.Response:
    with api.client(token) as client:
        return client.post("/api/v1/auth/change-password", json={"currentPassword": current, "newPassword": new})


def test_profile_changes_name_and_email(api: Api, account: Account) -> None:
    email = f"New-{account.email}"
    response = patch_profile(api, account.access, {"name": "Bia", "email": email})
    assert response.status_code == 200
    assert (response.json()["name"], response.json()["email"]) == ("Bia", email.lower())
    assert set(response.json()) == {
        "id", "email", "name", "role", "tenantId", "contractorId", "isApproved", "createdAt", "tenant", "contractor",
    }  # fmt: skip
    assert login(api, email).status_code == 200


def test_profile_keeps_what_is_left_out(api: Api, account: Account) -> None:
    assert patch_profile(api, account.access, {}).json()["email"] == account.email


def test_profile_email_of_somebody_else_is_400(api: Api, account: Account) -> None:
    other = register(api)
    response = patch_profile(api, account.access, {"email": other.email})
    assert (response.status_code, set(response.json())) == (400, {"error", "message"})


@pytest.mark.parametrize("body", [{"name": "B"}, {"name": None}, {"email": "no"}, {"email": "a@b.com\n"}])
def test_profile_bad_value_is_400(api: Api, account: Account, body: dict[str, object]) -> None:
    assert patch_profile(api, account.access, body).status_code == 400


def test_changed_password_signs_in_and_the_old_one_does_not(api: Api, account: Account) -> None:
    assert change(api, account.access).status_code == 200
    assert login(api, account.email, NEW_PASSWORD).status_code == 200
    assert login(api, account.email).status_code == 401


def test_change_password_ends_the_other_sessions_and_keeps_its_own(apis: Pair, account: Account) -> None:
    other = login(apis[1], account.email).json()["tokens"]
    assert change(apis[0], account.access).status_code == 200
    assert refresh(apis[1], other["refreshToken"]).status_code == 401
    assert refresh(apis[1], account.refresh).status_code == 200
    for api in apis:
        with api.client(account.access) as client:
            assert client.get("/api/v1/auth/me").status_code == 200


@pytest.mark.parametrize(
    ("current", "new"),
    [("Wrong-pw1", NEW_PASSWORD), ("", NEW_PASSWORD), (PASSWORD, "short1A"), (PASSWORD, "nocapital1")],
)
def test_change_password_refused_changes_nothing(api: Api, account: Account, current: str, new: str) -> None:
    assert change(api, account.access, current, new).status_code == 400
    assert login(api, account.email).status_code == 200


def test_change_password_at_once_happens_once(apis: Pair, account: Account) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda number: change(apis[number % 2], account.access, new=f"Nova-senha-{number}"), range(4))
        )
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


def test_reset_link_sets_a_password_and_ends_all_sessions(mail_api: Api, mails: MailReceiver) -> None:
    account = register(mail_api)
    assert forgot(mail_api, account.email.upper()).status_code == 200
    mail = mails.wait_for(account.email)
    assert (mail.encrypted, mail.login) == (True, ("hub", "smtp-pa55"))
    assert mail.message["From"] == "EnlevoHub <hub@obra.com>"
    assert f"https://hub.example/reset-password?token={mail.token}" in mail.text
    assert reset(mail_api, mail.token).status_code == 200
    assert login(mail_api, account.email, NEW_PASSWORD).status_code == 200
    assert login(mail_api, account.email).status_code == 401
    assert refresh(mail_api, account.refresh).status_code == 401
    with mail_api.client(account.access) as client:
        assert client.get("/api/v1/auth/me").status_code == 401


def test_reset_token_works_once(mail_api: Api, mails: MailReceiver) -> None:
    account = register(mail_api)
    forgot(mail_api, account.email)
    token = mails.wait_for(account.email).token
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: reset(mail_api, token, f"Nova-senha-{number}"), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert reset(mail_api, token).status_code == 400


def test_reset_token_of_an_earlier_mail_is_void(mail_api: Api, mails: MailReceiver) -> None:
    account = register(mail_api)
    forgot(mail_api, account.email)
    first = mails.wait_for(account.email).token
    forgot(mail_api, account.email)
    second = mails.wait_for(account.email, 2).token
    assert [reset(mail_api, token).status_code for token in (first, second)] == [400, 200]


def test_reset_token_lives_one_hour(mail_api: Api, mails: MailReceiver, postgres: Postgres, database: str) -> None:
    account = register(mail_api)
    forgot(mail_api, account.email)
    token = mails.wait_for(account.email).token
    life = postgres.sql(
        f"""select round(extract(epoch from expires_at - created_at)) from password_resets
            where user_id = '{account.user_id}'""",
        database,
    )
    assert life == "3600"
    postgres.sql(f"update password_resets set expires_at = now() where user_id = '{account.user_id}'", database)
    assert reset(mail_api, token).status_code == 400


def test_reset_token_is_stored_as_a_hash(mail_api: Api, mails: MailReceiver, postgres: Postgres, database: str) -> None:
    account = register(mail_api)
    forgot(mail_api, account.email)
    token = mails.wait_for(account.email).token
    rows = postgres.sql(f"select p::text from password_resets p where user_id = '{account.user_id}'", database)
    assert rows.count("\n") == 0
    assert token not in rows
    assert bytes.fromhex(token).hex() not in rows


def test_reset_token_is_void_after_the_password_changed(mail_api: Api, mails: MailReceiver) -> None:
    account = register(mail_api)
    forgot(mail_api, account.email)
    token = mails.wait_for(account.email).token
    assert change(mail_api, account.access).status_code == 200
    assert reset(mail_api, token, "Terceira-3").status_code == 400


def test_reset_token_is_void_after_the_email_changed(mail_api: Api, mails: MailReceiver) -> None:
    account = register(mail_api)
    forgot(mail_api, account.email)
    token = mails.wait_for(account.email).token
    assert patch_profile(mail_api, account.access, {"email": f"new-{account.email}"}).status_code == 200
    assert reset(mail_api, token).status_code == 400


@pytest.mark.parametrize("token", ["0" * 64, "x", "é", "0" * 200])
def test_reset_with_an_unknown_token_is_400(api: Api, token: str) -> None:
    assert reset(api, token).status_code == 400


def test_reset_with_a_weak_password_keeps_the_token(mail_api: Api, mails: MailReceiver) -> None:
    account = register(mail_api)
    forgot(mail_api, account.email)
    token = mails.wait_for(account.email).token
    assert [reset(mail_api, token, "weak").status_code, reset(mail_api, token).status_code] == [400, 200]


def test_forgot_answers_the_same_for_an_unknown_account(mail_api: Api, mails: MailReceiver) -> None:
    account = register(mail_api)
    known, unknown = forgot(mail_api, account.email), forgot(mail_api, f"no-{account.email}")
    assert known.status_code == unknown.status_code == 200
    assert known.json() == unknown.json()
    mails.wait_for(account.email)
    assert mails.to(f"no-{account.email}") == []


def test_forgot_of_an_inactive_account_sends_nothing(
    mail_api: Api, mails: MailReceiver, postgres: Postgres, database: str
) -> None:
    account, marker = register(mail_api), register(mail_api)
    postgres.sql(f"update users set is_active = false where id = '{account.user_id}'", database)
    assert forgot(mail_api, account.email).status_code == 200
    forgot(mail_api, marker.email)
    mails.wait_for(marker.email)
    count = postgres.sql(f"select count(*) from password_resets where user_id = '{account.user_id}'", database)
    assert (count, mails.to(account.email)) == ("0", [])


def test_forgot_takes_the_same_time_for_an_unknown_account(mail_api: Api) -> None:
    accounts = [register(mail_api).email for _ in range(3)]

    def seconds(email: str) -> float:
        started = time.perf_counter()
        assert forgot(mail_api, email).status_code == 200
        return time.perf_counter() - started

    pairs = [(seconds(f"nobody-{number}@obra.com"), seconds(accounts[number % 3])) for number in range(12)]
    unknown, known = (statistics.median(column) for column in zip(*pairs, strict=True))
    assert unknown > known * 0.4


def test_mail_server_of_the_company_comes_first(
    mail_api: Api, mails: MailReceiver, certificate: Path, postgres: Postgres, database: str
) -> None:
    own = MailReceiver(certificate, "tls")
    try:
        account = register(mail_api)
        postgres.sql(
            f"""update tenants set settings = '{{"smtp": {{"host": "localhost", "port": {own.port}, "secure": true,
                "user": "empresa", "password": "empresa-pa55", "fromName": "Obra Á", "fromEmail": "a@empresa.com"}}}}'
                where id = '{account.tenant_id}'""",
            database,
        )
        forgot(mail_api, account.email)
        mail = own.wait_for(account.email)
        assert (mail.encrypted, mail.login) == (True, ("empresa", "empresa-pa55"))
        assert str(mail.message["From"]) == "Obra Á <a@empresa.com>"
        assert mails.to(account.email) == []
    finally:
        own.close()


def test_reset_link_is_logged_only_in_development(postgres: Postgres, database: str, tmp_path: Path) -> None:
    log = {}
    for environment in ("production", "development"):
        api = Api(postgres.url(database), tmp_path / f"{environment}.log", extra={"ENVIRONMENT": environment})
        with running(api):
            account = register(api)
            assert forgot(api, account.email).status_code == 200
            wait_until(lambda api=api: "reset link" in api.log_path.read_text(), "the log line")  # type: ignore[misc]
            log[environment] = api.log_path.read_text()
    assert "/reset-password?token=" in log["development"]
    assert "token=" not in log["production"]


def test_log_has_no_secret_of_an_account(mail_api: Api, mails: MailReceiver) -> None:
    account = register(mail_api)
    forgot(mail_api, account.email)
    token = mails.wait_for(account.email).token
    reset(mail_api, token)
    access = login(mail_api, account.email, NEW_PASSWORD).json()["tokens"]["accessToken"]
    change(mail_api, access, NEW_PASSWORD, "Terceira-3")
    change(mail_api, access, "Errada-9", "Terceira-3")
    text = mail_api.log_path.read_text()
    secrets = (
        PASSWORD, NEW_PASSWORD, "Terceira-3", "Errada-9", "smtp-pa55", "pa55-w0rd", token, access,
        account.access, account.refresh, account.email,
    )  # fmt: skip
    assert [secret for secret in secrets if secret in text] == []


def partner(api: Api, company: Account, kind: str, **changes: object) -> tuple[str, httpx.Response]:
    email = f"{kind}-{time.time_ns()}@obra.com"
    body: dict[str, object] = {
        "email": email,
        "password": PASSWORD,
        "name": "Pedro",
        "tenantDocument": company.document,
        "document": "12345678901",
    }
    body |= (
        {"specialty": ["pintura"], "contacts": {"phone": "84"}}
        if kind == "contractor"
        else {"creci": "1", "phone": "84"}
    )
    with api.client() as client:
        return email, client.post(f"/api/v1/auth/register-{kind}", json=body | changes)


@pytest.mark.parametrize("kind", ["contractor", "broker"])
def test_partner_waits_for_approval_and_then_signs_in(apis: Pair, account: Account, kind: str) -> None:
    email, response = partner(apis[0], account, kind)
    assert (response.status_code, set(response.json())) == (200, {"message"})
    refused = login(apis[1], email)
    assert (refused.status_code, refused.json()["message"]) == (401, "Sua conta aguarda aprovação")
    with apis[1].client(account.access) as client:
        (row,) = [row for row in client.get("/api/v1/users").json()["data"] if row["email"] == email]
        assert (row["role"], row["isApproved"]) == (kind.upper(), False)
        assert client.post(f"/api/v1/users/{row['id']}/approve", json={}).status_code == 200
    answer = login(apis[0], email).json()
    assert answer["user"][f"{kind}Id"] is not None
    with apis[0].client(answer["tokens"]["accessToken"]) as client:
        contractor = client.get("/api/v1/auth/me").json()["contractor"]
    expected = {"name": "Pedro", "document": "12345678901", "specialty": ["pintura"]}
    assert contractor is None if kind == "broker" else contractor | expected == contractor


@pytest.mark.parametrize("kind", ["contractor", "broker"])
@pytest.mark.parametrize(
    "changes",
    [{"tenantDocument": "no-such-company"}, {"password": "weak"}, {"document": "1"}, {"email": "taken"}],
    ids=["company", "password", "document", "email"],
)
def test_partner_refused_leaves_nothing_behind(
    api: Api, account: Account, postgres: Postgres, database: str, kind: str, changes: dict[str, str]
) -> None:
    changes = {"email": account.email} if "email" in changes else changes
    _, response = partner(api, account, kind, **changes)
    assert (response.status_code, response.json()["message"] != "") == (400, True)
    count = postgres.sql(f"select count(*) from {kind}s where tenant_id = '{account.tenant_id}'", database)
    assert count == "0"


@pytest.mark.parametrize("specialty", [[], "pintura", [1], None])
def test_contractor_needs_a_specialty(api: Api, account: Account, specialty: object) -> None:
    assert partner(api, account, "contractor", specialty=specialty)[1].status_code == 400


def test_silent_mail_server_does_not_keep_the_service_from_leaving(
    postgres: Postgres, database: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        extra = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(silent.getsockname()[1]), "SMTP_FROM": "hub@obra.com"}
        api = Api(postgres.url(database), tmp_path / "api.log", extra=extra)
        with running(api):
            assert forgot(api, register(api).email).status_code == 200
            api.terminate()
            assert api.process is not None
            assert api.process.wait(60) == 0
    assert "mails dropped: the service stops" in api.log_path.read_text()
