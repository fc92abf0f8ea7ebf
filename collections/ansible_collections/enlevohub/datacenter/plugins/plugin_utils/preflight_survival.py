"""Which losses of servers an inventory survives."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_model import Inventory
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.quorum import quorum

SHOWN = 12


@dataclass(frozen=True)
class Topology:
    """What the answer depends on: the hosts of each tier, and the number of synchronous standbys."""

    backends: frozenset[str]
    frontends: frozenset[str]
    etcd: frozenset[str]
    databases: frozenset[str]
    load_balancers: frozenset[str]
    own_load_balancer: bool
    synchronous_standbys: int = 1
    redis: frozenset[str] = frozenset()
    storage: tuple[str, ...] = ()


def topology(
    inventory: Inventory,
    driver: str,
    synchronous_standbys: int = 1,
    redis_driver: str = "internal",
    storage: str = "",
) -> Topology:
    """Return the topology of an inventory.

    Args:
        inventory: the inventory.
        driver: load_balancer_driver; with ``haproxy`` the load balancers are servers of the inventory.
        synchronous_standbys: synchronous_node_count of Patroni.
        redis_driver: with ``internal`` Redis runs on servers of the inventory.
        storage: enlevohub_storage; with ``seaweedfs`` uploads need servers of the inventory.
    """
    return Topology(
        frozenset(inventory.members("backend_servers")),
        frozenset(inventory.members("frontend_servers")),
        frozenset(inventory.members("etcd_servers")),
        frozenset(inventory.members("database_servers")),
        frozenset(inventory.members("load_balancers")),
        driver == "haproxy",
        synchronous_standbys,
        frozenset(inventory.members("redis_servers") if redis_driver == "internal" else ()),
        tuple(inventory.members("storage_servers")) if storage == "seaweedfs" else (),
    )


def has_quorum(site: Topology, lost: frozenset[str]) -> bool:
    """Return whether etcd has its quorum after a loss."""
    return len(site.etcd - lost) >= quorum(len(site.etcd))


def has_leader(site: Topology, lost: frozenset[str]) -> bool:
    """Return whether a database leads after a loss, whichever one led before.

    With the quorum a synchronous standby takes over, so as many databases as there are synchronous standbys may be lost
    at once. Without the quorum the leader stays only while all databases answer (failsafe mode).
    """
    gone = len(site.databases & lost)
    if gone == 0:
        return bool(site.databases)
    return has_quorum(site, lost) and gone <= site.synchronous_standbys and gone < len(site.databases)


def reasons(site: Topology, lost: frozenset[str]) -> list[str]:
    """Return why the service stops after a loss; empty when it goes on."""
    found: list[str] = []
    if not has_leader(site, lost):
        if site.databases <= lost:
            found.append("the only database" if len(site.databases) == 1 else "all databases")
        elif not has_quorum(site, lost):
            found.append("a database without the quorum of etcd")
        else:
            found.append("leader and synchronous standby")
    masters = site.storage[:3]
    if site.storage and len(lost.intersection(masters)) > len(masters) - quorum(len(masters)):
        found.append("uploads: most masters of the object storage")
    elif len(lost.intersection(site.storage)) > 1:
        found.append("uploads: both copies of some objects")
    tiers = [("backend", site.backends), ("frontend", site.frontends)]
    if site.own_load_balancer:
        tiers.append(("load balancer", site.load_balancers))
    for name, hosts in tiers:
        if hosts <= lost:
            found.append(f"the only {name}" if len(hosts) == 1 else f"all {name}s")
    return found


def survival_table(site: Topology) -> list[str]:
    """Return the survival table as lines of text."""
    hosts = sorted(site.backends | site.frontends | site.etcd | site.databases | site.load_balancers | {*site.storage})
    members = len(site.etcd)
    spare = members - quorum(members) if members else 0
    standbys = min(site.synchronous_standbys, max(len(site.databases) - 1, 0))
    lines = [
        f"  etcd: {members} members, quorum {quorum(members)}: keeps it after the loss of any {spare} of them",
        f"  database: {len(site.databases)} servers, {standbys} synchronous standby; "
        "the leader stays without the quorum of etcd while all of them live",
    ]
    if site.redis:
        count = len(site.redis)
        lines.append(
            f"  Redis: {count} members, quorum {quorum(count)}: goes on after the loss of any {count - quorum(count)} "
            "of them; without it PostgreSQL answers, more slowly"
        )
    fatal = {host: reasons(site, frozenset([host])) for host in hosts}
    good = [host for host in hosts if not fatal[host]]
    lines.append(f"  one server:  survives the loss of any one of: {', '.join(good) or 'none'}")
    lines += [f"               does not survive: {host} ({', '.join(why)})" for host, why in fatal.items() if why]
    if len(good) > 1:
        pairs = {pair: reasons(site, frozenset(pair)) for pair in combinations(good, 2)}
        kept = sum(not why for why in pairs.values())
        lines.append(f"  two servers: survives {kept} of the {len(pairs)} pairs of these servers")
        bad = [(pair, why) for pair, why in pairs.items() if why]
        lines += [
            f"               does not survive: {' + '.join(pair)} ({', '.join(why)})" for pair, why in bad[:SHOWN]
        ]
        if len(bad) > SHOWN:
            lines.append(f"               and {len(bad) - SHOWN} more pairs")
    no_failover = [pair for pair in combinations(hosts, 2) if site.etcd and not has_quorum(site, frozenset(pair))]
    if no_failover:
        shown = ", ".join(" + ".join(pair) for pair in no_failover[:SHOWN])
        lines.append(
            f"  no failover of the database (etcd without quorum) after the loss of: {shown}"
            + (f" and {len(no_failover) - SHOWN} more pairs" if len(no_failover) > SHOWN else "")
        )
    return lines
