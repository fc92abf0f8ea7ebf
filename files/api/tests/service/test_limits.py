"""Limits on attempts: shared by two copies, kept without Redis, and no way to lock somebody out."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from enlevohub_api.settings import SETTINGS, Limit, parse_duration
from service.support import PASSWORD, Account, Api, Postgres, random_address, register, running

pytestmark = pytest.mark.postgres

WRONG = "Wrong-pw1"
Pair = tuple[Api, Api]


def limit(name: str) -> Limit:
    """Give a limit of the settings; the copies under test run with the defaults."""
    default = next(setting.default for setting in SETTINGS if setting.name == name)
    assert default is not None
    count, _, window = default.partition("/")
    return Limit(int(count), parse_duration(window))


def login(api: Api, email: str, address: str, password: str = WRONG) -> httpx.Response:
    with api.client(address=address) as client:
        return client.post("/api/v1/auth/login", json={"email": email, "password": password})


def forgot(api: Api, email: str, address: str) -> httpx.Response:
    with api.client(address=address) as client:
        return client.post("/api/v1/auth/forgot-password", json={"email": email})


def check_refusal(response: httpx.Response, window: int) -> None:
    assert (response.status_code, set(response.json())) == (429, {"error", "message"})
    assert 0 < int(response.headers["retry-after"]) <= window


def test_login_failures_of_an_account_from_one_address_are_limited_on_both_copies(apis: Pair, account: Account) -> None:
    address, allowed = random_address(), limit("LIMIT_LOGIN")
    statuses = [login(apis[number % 2], account.email, address).status_code for number in range(allowed.count)]
    assert statuses == [401] * allowed.count
    for api in apis:
        check_refusal(login(api, account.email, address), allowed.seconds)
        check_refusal(login(api, account.email, address, PASSWORD), allowed.seconds)


def test_login_failures_in_parallel_do_not_slip_through(apis: Pair, account: Account) -> None:
    address, allowed = random_address(), limit("LIMIT_LOGIN")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: login(apis[number % 2], account.email, address), range(24)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(401), statuses.count(429)) == (allowed.count, 24 - allowed.count)


def test_limit_of_one_address_does_not_lock_the_owner_out(apis: Pair, account: Account) -> None:
    attacker = random_address()
    for number in range(limit("LIMIT_LOGIN").count + 1):
        login(apis[number % 2], account.email, attacker)
    assert login(apis[0], account.email, attacker).status_code == 429
    assert login(apis[0], account.email, random_address(), PASSWORD).status_code == 200


def test_limit_is_the_same_for_an_account_that_does_not_exist(apis: Pair) -> None:
    address, email, allowed = random_address(), f"nobody-{uuid.uuid4()}@obra.com", limit("LIMIT_LOGIN")
    statuses = [login(apis[number % 2], email, address).status_code for number in range(allowed.count + 1)]
    assert statuses == [401] * allowed.count + [429]


def test_good_login_starts_the_count_anew(api: Api, account: Account) -> None:
    address, allowed = random_address(), limit("LIMIT_LOGIN")
    for _ in range(2):
        for _ in range(allowed.count - 1):
            assert login(api, account.email, address).status_code == 401
        assert login(api, account.email, address, PASSWORD).status_code == 200


def test_good_logins_at_once_all_pass(apis: Pair, account: Account) -> None:
    address = random_address()
    with ThreadPoolExecutor(6) as pool:
        numbers = range(limit("LIMIT_LOGIN").count)
        answers = list(pool.map(lambda number: login(apis[number % 2], account.email, address, PASSWORD), numbers))
    assert [answer.status_code for answer in answers] == [200] * len(answers)


def test_window_ends(api: Api, account: Account, postgres: Postgres, database: str) -> None:
    address = random_address()
    for _ in range(limit("LIMIT_LOGIN").count + 1):
        response = login(api, account.email, address)
    assert response.status_code == 429
    postgres.sql("update rate_limits set expires_at = now() - interval '1 s'", database)
    assert login(api, account.email, address, PASSWORD).status_code == 200


@pytest.fixture
def strict(postgres: Postgres, database: str, tmp_path_factory: pytest.TempPathFactory) -> Api:
    """A copy whose limits of address and account are low; it counts where the others count."""
    extra = {"LIMIT_LOGIN_ADDRESS": "4/15m", "LIMIT_LOGIN_ACCOUNT": "4/15m", "LIMIT_REGISTER": "3/1h"}
    return Api(postgres.url(database), tmp_path_factory.mktemp("strict") / "api.log", "api3", extra)


def test_limits_of_address_account_and_registration(strict: Api) -> None:
    with running(strict):
        accounts = [register(strict) for _ in range(3)]

        office = random_address()
        statuses = [login(strict, f"{number}@obra.com", office).status_code for number in range(5)]
        assert statuses == [401, 401, 401, 401, 429]
        assert login(strict, accounts[0].email, office, PASSWORD).status_code == 429

        busy = random_address()
        for _ in range(6):
            assert login(strict, accounts[0].email, busy, PASSWORD).status_code == 200

        home = random_address()
        assert login(strict, accounts[1].email, home, PASSWORD).status_code == 200
        statuses = [login(strict, accounts[1].email, random_address()).status_code for _ in range(5)]
        assert statuses == [401, 401, 401, 401, 429]
        assert login(strict, accounts[1].email, random_address(), PASSWORD).status_code == 429
        assert login(strict, accounts[1].email, home, PASSWORD).status_code == 200

        address = random_address()
        with strict.client(address=address) as client:
            statuses = []
            for number in range(4):
                body = {
                    "email": f"{number}-{uuid.uuid4().hex}@obra.com",
                    "password": PASSWORD,
                    "name": "Ana",
                    "tenantName": "Obra",
                    "tenantDocument": uuid.uuid4().hex,
                }
                response = client.post("/api/v1/auth/register", json=body)
                statuses.append(response.status_code)
        assert statuses == [200, 200, 200, 429]
        check_refusal(response, 3600)


def test_forgot_is_limited_per_account_and_address(apis: Pair, account: Account) -> None:
    address, allowed = random_address(), limit("LIMIT_FORGOT")
    for email in (account.email, f"nobody-{account.email}"):
        answers = [forgot(apis[number % 2], email, address) for number in range(allowed.count + 1)]
        assert [answer.status_code for answer in answers] == [200] * allowed.count + [429]
        check_refusal(answers[-1], allowed.seconds)


def test_forgot_by_others_does_not_void_the_last_link_for_ever(
    apis: Pair, account: Account, postgres: Postgres, database: str
) -> None:
    def stored() -> str:
        query = f"select string_agg(token_hash::text, ',') from password_resets where user_id = '{account.user_id}'"
        return postgres.sql(query, database)

    for _ in range(limit("LIMIT_FORGOT").count):
        assert forgot(apis[0], account.email, random_address()).status_code == 200
    last = stored()
    assert last.count("\\x") == 1
    assert forgot(apis[1], account.email, random_address()).status_code == 200
    assert stored() == last


def test_change_of_password_is_limited_for_a_stolen_token(apis: Pair, account: Account) -> None:
    allowed = limit("LIMIT_LOGIN")
    body = {"currentPassword": WRONG, "newPassword": "Outra-senha-2"}
    statuses = []
    for number in range(allowed.count + 1):
        with apis[number % 2].client(account.access) as client:
            statuses.append(client.post("/api/v1/auth/change-password", json=body).status_code)
    assert statuses == [400] * allowed.count + [429]


def test_counters_hold_no_address_and_no_email(api: Api, account: Account, postgres: Postgres, database: str) -> None:
    address = "203.0.113.77"
    login(api, account.email, address)
    rows = postgres.sql("select encode(key, 'escape') from rate_limits", database)
    assert address not in rows
    assert account.email not in rows
