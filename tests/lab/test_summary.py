"""What a report says of a lab, from canned answers."""

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest

from enlevohub_lab import status
from enlevohub_lab.inventory import Environment, Host
from enlevohub_lab.parts import (
    Part,
    Report,
    backup_part,
    database_part,
    etcd_part,
    pools_part,
    redis_part,
    releases_part,
    servers_part,
    storage_part,
)
from enlevohub_lab.ssh import Access
from enlevohub_lab.summary import render, render_json, table
from tests.lab.conftest import Program

NETWORK = ipaddress.IPv4Network("10.89.0.0/24")
LAB = Environment(
    "lab",
    Path("inventories/lab"),
    {
        "db1": Host("db1", NETWORK[21]),
        "db2": Host("db2", NETWORK[22]),
        "lb1": Host("lb1", NETWORK[31], ("127.0.0.1:8443:443",)),
    },
    {
        "database_servers": ("db1", "db2"),
        "load_balancers": ("lb1",),
        "etcd_servers": ("db1",),
        "redis_servers": ("db1",),
    },
)
LEADER = {"Cluster": "lab", "Member": "db1", "Host": "10.89.0.21", "Role": "Leader", "State": "running", "TL": 3}
STANDBY = {**LEADER, "Member": "db2", "Role": "Sync Standby", "State": "streaming", "Lag in MB": 0}
MEMBER = {"pool": "backend", "member": "app1", "address": "10.89.0.11:3001", "state": "UP", "sessions": 2}


def report(**problems: str) -> Report:
    """A report with a healthy database and, where told, a problem in it."""
    part = database_part([LEADER, STANDBY], "")
    return Report("lab", "https://localhost:8443", [Part(part.name, part.rows, problems.get("database", ""))])


def test_database_with_leader_and_synchronous_standby_is_well() -> None:
    assert database_part([LEADER, STANDBY], "").problem == ""


def test_database_lag_is_shown_for_the_standby() -> None:
    assert [row["lag MB"] for row in database_part([LEADER, STANDBY], "").rows] == ["", 0]


def test_database_without_leader_is_not_well() -> None:
    assert "no leader" in database_part([STANDBY], "").problem


def test_database_without_synchronous_standby_is_not_well() -> None:
    replica = {**STANDBY, "Role": "Replica"}
    assert "no synchronous standby" in database_part([LEADER, replica], "").problem


def test_database_with_a_stopped_member_is_not_well() -> None:
    assert "db2 is stopped" in database_part([LEADER, {**STANDBY, "State": "stopped"}], "").problem


def test_database_of_one_server_needs_no_standby() -> None:
    assert database_part([LEADER], "").problem == ""


@pytest.mark.parametrize(("state", "problem"), [("UP", ""), ("DOWN", "app1 of backend is DOWN"), ("MAINT", "app1 of")])
def test_pool_member_is_well_when_it_is_up(state: str, problem: str) -> None:
    found = pools_part([{**MEMBER, "state": state}], "").problem
    assert found.startswith(problem) if problem else found == ""


def test_load_balancer_without_members_is_not_well() -> None:
    assert pools_part([], "").problem == "no pool has a member"


PRIMARY = {"role": "primary", "state": "serves", "of": "", "replicas": 1, "memory": "1M", "sentinel": "quorum"}
REPLICA = {**PRIMARY, "role": "replica", "state": "in sync", "of": "10.89.0.11"}


def redis(app1: Any, app2: Any) -> Part:
    """The part of two Redis members, each by its answer or the reason why there is none."""
    told = [(item, "") if isinstance(item, dict) else (None, item) for item in (app1, app2)]
    return redis_part(dict(zip(("app1", "app2"), told, strict=True)), {"10.89.0.11": "app1"})


def test_redis_with_primary_and_replica_is_well() -> None:
    part = redis(PRIMARY, REPLICA)
    assert part.problem == ""
    assert [(row["member"], row["role"], row["of"]) for row in part.rows] == [
        ("app1", "primary", ""),
        ("app2", "replica", "app1"),
    ]


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ((REPLICA, REPLICA), "no primary"),
        ((PRIMARY, PRIMARY), "app1 and app2 are primaries"),
        ((PRIMARY, {**REPLICA, "state": "not in sync"}), "app2 is not in sync"),
        ((PRIMARY, {**REPLICA, "sentinel": "NOQUORUM"}), "app2: NOQUORUM"),
        (("Connection refused", PRIMARY), "app1 is Connection refused"),
    ],
)
def test_redis_that_is_not_well_says_why(answers: tuple[Any, Any], problem: str) -> None:
    assert redis(*answers).problem == problem


def test_etcd_member_without_answer_is_named_with_its_reason() -> None:
    answers: dict[str, tuple[Any, str]] = {"app1": ({"health": "true"}, ""), "app2": (None, "Connection refused")}
    assert etcd_part(answers).problem == "app2: Connection refused"


def test_etcd_member_that_says_false_is_unhealthy() -> None:
    assert etcd_part({"app1": ({"health": "false"}, "")}).problem == "app1: unhealthy"


STORAGE = {
    "leader": "app2",
    "servers": [
        {"name": "app1", "address": "10.89.0.11", "s3": "up", "objects": 7, "mib": 3},
        {"name": "app2", "address": "10.89.0.12", "s3": "up", "objects": 6, "mib": 2},
    ],
    "problems": [],
}


def test_storage_shows_the_leading_master_and_what_each_server_holds() -> None:
    part = storage_part(STORAGE, "")
    assert part.rows[1] == {"server": "app2", "s3": "up", "master": "leader", "objects": 6, "MiB": 2}
    assert part.problem == ""


def test_storage_that_tells_a_problem_is_not_well() -> None:
    away = {"name": "app1", "address": "10.89.0.11", "s3": "Connection refused", "objects": None, "mib": None}
    part = storage_part({**STORAGE, "servers": [away], "problems": ["app1 gives no objects"]}, "")
    assert (part.rows[0]["objects"], part.problem) == ("unknown", "app1 gives no objects")


def test_storage_that_nobody_can_ask_is_not_well() -> None:
    assert storage_part(None, "app1: no answer").problem == "app1: no answer"


KEEPER = {"backup": "20261126-115318F", "type": "full", "backup_age_hours": 3.0, "drill_age_days": 2.0, "problems": []}
WRITER = {"role": "leader", "wal_waiting_mib": 0, "problems": []}
COPIER = {"role": "standby", "problems": []}


def test_backup_shows_the_repository_and_the_leader() -> None:
    part = backup_part({"app3": (KEEPER, ""), "db1": (WRITER, ""), "db2": (COPIER, "")})
    assert part.problem == ""
    assert [(row["host"], row["part"]) for row in part.rows] == [("app3", "repository"), ("db1", "leader")]


def test_lost_repository_host_and_its_waiting_wal_are_problems() -> None:
    waiting = {**WRITER, "wal_waiting_mib": 96, "problems": ["WAL is not archived"]}
    part = backup_part({"app3": (None, "no route to host"), "db1": (waiting, "")})
    assert part.problem == "app3: no route to host; db1: WAL is not archived"


def test_server_without_container_is_missing() -> None:
    assert "db1 is missing" in servers_part(LAB, {}).problem


def test_part_without_answer_carries_the_reason_into_the_text() -> None:
    text = render(Report("lab", "", [Part("Database", problem="db1: no route to host")]), LAB, colours=False)
    assert "Database: not well\n  ! db1: no route to host" in text


def test_table_columns_are_aligned() -> None:
    assert table([{"a": "xxx", "b": 1}, {"a": "y", "b": 22}], False) == ["  a    b", "  xxx  1", "  y    22"]


def test_text_without_colours_has_no_escapes() -> None:
    assert "\x1b" not in render(report(), LAB, colours=False)


def test_text_with_colours_has_the_leader_in_green() -> None:
    assert "\x1b[32mLeader" in render(report(), LAB, colours=True)


def test_text_names_the_address_to_open() -> None:
    assert "https://localhost:8443" in render(report(), LAB, colours=False)


def test_text_offers_to_kill_the_leader_that_leads_now() -> None:
    assert "docker kill enlevohub-lab-db1" in render(report(), LAB, colours=False)


def test_text_has_a_login_for_every_server() -> None:
    text = render(report(), LAB, colours=False)
    assert all(f"operator@{host.address}" in text for host in LAB.hosts.values())


def test_json_says_whether_all_is_well() -> None:
    assert [json.loads(render_json(report(database=problem)))["well"] for problem in ("", "no leader")] == [True, False]


def test_address_is_the_published_port_of_the_load_balancer() -> None:
    assert status.public_address(LAB) == "https://localhost:8443"


def test_question_goes_to_the_next_server_when_the_first_is_silent(program: Program, tmp_path: Path) -> None:
    program("ssh", 'case "$*" in *10.89.0.21*) exit 255;; *) echo "[1]";; esac')
    assert status.ask_first(Access(tmp_path), LAB, "database_servers", "list") == ([1], "")


def test_question_that_nobody_answers_gives_every_reason(program: Program, tmp_path: Path) -> None:
    program("ssh", "echo Connection refused >&2; exit 255")
    answer = status.ask_first(Access(tmp_path), LAB, "database_servers", "list")
    assert answer == (None, "db1: Connection refused; db2: Connection refused")


def test_answer_that_is_no_json_is_a_reason(program: Program, tmp_path: Path) -> None:
    program("ssh", "echo hello")
    assert status.ask(Access(tmp_path), "10.89.0.21", "list") == (None, "unreadable answer: hello")


def test_page_without_a_certificate_authority_is_not_well(tmp_path: Path) -> None:
    (tmp_path / "vault.yml").write_text("{}\n")
    part = status.ask_page("https://localhost:1", tmp_path / "vault.yml")
    assert "no 'vault_pki_ca_certificate'" in part.problem


def test_part_that_cannot_be_asked_is_a_problem_of_that_part(program: Program, tmp_path: Path) -> None:
    program("docker", "echo Cannot connect >&2; exit 1")
    program("ssh", "exit 255")
    parts = status.collect(LAB, Access(tmp_path), tmp_path / "vault.yml").parts
    assert [part.name for part in parts if part.problem] == [
        "Page",
        "Database",
        "Load balancer",
        "Releases",
        "etcd",
        "Servers",
        "Redis",
    ]


RECORD = {
    "began": 1.0,
    "kind": "deploy",
    "release": "1.4.0",
    "by": "ana",
    "on": "control",
    "images": {"api": {"id": "sha256:0123456789abcdef"}},
}


@pytest.mark.parametrize(
    ("result", "problem"), [("success", ""), ("failed", ""), ("interrupted", "deploy 1.4.0 was interrupted")]
)
def test_releases_are_not_well_while_one_is_left_in_the_middle(result: str, problem: str) -> None:
    part = releases_part([{**RECORD, "result": result}], "")
    assert part.problem == problem
    assert (part.rows[0]["who"], part.rows[0]["images"]) == ("ana on control", "0123456789ab")


def test_releases_show_the_newest_last() -> None:
    part = releases_part([{**RECORD, "release": str(number), "result": "success"} for number in range(9)], "")
    assert [row["release"] for row in part.rows] == ["4", "5", "6", "7", "8"]


def test_answer_of_another_form_is_a_problem_of_that_part() -> None:
    part = status.answered("Database", lambda: database_part([{"Member": "db1"}], ""))
    assert part.problem.startswith("unexpected form of answer")
