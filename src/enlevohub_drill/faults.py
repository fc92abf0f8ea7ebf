"""Faults of the database tier: how each begins, how it ends, and what must be true in between."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from enlevohub_drill.ledger import Ledger
from enlevohub_drill.servers import PKI, ServerError, Servers, pause, wait

ETCD_LOSS_SECONDS = 60
STANDBY_LOSS_SECONDS = 15
HEALS_ITSELF_SECONDS = 300
"""A partition ends by itself after so long, whatever becomes of this program."""
FAILOVER_SECONDS = 90
CONFIG = "/etc/patroni/config.yml"

UNCUT = (
    "for chain in INPUT OUTPUT; do iptables -w -D $chain -j ENLEVOHUB_DRILL; done; "
    "iptables -w -F ENLEVOHUB_DRILL; iptables -w -X ENLEVOHUB_DRILL; "
    "systemctl stop enlevohub-drill-uncut.timer; systemctl reset-failed 'enlevohub-drill-*'; true"
)
IDLE = "systemctl stop 'enlevohub-drill-busy-*'"


@dataclass(frozen=True)
class Power:
    """How a server is switched off without a warning, and on again: commands of this machine with ``{host}``."""

    off: tuple[str, ...]
    on: tuple[str, ...]

    def switch(self, command: tuple[str, ...], host: str) -> None:
        """Run one of the commands.

        Raises:
            ServerError: it failed.
        """
        words = [word.format(host=host) for word in command]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode != 0:
            raise ServerError(f"`{shlex.join(words)}` failed: {done.stderr.strip()[-300:]}")


@dataclass
class Faults:
    """The faults on one cluster.

    Each returns the moment (monotonic) from which on the cluster can become whole again.
    """

    servers: Servers
    ledger: Ledger
    power: Power
    scope: str
    minutes: float

    def known(self) -> dict[str, Callable[[], float]]:
        """Return the faults by name."""
        return {
            "switchover": self.switchover,
            "postgres_kill": self.postgres_kill,
            "patroni_kill": self.patroni_kill,
            "host_stop": self.host_stop,
            "partition": self.partition,
            "etcd_loss": self.etcd_loss,
            "standby_stop": self.standby_stop,
            "standby_partition": self.standby_partition,
            "saturation": self.saturation,
        }

    def other_leader(self, old: str) -> None:
        """Wait until another member leads."""
        wait("another leader", lambda: self.servers.leader() not in ("", old), FAILOVER_SECONDS)

    def switchover(self) -> float:
        """An operator moves the leader."""
        old = self.servers.leader()
        self.servers.run(old, f"patronictl -c {CONFIG} switchover {self.scope} --leader {old} --force", 90)
        self.other_leader(old)
        return time.monotonic()

    def postgres_kill(self) -> float:
        """The postmaster of the leader is killed."""
        old = self.servers.leader()
        before = self.timeline()
        self.servers.run(old, "kill -9 $(head -1 /var/lib/postgresql/*/main/postmaster.pid)")
        begin = time.monotonic()
        wait("a new timeline", lambda: self.timeline() > before, FAILOVER_SECONDS)
        return begin

    def timeline(self) -> int:
        """Return the timeline of the leader, 0 when there is none."""
        return next((int(item.get("timeline", 0)) for item in self.servers.cluster() if item["role"] == "leader"), 0)

    def patroni_kill(self) -> float:
        """Patroni of the leader is killed, PostgreSQL is not; nobody may take over."""
        old = self.servers.leader()
        before = self.timeline()
        show = "systemctl show --property MainPID --value patroni.service"
        pid = self.servers.run(old, show)
        self.servers.run(old, "systemctl kill --kill-whom=main --signal=KILL patroni.service")
        begin = time.monotonic()
        wait("another Patroni", lambda: self.servers.run(old, show) not in ("0", pid), 30)
        ready = f"curl -fsS --max-time 2 --cacert {PKI}/ca.crt --cert {PKI}/host.crt --key {PKI}/host.key"
        url = f"https://{self.servers.all[old].service}:{self.servers.restapi_port}/primary"
        wait("the API of the new Patroni", lambda: self.servers.attempt(old, f"{ready} {url}").returncode == 0, 60)
        self.nobody_took_over(old, before, f"Patroni alone was killed on {old}")
        return begin

    def nobody_took_over(self, leader: str, timeline: int, fault: str) -> None:
        """Raise ServerError unless the leader is the one of before, and never gave up meanwhile."""
        now = self.servers.leader()
        if (now, self.timeline()) != (leader, timeline):
            raise ServerError(f"{fault}, and {now} took over")

    def host_stop(self) -> float:
        """The server of the leader loses its power."""
        old = self.servers.leader()
        self.power.switch(self.power.off, old)
        try:
            self.other_leader(old)
            self.ledger.wait_for_writes(30)
        finally:
            begin = time.monotonic()
            self.power.switch(self.power.on, old)
        return begin

    def cut(self, name: str) -> None:
        """Let a server reach nobody, and nobody reach it, but this machine by SSH."""
        me = self.servers.seen_as(name)
        rules = (
            f"set -e; me={me}; iptables -w -N ENLEVOHUB_DRILL; "
            "iptables -w -A ENLEVOHUB_DRILL -i lo -j RETURN; iptables -w -A ENLEVOHUB_DRILL -o lo -j RETURN; "
            "iptables -w -A ENLEVOHUB_DRILL -s $me -p tcp --dport 22 -j RETURN; "
            "iptables -w -A ENLEVOHUB_DRILL -d $me -p tcp --sport 22 -j RETURN; "
            "iptables -w -A ENLEVOHUB_DRILL -j DROP; "
            f"systemd-run --quiet --collect --unit=enlevohub-drill-uncut --on-active={HEALS_ITSELF_SECONDS} "
            f"/bin/sh -c {shlex.quote(UNCUT)}; "
            "for chain in INPUT OUTPUT; do iptables -w -I $chain -j ENLEVOHUB_DRILL; done"
        )
        self.servers.run(name, rules)

    def partition(self) -> float:
        """The leader is cut from everybody, and runs on."""
        old = self.servers.leader()
        self.cut(old)
        try:
            wait("another leader", lambda: self.leader_without(old) not in ("", old), FAILOVER_SECONDS)
            self.ledger.wait_for_writes(30)
        finally:
            begin = time.monotonic()
            self.servers.run(old, UNCUT)
        return begin

    def leader_without(self, cut: str) -> str:
        """Return the leader as the members other than a cut one know it."""
        others = [name for name in self.servers.databases if name != cut]
        members = self.servers.cluster(others)
        return next((item["name"] for item in members if item["role"] == "leader"), "")

    def etcd_loss(self) -> float:
        """All members of etcd are gone for a minute; nobody may take over."""
        old, before = self.servers.leader(), self.timeline()
        back = f"systemd-run --quiet --collect --unit=enlevohub-drill-etcd --on-active={HEALS_ITSELF_SECONDS}"
        lose = "systemctl kill --signal=KILL etcd.service; systemctl stop etcd.service"
        self.servers.each(self.servers.etcd, f"{back} systemctl start etcd.service && {lose}")
        try:
            pause(ETCD_LOSS_SECONDS)
            self.ledger.wait_for_writes(30)
        finally:
            begin = time.monotonic()
            start = "systemctl stop enlevohub-drill-etcd.timer; systemctl start --no-block etcd.service"
            self.servers.each(self.servers.etcd, start)
        wait("a cluster that knows its leader", lambda: self.servers.leader() == old, 60)
        if self.timeline() != before:
            raise ServerError("the loss of etcd made a failover")
        return begin

    def standby_stop(self) -> float:
        """The server of the synchronous standby loses its power."""
        standby = self.servers.standby()
        self.power.switch(self.power.off, standby)
        try:
            self.ledger.wait_for_writes(30)
            pause(STANDBY_LOSS_SECONDS)
        finally:
            begin = time.monotonic()
            self.power.switch(self.power.on, standby)
        return begin

    def standby_partition(self) -> float:
        """The synchronous standby falls silent: no connection to it is closed."""
        standby = self.servers.standby()
        self.cut(standby)
        try:
            self.ledger.wait_for_writes(60)
            pause(STANDBY_LOSS_SECONDS)
        finally:
            begin = time.monotonic()
            self.servers.run(standby, UNCUT)
        return begin

    def saturation(self) -> float:
        """All cores of the database servers are busy for some minutes; nobody may take over."""
        old, before = self.servers.leader(), self.timeline()
        ends_itself = f"--property=RuntimeMaxSec={60 * self.minutes + HEALS_ITSELF_SECONDS:.0f}"
        unit = f"--unit=enlevohub-drill-busy-$core {ends_itself}"
        loop = "/bin/sh -c 'while :; do :; done'"
        busy = f"for core in $(seq $(nproc)); do systemd-run --quiet --collect {unit} {loop} || exit 1; done"
        try:
            self.servers.each(self.servers.databases, busy)
            pause(60 * self.minutes)
            self.ledger.wait_for_writes(30)
        finally:
            begin = time.monotonic()
            self.servers.each(self.servers.databases, IDLE)
        self.nobody_took_over(old, before, f"all cores were busy, {old} led")
        return begin
