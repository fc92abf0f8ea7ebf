"""Who may make which fault where, and what the drill is told."""

from __future__ import annotations

import pytest

from enlevohub_drill.failover import CONTROL, FAULTS, LONG, MATRIX
from tests.conftest import Renderer

ALL = [*FAULTS, LONG, MATRIX, CONTROL]


def findings(render: Renderer, fault: str, environment: str = "lab", **extra: object) -> list[str]:
    """Return why a drill is refused."""
    found: list[str] = render.value(
        "failover_drill", "__failover_drill_findings", "db1", environment=environment, fault=fault, **extra
    )
    return found


def test_role_knows_the_faults_of_the_program(render: Renderer) -> None:
    assert render.value("failover_drill", "__failover_drill_faults", "db1") == ALL


@pytest.mark.parametrize("fault", ALL)
def test_lab_allows_every_fault(render: Renderer, fault: str) -> None:
    assert findings(render, fault) == []


def test_switchover_is_allowed_where_people_work(render: Renderer) -> None:
    assert findings(render, "switchover", "datacenter") == []


@pytest.mark.parametrize("fault", ["postgres_kill", "patroni_kill", "partition", "etcd_loss", "standby_partition"])
def test_other_faults_want_the_name_of_the_cluster_where_people_work(render: Renderer, fault: str) -> None:
    (finding,) = findings(render, fault, "datacenter")
    assert "-e confirm=enlevohub-datacenter" in finding
    assert findings(render, fault, "datacenter", confirm="enlevohub-datacenter") == []


def test_the_name_of_another_cluster_does_not_count(render: Renderer) -> None:
    assert findings(render, "partition", "datacenter", confirm="enlevohub-lab")


@pytest.mark.parametrize("fault", ["host_stop", "standby_stop", "random", "matrix", "control"])
def test_loss_of_power_needs_a_command_for_it(render: Renderer, fault: str) -> None:
    (finding,) = findings(render, fault, "datacenter", confirm="enlevohub-datacenter")
    assert "failover_drill_power_off" in finding


def test_all_reasons_are_told_at_once(render: Renderer) -> None:
    assert len(findings(render, "", "datacenter")) == 2


def test_writer_gets_the_connection_string_of_the_application(render: Renderer) -> None:
    url = render.value("failover_drill", "failover_drill_database_url", "app3")
    inside = render.value("backend", "backend_database_url", "app3")
    assert url == inside.replace("/etc/enlevohub/ca.crt", "/etc/enlevohub/pki/ca.crt")


def test_program_reaches_every_server_as_ansible_does(render: Renderer) -> None:
    servers = render.value("failover_drill", "failover_drill_servers", "db1")
    assert set(servers) == {"app1", "app2", "app3", "db1", "db2"}
    assert (servers["db1"]["user"], servers["db1"]["address"]) == ("operator", "10.89.0.21")
