"""The end of access tokens, on two copies of the service: without Redis, with it, and while it fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest
from enlevohub_lab.ports import free_port

from service.mail_support import make_certificate
from service.redis_support import BREAKS, Pair, RedisProcess, Wire, master, replica, sentinel, two_copies
from service.redis_support import PASSWORD as REDIS_PASSWORD
from service.support import (
    PASSWORD,
    Account,
    Api,
    Postgres,
    login,
    refresh,
    register,
    shared_directory,
    wait_until,
)

pytestmark = pytest.mark.postgres

NEW_PASSWORD = "Outra-senha-2"


@pytest.fixture(params=["postgres", "redis"])
def pair(request: pytest.FixtureRequest) -> Pair:
    """Two copies without and with Redis."""
    found: Pair = request.getfixturevalue("apis" if request.param == "postgres" else "redis_apis")
    return found


def me(api: Api, token: str) -> int:
    with api.client(token) as client:
        return client.get("/api/v1/auth/me").status_code


def statuses(pair: Pair, token: str) -> list[int]:
    return [me(api, token) for api in pair]


def post(api: Api, path: str, token: str, body: dict[str, str] | None = None) -> httpx.Response:
    with api.client(token) as client:
        return client.post(f"/api/v1{path}", json=body or {})


def member(api: Api, boss: Account, role: str = "ENGINEER") -> Account:
    """Create a user of the boss's company and sign in."""
    email = f"member-{time.time_ns()}@obra.com"
    body = {"email": email, "password": PASSWORD, "name": "Rui", "role": role}
    with api.client(boss.access) as client:
        assert client.post("/api/v1/users", json=body).status_code == 200
    answer = login(api, email)
    assert answer.status_code == 200, answer.text
    return Account(email, boss.document, answer.json())


def end_by_logout(pair: Pair, boss: Account, user: Account) -> httpx.Response:
    return post(pair[0], "/auth/logout", user.access, {"refreshToken": user.refresh})


def end_by_logout_everywhere(pair: Pair, boss: Account, user: Account) -> httpx.Response:
    return post(pair[0], "/auth/logout", user.access)


def end_by_rejection(pair: Pair, boss: Account, user: Account) -> httpx.Response:
    return post(pair[0], f"/users/{user.user_id}/reject", boss.access)


def change(pair: Pair, boss: Account, user: Account, body: dict[str, object]) -> httpx.Response:
    with pair[0].client(boss.access) as client:
        return client.patch(f"/api/v1/users/{user.user_id}", json=body)


def end_by_deactivation(pair: Pair, boss: Account, user: Account) -> httpx.Response:
    return change(pair, boss, user, {"isActive": False})


def end_by_another_role(pair: Pair, boss: Account, user: Account) -> httpx.Response:
    return change(pair, boss, user, {"role": "VIEWER"})


def end_by_password_on_another_device(pair: Pair, boss: Account, user: Account) -> httpx.Response:
    other = login(pair[1], user.email).json()["tokens"]["accessToken"]
    body = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    return post(pair[0], "/auth/change-password", other, body)


End = Callable[[Pair, Account, Account], httpx.Response]
ENDS: dict[str, End] = {
    "logout": end_by_logout,
    "logout everywhere": end_by_logout_everywhere,
    "rejection": end_by_rejection,
    "deactivation": end_by_deactivation,
    "another role": end_by_another_role,
    "password": end_by_password_on_another_device,
}


@pytest.mark.parametrize("end", ENDS)
def test_ended_token_is_refused_at_once_by_both_copies(pair: Pair, end: str) -> None:
    boss = register(pair[0])
    user = member(pair[0], boss)
    assert statuses(pair, user.access) == [200, 200]
    response = ENDS[end](pair, boss, user)
    assert response.status_code == 200, response.text
    assert statuses(pair, user.access) == [401, 401]
    assert statuses(pair, boss.access) == [200, 200]


def test_reused_refresh_token_ends_the_access_tokens_of_its_session(
    pair: Pair, postgres: Postgres, database: str
) -> None:
    user = register(pair[0])
    access = refresh(pair[0], user.refresh).json()["accessToken"]
    assert statuses(pair, access) == [200, 200]
    postgres.sql(
        f"""update refresh_tokens set used_at = used_at - interval '1 hour'
            where session_id in (select id from sessions where user_id = '{user.user_id}')""",
        database,
    )
    assert refresh(pair[0], user.refresh).status_code == 401
    assert statuses(pair, access) == [401, 401]


def test_user_shut_out_in_the_database_is_refused_within_a_lease(
    redis_apis: Pair, postgres: Postgres, database: str
) -> None:
    user = register(redis_apis[0])
    assert statuses(redis_apis, user.access) == [200, 200]
    postgres.sql(f"update users set is_active = false where id = '{user.user_id}'", database)
    wait_until(lambda: statuses(redis_apis, user.access) == [401, 401], "both copies refuse", 10)


def test_redis_spares_questions_to_the_database(redis_apis: Pair) -> None:
    user = register(redis_apis[0])

    def leases() -> float:
        text = redis_apis[0].metrics()
        return sum(float(line.split()[1]) for line in text.splitlines() if 'token_checks_total{by="lease"}' in line)

    before = leases()

    def asked_again() -> bool:
        statuses(redis_apis, user.access)
        return leases() > before

    wait_until(asked_again, "a good answer is taken again")


@pytest.mark.parametrize("failure", BREAKS)
def test_redis_away_token_stays_ended(redis_apis: Pair, broken_redis: RedisProcess, failure: str) -> None:
    user = register(redis_apis[0])
    assert statuses(redis_apis, user.access) == [200, 200]
    assert end_by_logout(redis_apis, user, user).status_code == 200
    BREAKS[failure](broken_redis)
    assert [statuses(redis_apis, user.access) for _ in range(5)] == [[401, 401]] * 5


@pytest.mark.parametrize("failure", BREAKS)
def test_redis_away_token_ends_and_others_stay_good(redis_apis: Pair, broken_redis: RedisProcess, failure: str) -> None:
    user, other = register(redis_apis[0]), register(redis_apis[1])
    assert statuses(redis_apis, user.access) == [200, 200]
    BREAKS[failure](broken_redis)
    assert statuses(redis_apis, other.access) == [200, 200]
    assert end_by_logout(redis_apis, user, user).status_code == 200
    assert statuses(redis_apis, user.access) == [401, 401]
    assert statuses(redis_apis, other.access) == [200, 200]


def test_copy_cut_off_from_redis_ends_tokens_on_the_copy_that_is_not(
    postgres: Postgres, database: str, redis: RedisProcess, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        wire = Wire(redis.port)
        stack.callback(wire.cut)
        urls = f"redis://127.0.0.1:{wire.port}/2", f"redis://127.0.0.1:{redis.port}/2"
        pair = stack.enter_context(two_copies(postgres, database, tmp_path, *urls))
        first, second = register(pair[0]), register(pair[0])
        assert statuses(pair, first.access) == statuses(pair, second.access) == [200, 200]
        wire.cut()
        for user in (first, second):
            assert statuses(pair, user.access) == [200, 200]
            assert end_by_logout(pair, user, user).status_code == 200
            assert statuses((pair[1], pair[0]), user.access) == [401, 401]


def test_redis_that_forgot_everything_brings_no_token_back(redis_apis: Pair, broken_redis: RedisProcess) -> None:
    user = register(redis_apis[0])
    assert statuses(redis_apis, user.access) == [200, 200]
    assert end_by_logout(redis_apis, user, user).status_code == 200
    broken_redis.kill()
    broken_redis.start()
    assert broken_redis.ask("DBSIZE") == "0"
    assert [statuses(redis_apis, user.access) for _ in range(5)] == [[401, 401]] * 5


def test_redis_back_is_used_again(redis_apis: Pair, broken_redis: RedisProcess) -> None:
    user = register(redis_apis[0])
    broken_redis.kill()
    assert statuses(redis_apis, user.access) == [200, 200]
    broken_redis.start()

    def up() -> bool:
        statuses(redis_apis, user.access)
        return redis_up(redis_apis[0])

    wait_until(up, "redis is used again")
    assert end_by_logout(redis_apis, user, user).status_code == 200
    assert statuses(redis_apis, user.access) == [401, 401]


def test_redis_with_another_password_only_makes_slower(postgres: Postgres, database: str, tmp_path: Path) -> None:
    with shared_directory("redis") as directory, ExitStack() as stack:
        server = RedisProcess(directory, "other", ["requirepass another-one"])
        stack.callback(server.stop)
        server.start(expect="NOAUTH")
        url = f"redis://127.0.0.1:{server.port}"
        pair = stack.enter_context(two_copies(postgres, database, tmp_path, url))
        user = register(pair[0])
        assert statuses(pair, user.access) == [200, 200]
        assert end_by_logout(pair, user, user).status_code == 200
        assert statuses(pair, user.access) == [401, 401]
        text = pair[0].log_path.read_text()
        assert "AuthenticationError: invalid username-password pair" in text
        assert REDIS_PASSWORD not in text


def test_redis_over_tls_is_used_when_its_authority_is_known(postgres: Postgres, database: str, tmp_path: Path) -> None:
    with shared_directory("redis-tls") as directory, ExitStack() as stack:
        certificate = make_certificate(directory)
        for path in directory.iterdir():
            path.chmod(0o644)
        tls_port = free_port()
        lines = [f"requirepass {REDIS_PASSWORD}", f"tls-port {tls_port}", "tls-auth-clients no"]
        lines += [f"tls-cert-file {certificate}", f"tls-key-file {certificate}", f"tls-ca-cert-file {certificate}"]
        server = RedisProcess(directory, "tls", lines)
        stack.callback(server.stop)
        server.start()
        url = f"rediss://localhost:{tls_port}/0"
        known = {"REDIS_URL": url, "REDIS_PASSWORD": REDIS_PASSWORD, "REDIS_CA_FILE": str(certificate)}
        unknown = {"REDIS_URL": url, "REDIS_PASSWORD": REDIS_PASSWORD}
        pair = (
            Api(postgres.url(database), tmp_path / "known.log", "api1", known),
            Api(postgres.url(database), tmp_path / "unknown.log", "api2", unknown),
        )
        for api in pair:
            stack.callback(api.stop)
            api.start()
        user = register(pair[0])
        assert statuses(pair, user.access) == [200, 200]
        assert [redis_up(api) for api in pair] == [True, False]
        assert end_by_logout(pair, user, user).status_code == 200
        assert server.ask("EXISTS", f"enlevohub:tokens:{user.user_id}") == "1"
        assert statuses(pair, user.access) == [401, 401]


def redis_up(api: Api) -> bool:
    return "enlevohub_redis_up 1.0" in api.metrics()


def test_sentinel_failover_keeps_ended_tokens_ended(postgres: Postgres, database: str, tmp_path: Path) -> None:
    with shared_directory("sentinel") as directory, ExitStack() as stack:

        def started(process: RedisProcess) -> RedisProcess:
            stack.callback(process.stop)
            process.start()
            return process

        first = started(master(directory, "first"))
        second = started(replica(directory, first))
        wait_until(lambda: "master_link_status:up" in second.ask("INFO", "replication"), "the replica follows", 60)
        guards = [started(sentinel(directory, f"sentinel{number}", first, 2)) for number in range(3)]
        for guard in guards:
            wait_until(partial(ready, guard), "the sentinels know each other and the replica", 60)
        hosts = ",".join(f"127.0.0.1:{guard.port}" for guard in guards)
        pair = stack.enter_context(two_copies(postgres, database, tmp_path, f"redis+sentinel://{hosts}/main"))

        early, late, other = register(pair[0]), register(pair[0]), register(pair[1])
        assert [statuses(pair, user.access) for user in (early, late, other)] == [[200, 200]] * 3
        assert end_by_logout(pair, early, early).status_code == 200
        first.kill()
        assert end_by_logout(pair, late, late).status_code == 200
        moved = str(second.port)
        wait_until(lambda: moved in guards[0].ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"), "the failover", 90)

        def up_again() -> bool:
            assert [statuses(pair, user.access) for user in (early, late)] == [[401, 401]] * 2
            assert statuses(pair, other.access) == [200, 200]
            return all(redis_up(api) for api in pair)

        wait_until(up_again, "the new master is used", 60)
        assert end_by_logout(pair, other, other).status_code == 200
        assert second.ask("EXISTS", f"enlevohub:tokens:{other.user_id}") == "1"
        assert statuses(pair, other.access) == [401, 401]


def test_sentinel_is_asked_as_the_user_that_is_set(postgres: Postgres, database: str, tmp_path: Path) -> None:
    with shared_directory("guarded") as directory, ExitStack() as stack:
        server = master(directory, "guarded")
        stack.callback(server.stop)
        server.start()
        users = [
            f"user guard on >{REDIS_PASSWORD} ~* -@all +@connection +sentinel|masters",
            "user default on nopass ~* -@all +ping +auth",
        ]
        guard = sentinel(directory, "guard", server, 1, *users)
        stack.callback(guard.stop)
        guard.start()
        url = {"REDIS_URL": f"redis+sentinel://127.0.0.1:{guard.port}/main", "REDIS_PASSWORD": REDIS_PASSWORD}
        login = {"REDIS_SENTINEL_USER": "guard", "REDIS_SENTINEL_PASSWORD": REDIS_PASSWORD}
        pair = (
            Api(postgres.url(database), tmp_path / "known.log", "api1", {**url, **login}),
            Api(postgres.url(database), tmp_path / "unknown.log", "api2", url),
        )
        for api in pair:
            stack.callback(api.stop)
            api.start()
        user = register(pair[0])
        assert statuses(pair, user.access) == [200, 200]
        assert [redis_up(api) for api in pair] == [True, False]
        assert end_by_logout(pair, user, user).status_code == 200
        assert statuses(pair, user.access) == [401, 401]


def ready(guard: RedisProcess) -> bool:
    """Tell whether a sentinel knows the two others and the replica."""
    words = guard.ask("SENTINEL", "MASTER", "main").split()
    facts = dict(zip(words[::2], words[1::2], strict=False))
    return (facts.get("num-other-sentinels"), facts.get("num-slaves")) == ("2", "1")
