"""What changes in the years: parameters, certificates, the authority. Users write meanwhile, and no write is lost.

Gaps are printed, not asserted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from enlevohub_drill.meanwhile import writes
from enlevohub_drill.servers import Servers
from enlevohub_drill.site import ROOT
from enlevohub_secrets.authority import CERTIFICATE, KEY, make_authority

PLAYBOOK = "molecule/database/converge.yml"
PKI = "/etc/enlevohub/pki"
SERVICES = (
    (2379, "etcd_servers", "app1"),
    (2380, "etcd_servers", "etcd1"),
    (8008, "database_servers", "db2"),
    (5432, "database_servers", "app1"),
)
"""Port, tier, and a server that the firewall lets in."""
ISSUER = f"openssl x509 -in {PKI}/host.crt -noout -issuer"


pytestmark = pytest.mark.usefixtures("writer")


@pytest.mark.parametrize(("connections", "reached"), [(120, "120"), (100, "100")])
def test_parameter_that_needs_a_restart_reaches_every_member(
    datacenter: Any, servers: Servers, connections: int, reached: str
) -> None:
    given = shared_parameters() | {"max_connections": connections}
    with writes(datacenter, servers, f"max_connections {connections}"):
        run = datacenter.playbook("-e", json.dumps({"patroni_cluster_parameters": given}), playbook=PLAYBOOK)
        again = datacenter.playbook("-e", json.dumps({"patroni_cluster_parameters": given}), playbook=PLAYBOOK)
    task = "patroni : Restart PostgreSQL where a parameter waits for it, the standby first"
    assert [name for name, _ in run.changed_tasks].count(task) == 1
    assert set(again.changed.values()) == {0}
    shown = {datacenter.sql(name, "show max_connections", "postgres") for name in servers.databases}
    assert shown == {reached}


def shared_parameters() -> dict[str, Any]:
    """Return the parameters that all members share, from the role."""
    path = ROOT / "roles" / "patroni" / "defaults" / "main.yml"
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["patroni_cluster_parameters"]
    return found


def served(datacenter: Any, origin: str, server: str, port: int) -> str:
    """Return the serial number of the certificate that a service shows."""
    tls = f"-cert {PKI}/host.crt -key {PKI}/host.key -CAfile {PKI}/ca.crt"
    start = "-starttls postgres" if port == 5432 else ""
    command = f"openssl s_client -connect {datacenter.address(server)}:{port} {tls} {start} </dev/null 2>/dev/null"
    return str(datacenter.run(origin, f"{command} | openssl x509 -noout -serial"))


def assert_services_use_the_certificate_on_disk(datacenter: Any) -> None:
    """Every service shows the certificate that lies on its host."""
    for port, tier, origin in SERVICES:
        for server in datacenter.groups[tier]:
            disk = datacenter.run(server, f"openssl x509 -in {PKI}/host.crt -noout -serial")
            datacenter.wait(
                f"the new certificate of {server}:{port}",
                lambda s=server, p=port, d=disk, o=origin: served(datacenter, o, s, p) == d,
                30,
            )


def test_certificates_are_renewed_before_they_end(datacenter: Any, servers: Servers) -> None:
    before = {name: datacenter.run(name, f"openssl x509 -in {PKI}/host.crt -noout -serial") for name in servers.all}
    with writes(datacenter, servers, "renewal of all certificates"):
        # The present ones last 365 days. A new one has to outlast the limit as well.
        datacenter.playbook("-e", "pki_renew_before_days=400", "-e", "pki_validity_days=500", playbook=PLAYBOOK)
    after = {name: datacenter.run(name, f"openssl x509 -in {PKI}/host.crt -noout -serial") for name in servers.all}
    assert not set(before.values()) & set(after.values())
    assert_services_use_the_certificate_on_disk(datacenter)
    assert datacenter.whole()


@pytest.fixture(scope="module")
def authorities(datacenter: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[str]]]:
    """The arguments of the three steps of a change of the authority; in the end everything is as it was."""
    old = {key: datacenter.secrets[key] for key in (KEY, CERTIFICATE)}
    new = make_authority("molecule_database_next")
    folder = tmp_path_factory.mktemp("authorities")
    steps = {
        "both, the old one signs": (old[CERTIFICATE] + new[CERTIFICATE], old[KEY]),
        "both, the new one signs": (new[CERTIFICATE] + old[CERTIFICATE], new[KEY]),
        "the new one": (new[CERTIFICATE], new[KEY]),
    }
    found = {}
    for number, (name, (certificate, key)) in enumerate(steps.items()):
        path: Path = folder / f"{number}.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"pki_ca_certificate": certificate, "pki_ca_key": key}), encoding="utf-8")
        found[name] = ["-e", f"@{path}"]
    yield found
    back = list(found.values())
    for arguments in (back[1], back[0], []):
        datacenter.playbook(*arguments, playbook=PLAYBOOK)


@pytest.mark.parametrize("step", ["both, the old one signs", "both, the new one signs", "the new one"])
def test_authority_is_changed_without_an_outage(
    datacenter: Any, servers: Servers, authorities: dict[str, list[str]], step: str
) -> None:
    with writes(datacenter, servers, f"authority: {step}"):
        run = datacenter.playbook(*authorities[step], playbook=PLAYBOOK)
    assert_services_use_the_certificate_on_disk(datacenter)
    assert datacenter.whole()
    issuers = {datacenter.run(name, ISSUER) for name in servers.all}
    assert len(issuers) == 1
    assert ("next" in issuers.pop()) == ("new one" in step)
    assert datacenter.secrets_in(run.output) == []


def test_switchover_works_with_the_new_authority(datacenter: Any, authorities: dict[str, list[str]]) -> None:
    old = datacenter.leader()
    datacenter.run(old, f"bash -lc 'patronictl switchover --leader {old} --force'")
    moved = lambda: datacenter.whole() and datacenter.leader() != old  # noqa: E731
    datacenter.wait("a whole cluster with another leader", moved, 120)
