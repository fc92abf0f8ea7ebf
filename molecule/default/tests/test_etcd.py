"""etcd: every member serves, and only clients with a certificate of the environment get in."""

from __future__ import annotations

from typing import Any

from enlevohub_drill.site import TLS_REFUSED

PKI = "/etc/enlevohub/pki"
CERTIFICATE = f"--cacert {PKI}/ca.crt --cert {PKI}/host.crt --key {PKI}/host.key"


def test_etcd_member_is_healthy(datacenter: Any, etcd_server: str) -> None:
    url = f"https://{datacenter.address(etcd_server)}:2379/health"
    assert '"health":"true"' in datacenter.run(etcd_server, f"curl -sSf {CERTIFICATE} {url}")


def test_etcd_has_one_member_per_server(datacenter: Any) -> None:
    members = datacenter.run(datacenter.groups["etcd_servers"][0], "bash -lc 'etcdctl member list'")
    names = sorted(line.split(", ")[2] for line in members.splitlines())
    assert names == sorted(datacenter.groups["etcd_servers"])


def test_etcd_refuses_a_client_without_certificate(datacenter: Any, etcd_server: str) -> None:
    url = f"https://{datacenter.address(etcd_server)}:2379/health"
    assert datacenter.host(etcd_server).run(f"curl -sS --cacert {PKI}/ca.crt {url}").rc in TLS_REFUSED


def test_etcd_refuses_plain_http(datacenter: Any, etcd_server: str) -> None:
    url = f"http://{datacenter.address(etcd_server)}:2379/health"
    assert datacenter.host(etcd_server).run(f"curl -sSf {url}").rc != 0


def test_etcd_keeps_its_metrics_to_the_host(datacenter: Any, etcd_server: str) -> None:
    assert datacenter.host(etcd_server).socket("tcp://127.0.0.1:2381").is_listening
    assert not datacenter.host(etcd_server).socket(f"tcp://{datacenter.address(etcd_server)}:2381").is_listening


def test_etcd_starts_at_boot(datacenter: Any, etcd_server: str) -> None:
    assert datacenter.host(etcd_server).service("etcd").is_enabled


def test_etcdctl_works_for_an_operator_without_options(datacenter: Any, etcd_server: str) -> None:
    assert datacenter.run(etcd_server, "bash -lc 'etcdctl endpoint health 2>&1'").count("is healthy") == len(
        datacenter.groups["etcd_servers"]
    )
