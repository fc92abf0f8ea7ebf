"""Redis: TLS only, users with no more than they need, one primary that the others follow, nothing forgotten."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

PKI = "/etc/enlevohub/pki"
TLS = f"--tls --cacert {PKI}/ca.crt"


@pytest.fixture(params=["redis", "sentinel"])
def port(request: pytest.FixtureRequest) -> int:
    """The port of each of the two services."""
    return {"redis": 6379, "sentinel": 26379}[request.param]


def as_user(datacenter: Any, server: str, user: str, secret: str, command: str, port: int = 6379) -> str:
    """Run a command as a user of Redis; the password goes by standard input."""
    password = datacenter.secrets[secret]
    client = f"redis-cli -h {datacenter.address(server)} -p {port} {TLS} --user {user} --askpass --no-auth-warning"
    return str(datacenter.host(server).run(f"printf '%s\\n' {password} | {client} {command} 2>&1").stdout)


def as_application(datacenter: Any, server: str, command: str, port: int = 6379) -> str:
    """Run a command as the API."""
    return as_user(datacenter, server, "enlevohub", "vault_redis_application_password", command, port)


def status(datacenter: Any, server: str) -> dict[str, Any]:
    """Return what a member says of itself."""
    found: dict[str, Any] = json.loads(datacenter.run(server, "redis-admin status"))
    return found


def primary(datacenter: Any) -> str:
    """Return the name of the primary."""
    (name,) = [n for n in datacenter.groups["redis_servers"] if status(datacenter, n)["role"] == "primary"]
    return str(name)


def test_redis_has_one_primary_and_every_other_member_is_in_sync_with_it(datacenter: Any) -> None:
    leader = primary(datacenter)
    found = {name: status(datacenter, name) for name in datacenter.groups["redis_servers"]}
    replicas = {name: (item["state"], item["of"]) for name, item in found.items() if name != leader}
    assert replicas == dict.fromkeys(set(found) - {leader}, ("in sync", datacenter.address(leader)))
    assert found[leader]["replicas"] == len(replicas)


def test_redis_sentinel_could_move_the_primary(datacenter: Any, redis_server: str) -> None:
    assert status(datacenter, redis_server)["sentinel"] == "quorum"


def test_redis_services_start_at_boot(datacenter: Any, redis_server: str) -> None:
    host = datacenter.host(redis_server)
    assert all(host.service(name).is_enabled for name in ("redis-server", "redis-sentinel"))


def test_redis_refuses_plain_connections(datacenter: Any, redis_server: str, port: int) -> None:
    client = f"redis-cli -h {datacenter.address(redis_server)} -p {port}"
    result = datacenter.host(redis_server).run(f"timeout 5 {client} PING")
    assert "PONG" not in result.stdout
    assert "NOAUTH" not in result.stdout


def test_redis_certificate_is_refused_by_who_trusts_another_ca(datacenter: Any, redis_server: str, port: int) -> None:
    ask = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -out /tmp/other-ca.crt "
        "-subj /CN=other 2>/dev/null; openssl s_client -verify_return_error -CAfile {ca} "
        f"-connect {datacenter.address(redis_server)}:{port} </dev/null"
    )
    host = datacenter.host(redis_server)
    assert host.run(ask.format(ca="/tmp/other-ca.crt")).rc != 0
    assert host.run(ask.format(ca=f"{PKI}/ca.crt")).rc == 0


def test_redis_refuses_a_client_certificate_of_another_ca(datacenter: Any, redis_server: str, port: int) -> None:
    make = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=app1 "
        "-keyout /tmp/other.key -out /tmp/other.crt 2>/dev/null"
    )
    own = "--cert /tmp/other.crt --key /tmp/other.key"
    client = f"redis-cli -h {datacenter.address(redis_server)} -p {port} {TLS} {own}"
    result = datacenter.host(redis_server).run(f"{make}; timeout 5 {client} PING; rm -f /tmp/other.*")
    assert "PONG" not in result.stdout
    assert "NOAUTH" not in result.stdout


@pytest.mark.parametrize("protocol", ["-tls1_1", "-tls1"])
def test_redis_refuses_old_tls(datacenter: Any, redis_server: str, port: int, protocol: str) -> None:
    ask = f"openssl s_client {protocol} -connect {datacenter.address(redis_server)}:{port} </dev/null"
    assert "Cipher is (NONE)" in datacenter.host(redis_server).run(ask).stdout


def test_redis_says_nothing_without_a_user(datacenter: Any, redis_server: str, port: int) -> None:
    client = f"redis-cli -h {datacenter.address(redis_server)} -p {port} {TLS}"
    assert "NOAUTH" in datacenter.host(redis_server).run(f"{client} PING").stdout


def test_redis_refuses_a_wrong_password(datacenter: Any, redis_server: str, port: int) -> None:
    said = as_user(datacenter, redis_server, "enlevohub", "vault_redis_sentinel_password", "PING", port)
    assert "WRONGPASS" in said


def test_redis_lets_the_application_keep_its_marks(datacenter: Any) -> None:
    server = primary(datacenter)
    assert "OK" in as_application(datacenter, server, "SET enlevohub:test 1 EX 60")
    assert "1" in as_application(datacenter, server, "GET enlevohub:test").splitlines()


@pytest.mark.parametrize(
    "command",
    [
        "SET other 1",
        "FLUSHALL",
        "CONFIG GET dir",
        "KEYS '*'",
        "ACL LIST",
        "SHUTDOWN NOW",
        "REPLICAOF NO ONE",
        "EVAL 1 0",
    ],
)
def test_redis_refuses_the_application_what_it_does_not_need(datacenter: Any, command: str) -> None:
    assert "NOPERM" in as_application(datacenter, primary(datacenter), command)


def test_redis_lets_the_application_ask_for_the_primary_and_nothing_more(datacenter: Any, redis_server: str) -> None:
    service = f"enlevohub-{datacenter.variables[redis_server]['enlevohub_environment']}"
    ask = f"SENTINEL GET-MASTER-ADDR-BY-NAME {service}"
    address = datacenter.address(primary(datacenter))
    assert address in as_application(datacenter, redis_server, ask, 26379)
    assert "NOPERM" in as_application(datacenter, redis_server, f"SENTINEL FAILOVER {service}", 26379)


@pytest.mark.parametrize("user", ["replication", "sentinel"])
def test_redis_lets_no_other_service_read_a_key(datacenter: Any, redis_server: str, user: str) -> None:
    said = as_user(datacenter, redis_server, user, f"vault_redis_{user}_password", "GET enlevohub:test")
    assert "NOPERM" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [("maxmemory-policy", "noeviction"), ("appendonly", "yes"), ("min-replicas-to-write", "1"), ("port", "0")],
)
def test_redis_runs_with_its_settings(datacenter: Any, redis_server: str, name: str, value: str) -> None:
    assert datacenter.run(redis_server, f"redis-admin CONFIG GET {name}").split() == [name, value]


def test_redis_writes_are_on_disk(datacenter: Any, redis_server: str) -> None:
    state = datacenter.run(redis_server, "redis-admin INFO persistence")
    assert "aof_enabled:1" in state
    assert "aof_last_write_status:ok" in state


def test_redis_passwords_are_not_readable_for_others(datacenter: Any, redis_server: str) -> None:
    found = datacenter.run(redis_server, "find /etc/redis /var/lib/redis -type f -perm /o+r -name '*enlevohub*'")
    assert found == ""
    words = datacenter.run(redis_server, "cat /proc/$(pidof redis-server)/environ /proc/$(pidof redis-server)/cmdline")
    assert datacenter.secrets_in(words) == []


def test_redis_spares_every_backend_questions_to_postgresql(datacenter: Any, backend_server: str) -> None:
    token = datacenter.register()["tokens"]["accessToken"]
    address = f"http://{datacenter.address(backend_server)}:3001/api/v1/auth/me"
    read = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9091/metrics').read().decode())"

    def leases() -> float:
        metrics = datacenter.run(backend_server, f'docker exec backend-api-1 python3 -c "{read}"')
        found = re.search(r'^enlevohub_token_checks_total\{by="lease"\} (\S+)$', metrics, re.MULTILINE)
        assert found is not None
        return float(found[1])

    before = leases()

    def spared() -> bool:
        ask = f"curl -sSf -o /dev/null -H 'Authorization: Bearer {token}' {address}"
        datacenter.run(backend_server, " && ".join([ask] * 5))
        return leases() > before

    datacenter.wait("an answer by Redis", spared, 60)
