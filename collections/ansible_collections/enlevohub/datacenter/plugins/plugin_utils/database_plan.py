"""Decisions about operations on the database: what will be done step by step, and why it must not be done.

A state is what the module ``database_state`` tells. Nothing here talks to a server.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.enlevohub.datacenter.plugins.module_utils.patroni_steps import good, synchronous_standby

FAR_BEHIND = 16 * 1024 * 1024
"""Bytes of WAL that a standby may lack at most before it takes over."""

State = dict[str, Any]
Members = list[dict[str, Any]]


@dataclass
class Request:
    """What the operator wants.

    Attributes:
        kind: switchover, reinit, restart, upgrade or add.
        target: the server that was named; empty: none.
        variable: the name of the variable it was given by.
        cluster: name of the cluster.
        confirm: what the operator confirmed, the name of the cluster.
        check: whether only the plan is wanted.
        packages: for an upgrade, by server and package: ``installed`` and ``candidate`` version.
        stale: servers whose Patroni or PostgreSQL runs with files of before an upgrade.
    """

    kind: str
    target: str = ""
    variable: str = "standby"
    cluster: str = ""
    confirm: str = ""
    check: bool = False
    packages: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)


@dataclass
class Plan:
    """What will happen.

    Attributes:
        lines: the plan for people; every line is a sentence.
        steps: what is done, in this order: ``action`` (of the module ``patroni_step``, or upgrade) and ``member``
            (empty: the synchronous standby).
        findings: why it is refused; empty when it is not.
    """

    lines: list[str] = field(default_factory=list)
    steps: list[dict[str, str]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    def step(self, action: str, member: str, line: str, waits: bool = False) -> None:
        """Add a step and the sentence that tells it, and one that waits for the member when the first one does not."""
        self.steps += [{"action": action, "member": member}]
        self.steps += [{"action": "wait", "member": member}] if waits else []
        self.lines.append(line)


def database_description(state: State) -> list[str]:
    """Return one line about each member."""
    names = {"leader": "leader", "sync_standby": "synchronous standby", "replica": "standby", "": "no member yet"}
    lines = []
    for item in state["members"]:
        words = [names.get(item["role"], item["role"]), item["state"]]
        words += [f"PostgreSQL {item['version']}"] if item["version"] else []
        words += [f"{item['lag'] // 1024} KiB behind"] if item["lag"] > 0 else []
        words += [] if item["answers"] or not item["inventory"] else ["Patroni does not answer"]
        words += [] if item["inventory"] else ["not in the inventory"]
        lines.append(f"{item['name']}: {', '.join(words)}")
    return lines


def leader_of(members: Members) -> str:
    """Return the name of the leader that runs; empty when there is none."""
    return next((item["name"] for item in members if item["role"] == "leader" and item["state"] == "running"), "")


def cluster_findings(state: State) -> list[str]:
    """Return why nothing at all may be done with the cluster."""
    if state["problem"]:
        return [
            f"no database server tells how the cluster is ({state['problem']}): look at `systemctl status patroni` and "
            "`etcdctl endpoint health` on the database servers, then run again"
        ]
    found = []
    if state["paused"]:
        found.append("the cluster is in maintenance, Patroni would not act: end it by `patronictl resume`")
    if not leader_of(state["members"]):
        found.append(
            "there is no leader that runs, so no server has data that the others can follow: see `patronictl list`"
        )
    return found


def health_findings(state: State) -> list[str]:
    """Return one finding for every member that is not as it should be, and one when nobody is synchronous."""
    well = good(state["members"])
    found = [
        f"{item['name']} is not well ({item['role'] or 'no member'}, {item['state']}): repair it first, see "
        f"`journalctl -u patroni` there; playbooks/reinit-standby.yml -e standby={item['name']} copies it again"
        for item in state["members"]
        if item["name"] not in well and item["inventory"]
    ]
    found += [
        f"Patroni of {item['name']} does not answer: see `systemctl status patroni` there"
        for item in state["members"]
        if item["name"] in well and item["inventory"] and not item["answers"]
    ]
    if len(state["members"]) > 1 and not found:
        found += standby_findings(state["members"])
    return found


def standby_findings(members: Members) -> list[str]:
    """Return why no standby can take over without a loss."""
    name = synchronous_standby(members)
    if not name:
        return [
            "there is no healthy synchronous standby, so nobody else has every acknowledged write: wait until "
            "`patronictl list` shows one, or copy a standby again by playbooks/reinit-standby.yml"
        ]
    lag = next(item["lag"] for item in members if item["name"] == name)
    if not 0 <= lag <= FAR_BEHIND:
        behind = f"{lag // 1024 // 1024} MiB" if lag > 0 else "nobody knows how far"
        return [f"the synchronous standby {name} is behind ({behind}): writers would wait for it. Run again later"]
    return []


def target_findings(request: Request, state: State) -> list[str]:
    """Return why the named server cannot be meant."""
    known = [item["name"] for item in state["members"] if item["inventory"]]
    if not request.target:
        return [f"name the server: -e {request.variable}=<one of {', '.join(known)}>"]
    if request.target not in known:
        return [
            f"{request.variable}={request.target} is not one of {', '.join(known)}: see database_servers in hosts.yml "
            "of the inventory"
        ]
    return []


def member_of(state: State, name: str) -> dict[str, Any]:
    """Return a member by its name."""
    found: dict[str, Any] = next(item for item in state["members"] if item["name"] == name)
    return found


def plan_switchover(request: Request, state: State, plan: Plan) -> None:
    """Another member becomes the leader."""
    members, leader = state["members"], leader_of(state["members"])
    if request.target:
        plan.findings += target_findings(request, state)
        if leader and request.target == leader:
            plan.lines.append(f"{leader} leads already: nothing to do")
            return
    unknown = bool(plan.findings)
    plan.findings += standby_findings(members)
    if unknown:
        return
    standby = synchronous_standby(members)
    if request.target and standby and request.target != standby and not plan.findings:
        plan.findings.append(
            f"{request.variable}={request.target} is no synchronous standby, so it may lack acknowledged writes: only "
            f"{standby} may take over now"
        )
    plan.step("switchover", request.target, f"{standby} becomes the leader; writers wait for about two seconds")
    plan.lines.append(f"{leader} comes back as a standby that streams from {standby}")


def plan_reinit(request: Request, state: State, plan: Plan) -> None:
    """A standby is copied again from the leader."""
    plan.findings += target_findings(request, state)
    if plan.findings:
        return
    member, leader = member_of(state, request.target), leader_of(state["members"])
    if member["role"] == "leader":
        plan.findings.append(
            f"{request.variable}={request.target} leads: its data are what the others are copied from. If they are "
            "bad, run playbooks/switchover.yml first"
        )
        return
    if not member["answers"]:
        plan.findings.append(f"Patroni of {request.target} does not answer: see `systemctl status patroni` there")
    if member["state"] == "creating replica":
        plan.findings.append(f"{request.target} is being copied already: wait until `patronictl list` shows it streams")
    others = good(state["members"]) - {request.target, leader}
    only = request.target in good(state["members"]) and not others
    if only and not request.check and request.confirm != request.cluster:
        plan.findings.append(
            f"{request.target} is well and the only standby: until its new copy is there, {leader} would have the "
            f"only data. If it must be, add -e confirm={request.cluster}"
        )
    data = f"the data of {request.target} are removed and copied again from {leader}"
    plan.step("reinitialize", request.target, data)
    plan.lines.append(
        f"until it streams, {' and '.join([leader, *sorted(others)])} {'have' if others else 'alone has'} the data"
    )


def rolling(
    request: Request, state: State, plan: Plan, names: set[str], action: str, tell: Callable[[str], str]
) -> None:
    """One member after the other: the standbys, a switchover, the leader that was."""
    members, leader = state["members"], leader_of(state["members"])
    standbys = [item["name"] for item in members if item["name"] != leader]
    waits = action == "upgrade"
    for name in standbys:
        if name in names:
            plan.step(action, name, tell(name), waits)
    if leader not in names:
        return
    if standbys:
        plan.step("switchover", "", "the synchronous standby becomes the leader; writers wait for about two seconds")
        if action == "restart":
            plan.lines.append(f"{leader} is restarted by that, and comes back as a standby")
            return
        plan.step(action, leader, tell(leader), waits)
    else:
        plan.step(action, leader, f"{tell(leader)}; it is the only database: writers wait until it is back", waits)


def plan_restart(request: Request, state: State, plan: Plan) -> None:
    """PostgreSQL of every member is restarted."""
    plan.findings += health_findings(state)
    names = {item["name"] for item in state["members"] if item["inventory"]}
    rolling(request, state, plan, names, "restart", lambda name: f"PostgreSQL of {name} is restarted")


def plan_upgrade(request: Request, state: State, plan: Plan) -> None:
    """Packages of every member are brought to the newest minor version."""
    names = set(request.stale)
    for server, packages in sorted(request.packages.items()):
        news = {name: item for name, item in sorted(packages.items()) if item["installed"] != item["candidate"]}
        names |= {server} if news else set()
        told = [f"{name} {item['installed']} -> {item['candidate']}" for name, item in news.items()]
        kept = [f"{name} {item['installed']}" for name, item in sorted(packages.items()) if name not in news]
        told += [f"unchanged: {', '.join(kept)}"] if kept else []
        plan.lines.append(f"{server}: {'; '.join(told) or 'none of the packages is installed'}")
    if not names:
        plan.lines.append("every server runs the newest version: nothing to do")
        return
    plan.findings += health_findings(state)

    def tell(name: str) -> str:
        versions = request.packages.get(name, {}).values()
        news = any(item["installed"] != item["candidate"] for item in versions)
        return f"{name} {'gets its packages' if news else 'has its packages already'} and is restarted"

    rolling(request, state, plan, names, "upgrade", tell)


def plan_add(request: Request, state: State, plan: Plan) -> None:
    """A server that is not a member yet becomes a standby."""
    plan.findings += target_findings(request, state)
    if plan.findings:
        return
    member, leader = member_of(state, request.target), leader_of(state["members"])
    if member["role"] == "leader":
        plan.findings.append(f"{request.variable}={request.target} leads: it is in service already")
        return
    if request.target in good(state["members"]):
        plan.lines.append(f"{request.target} streams already; what is missing around it is added")
    else:
        plan.lines.append(f"{request.target} gets its software and certificate, and a copy of the data of {leader}")
    plan.lines += [
        "the other databases, etcd and the repository of backups open their ports for it; none of them is restarted",
        "the backends get a connection string with it, one after the other and drained before",
    ]
    if len([item for item in state["members"] if item["role"]]) == 1:
        plan.lines.append("from then on every write is acknowledged by two servers")


PLANS = {
    "switchover": plan_switchover,
    "reinit": plan_reinit,
    "restart": plan_restart,
    "upgrade": plan_upgrade,
    "add": plan_add,
}


def make_plan(request: Request, state: State) -> Plan:
    """Return the plan of an operation.

    Args:
        request: what the operator wants.
        state: how the cluster is.
    """
    plan = Plan(findings=cluster_findings(state))
    if not plan.findings:
        PLANS[request.kind](request, state, plan)
    elif not state["problem"] and request.kind != "restart":
        # What is known without a leader is told as well.
        plan.findings += target_findings(request, state) if request.target or request.kind in ("reinit", "add") else []
    if plan.findings:
        plan.steps = []
    return plan


def database_plan(state: State, request: dict[str, Any]) -> dict[str, Any]:
    """Return the plan of an operation on the database: ``lines`` for people, ``steps``, and ``findings`` against it.

    Args:
        state: what the module ``database_state`` told.
        request: attributes of :class:`Request`.
    """
    return asdict(make_plan(Request(**request), state))
