"""The plan by which a blank or damaged machine takes the place of a server, and the reasons to refuse it."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.quorum import quorum

PROGRESS = ("creating replica", "starting")


class Plan:
    """Collects what will happen and what speaks against it."""

    def __init__(self, host: str, address: str, confirmed: bool, mine: dict[str, Any]) -> None:
        """Plan for a host: its address in the inventory, and what it told about itself."""
        self.host, self.address, self.confirmed, self.mine = host, address, confirmed, mine
        self.refusals: list[str] = []
        self.lines: list[str] = []
        self.removes: list[str] = []
        self.healthy: list[bool] = []

    def refuse(self, where: str, problem: str, fix: str) -> None:
        """Add a reason: what it is about, what is wrong, what to do."""
        self.refusals.append(f"{where}: {problem}. Fix: {fix}")

    # --- etcd

    def etcd(self, members: list[dict[str, Any]], expected: list[str], problem: str, port: int) -> dict[str, Any]:
        """Plan the member of etcd.

        Args:
            members: what etcd says, each with ``healthy``.
            expected: names of the members in the inventory.
            problem: why etcd could not be asked.
            port: port of members for each other.

        Returns:
            ``join``: whether the host has to join; ``remove``: id of the member to remove, or empty; ``wipe``: whether
            data on the host have to go.
        """
        nothing: dict[str, Any] = {"join": False, "remove": "", "wipe": False}
        others = [name for name in expected if name != self.host]
        if not others:
            self.refuse(
                "hosts.yml, etcd_servers",
                f"{self.host} is the only member of etcd, and nobody else knows what it knew",
                "on a blank server run playbooks/site.yml, then playbooks/restore.yml",
            )
            return nothing
        if not members:
            self.refuse("etcd", problem or "no member answered", f"bring members back until most of {others} run")
            return nothing
        peer = f"https://{self.address}:{port}"
        own = [member for member in members if member["name"] == self.host or peer in member["peers"]]
        entry = own[0] if own else None
        if entry and entry["healthy"] and peer not in entry["peers"]:
            self.refuse(
                f"hosts.yml, ansible_host of {self.host}",
                f"another machine answers as {self.host} of etcd: {', '.join(entry['peers'])}",
                "switch it off, then run again",
            )
            return nothing
        well = bool(entry and entry["healthy"] and not entry["learner"])
        self.healthy.append(well)
        waits = bool(entry and not entry["name"])
        if well and not self.confirmed:
            self.lines.append(f"etcd: {self.host} is a healthy member and stays")
            return nothing
        if waits and not self.confirmed:
            self.lines.append(f"etcd: {self.host} was added at {peer} before and starts now")
            return {**nothing, "join": True}
        return self._join(members, entry, peer)

    def _join(self, members: list[dict[str, Any]], entry: dict[str, Any] | None, peer: str) -> dict[str, Any]:
        """Remove the present entry, if there is one, and add another; refused where the quorum would not hold."""
        voters = [member for member in members if not member["learner"]]
        staying = [member for member in voters if member is not entry]
        alive = sum(member["healthy"] for member in staying)
        needed = max(quorum(len(voters)) - bool(entry and entry["healthy"]), quorum(len(staying) + 1))
        if alive < needed:
            ill = ", ".join(member["name"] or member["id"] for member in staying if not member["healthy"])
            self.refuse(
                "etcd",
                f"{alive} of the {len(staying)} other members are healthy, {needed} are needed for the quorum",
                f"bring back first: {ill}",
            )
        clear = "etcd" in self.mine["data"]
        if clear:
            self.removes.append("etcd")
        gone = f"the member {self.host} ({entry['id']}) is removed, " if entry else ""
        self.lines.append(
            f"etcd: {gone}{self.host} is added at {peer}; {alive} of the {len(staying)} others are healthy, the quorum "
            f"is {quorum(len(staying) + 1)}"
        )
        return {"join": True, "remove": entry["id"] if entry else "", "wipe": clear}

    # --- PostgreSQL

    def database(self, members: list[dict[str, Any]], expected: list[str], problem: str) -> dict[str, Any]:
        """Plan the member of the database.

        Args:
            members: what Patroni says on another member.
            expected: names of the database servers in the inventory.
            problem: why Patroni could not be asked.

        Returns:
            ``leader``: who the copy comes from; ``wipe``: whether data on the host have to go; ``copied``: whether the
            copy is made now.
        """
        nothing = {"leader": "", "wipe": False, "copied": False}
        if expected == [self.host]:
            self.refuse(
                "hosts.yml, database_servers",
                f"{self.host} is the only database server; there is nothing to copy from",
                "on a blank server run playbooks/site.yml, then playbooks/restore.yml",
            )
            return nothing
        led = [member["name"] for member in members if member["role"] in ("leader", "standby_leader")]
        leader = next((item["name"] for item in members if item["name"] in led and item["state"] == "running"), "")
        if self.host in led:
            self.refuse(
                f"-e host={self.host}",
                f"{self.host} leads the database",
                "switch over first; when its machine is dead, run again when the standby has taken over (20 s)",
            )
            return nothing
        if not leader:
            self.refuse(
                "database",
                f"no other server leads: {self.host} may have the last healthy copy. {problem or 'Patroni answers'}",
                "bring another database server back, or restore a backup with playbooks/restore.yml",
            )
            return nothing
        entry = next((member for member in members if member["name"] == self.host), None)
        state = str(entry["state"]) if entry else ""
        well = state == "streaming"
        self.healthy.append(well)
        other = str(entry.get("host", self.address)) if entry else self.address
        if other != self.address and (well or state == "running"):
            self.refuse(
                f"hosts.yml, ansible_host of {self.host}",
                f"another machine answers as {self.host} of the database: {other}",
                "switch it off, then run again",
            )
            return nothing
        if (well or state in PROGRESS) and not self.confirmed:
            self.lines.append(
                f"database: {self.host} {'follows' if well else 'is being copied from'} {leader} and stays"
            )
            return {**nothing, "leader": leader}
        clear = "database" in self.mine["data"]
        if clear:
            self.removes.append("PostgreSQL")
        self.lines.append(f"database: copied from the leader {leader}; its replication slot there is made anew")
        return {"leader": leader, "wipe": clear, "copied": True}

    # --- the rest

    def services(self, names: list[str]) -> None:
        """Plan what keeps no state that others would have to forget."""
        missing = [name for name in names if name not in self.mine["answering"]]
        self.healthy.append(not missing)
        if missing:
            self.lines.append(f"site.yml: runs {', '.join(missing)}")
        if "repository of backups" in missing and not self.mine["data"]:
            self.lines.append("backups: those on the lost machine are gone; the repository begins with a full backup")

    def objects(self, refused: str) -> None:
        """Plan the objects of the storage; refused: why the others cannot do without this server's, or empty."""
        if refused:
            self.refuse("object storage", refused, "bring the other storage servers back, see docs/storage.md")
        if self.confirmed or "object storage (S3)" not in self.mine["answering"]:
            self.lines.append("object storage: what is left of its objects is removed, the others give it new copies")

    def confirmation(self) -> None:
        """Refuse what must be confirmed and is not."""
        fix = f"-e confirm={self.host}, if this is meant"
        if all(self.healthy) and not self.confirmed:
            self.refuse(f"-e host={self.host}", f"{self.host} is alive and healthy", fix)
        elif self.removes and not self.confirmed:
            problem = f"{self.host} is not blank: data of {' and '.join(self.removes)} on it would be removed"
            self.refuse(f"-e host={self.host}", problem, fix)


def replacement_plan(
    views: dict[str, dict[str, Any]],
    host: str,
    confirm: str,
    address: str,
    etcd: list[dict[str, Any]],
    databases: list[dict[str, Any]],
    services: list[str],
    peer_port: int = 2380,
    stores: bool = False,
    objects: str = "",
) -> dict[str, Any]:
    """Return what happens when a machine takes the place of a server, and what speaks against it.

    Args:
        views: by host, what the module ``cluster_view`` told; the answer of the host itself counts for its data and its
            services, the answers of the others for the clusters.
        host: name of the server in the inventory.
        confirm: what the operator confirmed; the name of the server allows to remove data and a healthy member.
        address: its address in the inventory.
        etcd: the members of etcd in the inventory, each with ``name``.
        databases: the database servers in the inventory, each with ``name``.
        services: names of what runs on the server besides.
        peer_port: port of the members of etcd for each other.
        stores: whether the server keeps objects of the object storage.
        objects: why the other storage servers cannot do without it; empty when they can.

    Returns:
        ``refusals`` and ``lines`` as sentences; ``etcd`` with ``join``, ``remove`` and ``wipe``; ``database`` with
        ``leader``, ``wipe`` and ``copied``.
    """
    blank: dict[str, Any] = {"data": [], "answering": []}
    if host not in views:
        given = f"-e host={host}" if host else "-e host="
        problem = f"there is no server {host} in hosts.yml" if host else "no server is named"
        return {
            "refusals": [f"{given}: {problem}. Fix: give -e host=<name from hosts.yml>"],
            "lines": [],
            "etcd": {"join": False, "remove": "", "wipe": False},
            "database": {"leader": "", "wipe": False, "copied": False},
        }
    plan = Plan(host, address, confirm == host, {**blank, **views[host]})
    others = [view for name, view in views.items() if name != host]
    result: dict[str, Any] = {
        "etcd": {"join": False, "remove": "", "wipe": False},
        "database": {"leader": "", "wipe": False, "copied": False},
    }
    for part, inventory in (("etcd", etcd), ("database", databases)):
        names = [member["name"] for member in inventory]
        if host not in names:
            continue
        members: list[dict[str, Any]] = next((view[part] for view in others if view.get(part)), [])
        problem = next((view["problems"][part] for view in others if part in view.get("problems", {})), "")
        if part == "etcd":
            result[part] = plan.etcd(members, names, problem, peer_port)
        else:
            result[part] = plan.database(members, names, problem)
    plan.services(services)
    if stores:
        plan.objects(objects)
    plan.confirmation()
    return {"refusals": plan.refusals, "lines": plan.lines, **result}


def services_of(services: list[dict[str, Any]], host: str) -> list[dict[str, Any]]:
    """Return name and ports of what runs on a host, from the services of the firewall; not what every host has."""
    found = []
    for service in services:
        own = [member for member in service.get("members") or [] if member.get("host", member["name"]) == host]
        ports = [*service.get("ports", []), *(member["port"] for member in own if "port" in member)]
        if own and ports and (service.get("anywhere") or service.get("sources")):
            found.append({"name": service["name"], "ports": sorted({int(port) for port in ports})})
    return found


def slot_name(member: str) -> str:
    """Return the name that Patroni gives to the replication slot of a member."""
    known = re.sub(r"[-.]", "_", member.lower())
    return re.sub("[^a-z0-9_]", lambda sign: f"u{ord(sign[0]):04d}", known)[:63]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"replacement_plan": replacement_plan, "services_of": services_of, "slot_name": slot_name}
