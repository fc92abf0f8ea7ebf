"""firewall: the rules of the lab's hosts."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT, Renderer, load_yaml

ANYWHERE = "anywhere"
RULE = re.compile(
    r'^\s*(?:ip saddr \{ (?P<sources>[^}]*) \} )?tcp dport \{ (?P<ports>[^}]*) \} accept comment "(?P<name>.*)"$', re.M
)


def rules(text: str) -> dict[str, tuple[str, set[str]]]:
    """Return ports and sources of the rules by the name of their service."""
    return {
        match["name"]: (match["ports"], set((match["sources"] or ANYWHERE).split(", ")))
        for match in RULE.finditer(text)
    }


APP1, APP2, APP3 = "10.89.0.11", "10.89.0.12", "10.89.0.13"
DB1, DB2, LB1 = "10.89.0.21", "10.89.0.22", "10.89.0.31"
ETCD = {
    "etcd clients": ("2379", {APP1, APP2, APP3, DB1, DB2}),
    "etcd peers": ("2380", {APP1, APP2, APP3, DB1, DB2}),
}
APPS = {APP1, APP2, APP3}
STATE = {
    "Redis": ("6379", APPS),
    "Sentinel": ("26379", APPS),
    "object storage (S3)": ("8333", APPS),
    "object storage (inside)": ("9333-9335, 18333, 19333-19335", APPS),
}
SSH = {"SSH": ("22", {ANYWHERE})}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("app1", {**SSH, **ETCD, **STATE, "frontend": ("80", {LB1}), "backend": ("3001-3016", {LB1, APP1})}),
        ("app2", {**SSH, **ETCD, **STATE, "backend": ("3001-3016", {LB1, APP1})}),
        (
            "app3",
            {
                **SSH,
                **ETCD,
                **STATE,
                "backend": ("3001-3016", {LB1, APP1}),
                "repository of backups": ("8432", {DB1, DB2}),
            },
        ),
        (
            "db1",
            {
                **SSH,
                **ETCD,
                "PostgreSQL": ("5432", {APP1, APP2, APP3, DB1, DB2}),
                "Patroni": ("8008", {DB1, DB2}),
                "pgBackRest of a database": ("8432", {APP3}),
            },
        ),
        ("lb1", {**SSH, "users": ("80, 443", {ANYWHERE}), "statistics of the load balancer": ("8404", {ANYWHERE})}),
    ],
)
def test_host_opens_what_its_tiers_need(render: Renderer, host: str, expected: dict[str, tuple[str, set[str]]]) -> None:
    assert rules(render("firewall", "firewall.nft.j2", host)) == expected


def test_foreign_load_balancer_reaches_the_backends_of_the_datacenter(render: Renderer) -> None:
    found = rules(render("firewall", "firewall.nft.j2", "app2", environment="datacenter"))
    assert found["backend"][1] == {ANYWHERE}


def test_rest_is_refused_after_all_that_is_opened(render: Renderer) -> None:
    lines = [line.strip() for line in render("firewall", "firewall.nft.j2", "db1").splitlines() if line.strip()]
    assert lines[-3:] == ["counter reject with icmpx admin-prohibited", "}", "}"]


@pytest.mark.parametrize(
    ("service", "role", "options"),
    [
        ("users", "haproxy", ["haproxy_http_port", "haproxy_https_port"]),
        ("statistics of the load balancer", "haproxy", ["haproxy_stats_port"]),
        ("PostgreSQL", "patroni", ["patroni_port"]),
        ("Patroni", "patroni", ["patroni_restapi_port"]),
        ("repository of backups", "backup", ["backup_port"]),
        ("pgBackRest of a database", "backup", ["backup_port"]),
        ("etcd clients", "etcd", ["etcd_client_port"]),
        ("etcd peers", "etcd", ["etcd_peer_port"]),
        ("Redis", "redis", ["redis_port"]),
        ("Sentinel", "redis", ["redis_sentinel_port"]),
        ("object storage (S3)", "object_storage", ["object_storage_port"]),
    ],
)
def test_ports_are_those_of_the_roles(service: str, role: str, options: list[str]) -> None:
    defaults = load_yaml(ROOT / "roles" / role / "defaults" / "main.yml")
    matrix = load_yaml(ROOT / "group_vars" / "all" / "firewall.yml")["firewall_own_services"]
    (ports,) = [entry["ports"] for entry in matrix if entry["name"] == service]
    assert ports == [defaults[option] for option in options]
