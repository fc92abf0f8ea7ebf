"""Writes of an application server while something happens to the database of a lab."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from enlevohub_drill.judge import gap
from enlevohub_drill.ledger import Ledger
from enlevohub_drill.servers import Server, Servers
from enlevohub_drill.site import ROOT, Datacenter

DIRECTORY = "/var/lib/enlevohub-drill"
CA = "/etc/enlevohub/pki/ca.crt"


def lab_servers(datacenter: Datacenter) -> Servers:
    """Return the servers of a lab as the drill reaches them."""
    state = ROOT / ".lab" / datacenter.inventory.name
    found = {
        name: Server(
            name=name,
            address=datacenter.address(name),
            service=datacenter.address(name),
            user="operator",
            key=str(state / "id_ed25519"),
            arguments=f"-o UserKnownHostsFile={state / 'known_hosts'}",
        )
        for name in datacenter.groups[datacenter.inventory.name]
    }
    return Servers(found, datacenter.groups["database_servers"], datacenter.groups["etcd_servers"])


@contextmanager
def writes(datacenter: Datacenter, servers: Servers, what: str) -> Iterator[None]:
    """Write meanwhile; in the end nothing acknowledged is lost. The drill of a failover has put the writer there."""
    writer = datacenter.groups["backend_servers"][-1]
    addresses = ",".join(f"{datacenter.address(name)}:5432" for name in datacenter.groups["database_servers"])
    password = datacenter.secrets["vault_database_app_password"]
    url = f"postgresql://enlevohub:{password}@{addresses}/enlevohub"
    url += f"?target_session_attrs=read-write&sslmode=verify-full&sslrootcert={CA}"
    place = f"umask 077 && cat > {DIRECTORY}/dsn"
    subprocess.run([*servers.ssh(writer), f"sudo -n sh -c '{place}'"], input=url, text=True, check=True, timeout=30)
    with Ledger(servers, writer, DIRECTORY) as ledger:
        yield
        ledger.wait_for_writes(60)
        length, verdict = gap(ledger.writes), ledger.verdict()
    print(f"\n{what}: longest time without a write {length:.2f} s, {verdict.acked} acknowledged")
    assert (verdict.lost, verdict.foreign) == ((), ())
