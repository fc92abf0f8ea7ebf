"""What somebody changed by hand is repaired by the next run, exactly that and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

CREATE = "rollout : Create and start the containers, and wait until they are healthy"


@pytest.fixture(scope="module")
def repaired(datacenter: Any) -> Any:
    """Damage seven things on six hosts, run site.yml once, run it again."""
    datacenter.wait("a whole cluster", datacenter.whole)
    datacenter.run("app1", "docker rm -f frontend-web-1")
    datacenter.run("app2", "docker stop backend-api-1")
    datacenter.run("app3", "sed -i s/20m/21m/ /etc/docker/daemon.json")
    datacenter.run("db1", "chmod 0644 /etc/patroni/config.yml")
    datacenter.run("db2", "rm /etc/profile.d/patronictl.sh")
    datacenter.run("lb1", "systemctl stop haproxy; nft flush ruleset")
    return datacenter.playbook("-vvv", "--diff"), datacenter.playbook()


@pytest.mark.parametrize(
    ("task", "host"),
    [
        (CREATE, "app1"),
        (CREATE, "app2"),
        ("docker : Provide the configuration of Docker", "app3"),
        ("patroni : Provide the configuration of Patroni", "db1"),
        ("patroni : Provide the configuration of Patroni", "db2"),
        ("haproxy : Run HAProxy", "lb1"),
        ("firewall : Keep the rules in the kernel", "lb1"),
    ],
)
def test_damage_is_repaired(repaired: Any, task: str, host: str) -> None:
    assert (task, host) in repaired[0].changed_tasks


def test_nothing_but_the_damage_is_touched(repaired: Any) -> None:
    expected = {
        ("rollout : Run the jobs once", "app2"),
        (CREATE, "app1"),
        (CREATE, "app2"),
        ("docker : Provide the configuration of Docker", "app3"),
        ("docker : Run Docker Engine", "app3"),
        ("patroni : Provide the configuration of Patroni", "db1"),
        ("patroni : Provide the configuration of Patroni", "db2"),
        ("patroni : Run Patroni", "db1"),
        ("haproxy : Run HAProxy", "lb1"),
        ("firewall : Keep the rules in the kernel", "lb1"),
    }
    assert repaired[0].changed_tasks <= expected


def test_the_run_after_the_repair_changes_nothing(repaired: Any) -> None:
    assert set(repaired[1].changed.values()) == {0}


def test_datacenter_serves_after_the_repair(repaired: Any, datacenter: Any) -> None:
    token = datacenter.register()["tokens"]["accessToken"]
    assert datacenter.create_project(token).status == 201


def test_output_of_a_verbose_run_holds_no_secret(repaired: Any, datacenter: Any) -> None:
    assert datacenter.secrets_in(repaired[0].output) == []
