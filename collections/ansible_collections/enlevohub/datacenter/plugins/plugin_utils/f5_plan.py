"""What has to change on a BIG-IP, in words and as lists for the tasks; and the way back."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.f5_model import member_name
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.f5_render import SESSIONS, quoted

OURS = "EnlevoHub: "
NEW = "EnlevoHub: new, enabled when the monitor says up"
LEAVES = "EnlevoHub: leaves"
DRAINED = "EnlevoHub: drained"


def _same(wanted: Any, present: Any) -> bool:
    """Return whether two settings are the same; a BIG-IP adds a blank behind the monitor of a pool."""
    return str(wanted).strip() == str(present).strip()


def _settings(item: dict[str, Any], pairs: dict[str, tuple[Any, str]], present: dict[str, Any]) -> list[str]:
    return [
        f"{name} {present.get(key)} -> {value}"
        for name, (value, key) in pairs.items()
        if not _same(value, present.get(key))
    ]


def f5_plan(model: dict[str, Any], state: dict[str, Any], removals: int) -> dict[str, Any]:
    """Compare a model with the state of a BIG-IP.

    Args:
        model: see :func:`f5_model`.
        state: what ``enlevohub.datacenter.f5_state`` returned: pools, monitors, nodes, virtuals.
        removals: how many members may leave in this run that no run of this project drained before.

    Returns:
        ``problems`` (nothing may be written when there are any), ``monitors``, ``pools``, ``virtual`` (whether it
        differs), ``add``, ``wake``, ``remove`` (members), ``states`` for :func:`f5_declaration`, ``nodes`` (those that
        nobody needs afterwards), ``text``, ``changed``.
    """
    plan: dict[str, Any] = {
        "problems": [],
        "monitors": [],
        "pools": [],
        "virtual": False,
        "add": [],
        "wake": [],
        "remove": [],
        "states": {},
        "nodes": [],
    }
    lines: list[str] = []
    for monitor in model["monitors"]:
        present = state["monitors"].get(monitor["path"])
        pairs = {
            "send": (monitor["send"], "send"),
            "receive": (monitor["receive"], "recv"),
            "interval": (monitor["interval"], "interval"),
            "timeout": (monitor["timeout"], "timeout"),
        }
        if monitor["receive_disable"]:
            pairs["receive disable"] = (monitor["receive_disable"], "recvDisable")
        differs = _settings(monitor, pairs, present or {})
        if differs:
            plan["monitors"].append(monitor)
            lines.append(
                f"~ monitor {monitor['path']}: {', '.join(differs)}" if present else f"+ monitor {monitor['path']}"
            )
    for pool in model["pools"]:
        _pool(model, pool, state, plan, lines)
    if model["virtual"]:
        differs = _virtual_differences(model["virtual"], state["virtuals"])
        plan["virtual"] = bool(differs)
        lines += differs
    unexpected = [item for item in plan["remove"] if not item["ours"]]
    if len(unexpected) > removals:
        names = ", ".join(f"{item['member']} of {item['path']}" for item in unexpected)
        plan["problems"].append(
            f"{len(unexpected)} members would leave ({names}), at most {removals} may in one run. Correct the "
            "inventory, or allow it with f5_pool_removals"
        )
    leaving = {(item["path"], item["member"]) for item in plan["remove"]}
    gone = {item["node"] for item in plan["remove"]}
    used = {
        member["node"]
        for path, pool in state["pools"].items()
        for member in (pool or {}).get("members", [])
        if (path, member["name"]) not in leaving
    } | {member["node"] for pool in model["pools"] for member in pool["members"]}
    plan["nodes"] = sorted(gone - used)
    plan["changed"] = bool(
        plan["monitors"] or plan["pools"] or plan["virtual"] or plan["add"] or plan["wake"] or plan["remove"]
    )
    plan["text"] = "\n".join(lines or ["nothing to change"])
    return plan


def _pool(
    model: dict[str, Any], pool: dict[str, Any], state: dict[str, Any], plan: dict[str, Any], lines: list[str]
) -> None:
    present = state["pools"].get(pool["path"])
    if present is None and not pool["own"]:
        plan["problems"].append(
            f"the pool {pool['path']} (f5_pool_names: {pool['name']}) is not on the F5. Correct the name, or remove "
            "the entry to have the pool made"
        )
        return
    if not pool["members"]:
        plan["problems"].append(f"the pool {pool['path']} would have no member at all")
    if pool["own"]:
        pairs = {
            "monitor": (pool["monitor"], "monitor"),
            "load balancing": (pool["balancing"], "loadBalancingMode"),
            "slow ramp": (pool["slow_ramp"], "slowRampTime"),
            "service down": ("none", "serviceDownAction"),
        }
        differs = _settings(pool, pairs, present or {})
        if differs:
            plan["pools"].append(pool)
            lines.append(f"~ pool {pool['path']}: {', '.join(differs)}" if present else f"+ pool {pool['path']}")
    members = {(item["address"], item["port"]): item for item in (present or {}).get("members", [])}
    nodes = {node["name"]: node for node in state["nodes"] if node["partition"] == pool["partition"]}
    by_address = {node["address"]: node["name"] for node in nodes.values()}
    for member in pool["members"]:
        have = members.pop((member["address"], member["port"]), None)
        key = f"{pool['name']} {member['address']} {member['port']}"
        if have is not None:
            plan["states"][key] = {"admin": have["admin"], "remark": have["description"]}
            entry = _entry(pool, have["node"], member)
            if have["admin"] != "enabled" and have["description"] in (NEW, LEAVES):
                plan["wake"].append(entry)
                plan["states"][key] = {"admin": "enabled", "remark": ""}
                lines.append(f"~ member {have['name']} of {pool['path']}: enabled when the monitor says up")
            elif have["admin"] != "enabled":
                lines.append(
                    f"= member {have['name']} of {pool['path']}: kept {have['admin']}"
                    + (
                        ", a run that did not end left it so: run it again"
                        if have["description"].startswith(DRAINED)
                        else ""
                    )
                )
            continue
        node = by_address.get(member["address"], member["node"])
        known = nodes.get(node)
        if known is not None and known["address"] != member["address"]:
            plan["problems"].append(
                f"the node /{pool['partition']}/{node} has the address {known['address']}, the inventory says "
                f"{member['address']}. The F5 would go on with its own: correct one of the two"
            )
            continue
        foreign = [
            f"/{item['partition']}/{item['name']}"
            for item in state["nodes"]
            if item["address"] == member["address"] and item["partition"] != pool["partition"]
        ]
        if foreign:
            plan["problems"].append(
                f"the address {member['address']} belongs to the node {foreign[0]} of another partition; an F5 takes "
                "an address once. Use that partition, or have the node removed"
            )
            continue
        entry = _entry(pool, node, member)
        plan["add"].append(entry)
        lines.append(f"+ member {entry['member']} of {pool['path']} ({member['address']})")
    for have in members.values():
        plan["remove"].append(
            {
                **_entry(pool, have["node"], have),
                "member": have["name"],
                "connections": have["connections"],
                "ours": have["description"].startswith(OURS),
            }
        )
        lines.append(
            f"- member {have['name']} of {pool['path']} ({have['address']}, {have['connections']} connections)"
        )


def _entry(pool: dict[str, Any], node: str, member: dict[str, Any]) -> dict[str, Any]:
    return {
        "path": pool["path"],
        "pool": pool["name"],
        "partition": pool["partition"],
        "node": node,
        "member": member_name(node, member["port"]),
        "address": member["address"],
        "port": member["port"],
    }


def _virtual_differences(virtual: dict[str, Any], present: dict[str, Any]) -> list[str]:
    separator = "." if ":" in virtual["address"] else ":"
    found = []
    for part in ("http", "https"):
        have = present.get(virtual[part]["path"])
        if have is None:
            found.append(
                f"+ virtual server {virtual[part]['path']} ({virtual['address']} port {virtual[part]['port']})"
            )
            continue
        destination = have.get("destination", "").rsplit("/", 1)[-1]
        if destination != f"{virtual['address']}{separator}{virtual[part]['port']}":
            found.append(f"~ virtual server {virtual[part]['path']}: destination {destination}")
        if part == "https" and (have.get("pool") or "") != virtual["pool"]:
            found.append(f"~ virtual server {virtual[part]['path']}: pool {have.get('pool')} -> {virtual['pool']}")
        if part == "https" and virtual["policy"]["path"] not in have.get("policies", []):
            found.append(f"~ virtual server {virtual[part]['path']}: without the policy {virtual['policy']['path']}")
    profile = present.get(virtual["profile"]["path"])
    headers = {"header": virtual["profile"]["header"], "forwarded_for": True}
    if profile is None:
        found.append(f"+ profile {virtual['profile']['path']}")
    elif profile != {**headers, "stay_on_https": virtual["profile"]["stay_on_https"]}:
        found.append(f"~ profile {virtual['profile']['path']}: other headers")
    policy = present.get(virtual["policy"]["path"])
    wanted = [(rule["name"], rule["operand"], rule["value"], rule["pool"]) for rule in virtual["policy"]["rules"]]
    if policy is None:
        found.append(f"+ policy {virtual['policy']['path']}")
    elif [tuple(rule) for rule in policy["rules"]] != wanted:
        found.append(f"~ policy {virtual['policy']['path']}: other rules")
    return found


def f5_rollback(model: dict[str, Any], state: dict[str, Any]) -> str:
    """Return the tmsh commands that bring the objects of a model back to a state that was read.

    What was not there goes in the order in which nothing that goes is still in use.
    """
    lines = _virtual_rollback(model["virtual"], state["virtuals"]) if model["virtual"] else []
    for pool in model["pools"]:
        present = state["pools"].get(pool["path"])
        if present is None:
            lines.append(f"delete ltm pool {pool['path']}")
            continue
        members = " ".join(
            f"/{pool['partition']}/{item['name']} {{ address {item['address']} {SESSIONS[item['admin']]} }}"
            for item in present["members"]
        )
        lines.append(
            f"modify ltm pool {pool['path']} members {'none' if not members else f'replace-all-with {{ {members} }}'}"
        )
        if pool["own"]:
            lines.append(
                f"modify ltm pool {pool['path']} load-balancing-mode {present.get('loadBalancingMode')} "
                f"monitor {str(present.get('monitor') or 'none').strip()} slow-ramp-time {present.get('slowRampTime')}"
            )
    for monitor in model["monitors"]:
        present = state["monitors"].get(monitor["path"])
        if present is None:
            lines.append(f"delete ltm monitor http {monitor['path']}")
        else:
            lines.append(
                f"modify ltm monitor http {monitor['path']} send {quoted(str(present.get('send') or ''))} "
                f"recv {quoted(str(present.get('recv') or ''))} interval {present.get('interval')} "
                f"timeout {present.get('timeout')}"
            )
    return "\n".join([*lines, "save sys config"]) + "\n"


def _virtual_rollback(virtual: dict[str, Any], present: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for part in ("https", "http"):
        path = virtual[part]["path"]
        have = present.get(path)
        if have is None:
            lines.append(f"delete ltm virtual {path}")
        else:
            policies = " ".join(have["policies"])
            lines.append(
                f"modify ltm virtual {path} destination {have['destination']} pool {have['pool'] or 'none'} "
                f"policies {f'replace-all-with {{ {policies} }}' if policies else 'none'}"
            )
    policy, profile = present.get(virtual["policy"]["path"]), present.get(virtual["profile"]["path"])
    if policy is None:
        lines.append(f"delete ltm policy {virtual['policy']['path']}")
    else:
        lines += [
            f"# {virtual['policy']['path']} had the rule {name}: path {operand} {value}, pool {pool}"
            for name, operand, value, pool in policy["rules"]
        ]
    if profile is None:
        lines.append(f"delete ltm profile http {virtual['profile']['path']}")
    else:
        forwarded = "enabled" if profile["forwarded_for"] else "disabled"
        seconds = profile["stay_on_https"]
        stay = f"mode enabled maximum-age {seconds}" if seconds else "mode disabled"
        lines.append(
            f"modify ltm profile http {virtual['profile']['path']} insert-xforwarded-for {forwarded} "
            f"header-insert {quoted(profile['header'] or 'none')} hsts {{ {stay} }}"
        )
    return lines


def plain_remark(text: str) -> str:
    """Return the description of a member without what this project wrote before it."""
    return re.sub(rf"^{OURS}[^|]*(\| )?", "", text)


def f5_member(member: dict[str, Any], pool: dict[str, Any] | None) -> dict[str, Any]:
    """Find the member of the load balancer's model among the members of a pool that was read.

    Returns:
        The member as it was read with ``known`` true, ``others`` (names of the other members that get requests),
        ``ours`` (whether this project disabled it), and its description while it is drained and afterwards; only
        ``known`` false and ``others`` when the pool or the member is not on the BIG-IP.
    """
    found = (pool or {}).get("members", [])
    others = [item["name"] for item in found if item["admin"] == "enabled" and item["state"] == "up"]
    for item in found:
        if (item["address"], item["port"]) == (member.get("address"), int(member.get("port", 0))):
            plain = plain_remark(item["description"])
            return {
                **item,
                "known": True,
                "others": [name for name in others if name != item["name"]],
                "ours": item["description"].startswith(OURS),
                "plain_remark": plain,
                "drained_remark": f"{DRAINED} | {plain}" if plain else DRAINED,
            }
    return {"known": False, "others": others}


def f5_by_pool(members: list[dict[str, Any]], state: str, remark: str) -> list[dict[str, Any]]:
    """Return the members of each pool as ``bigip_pool_member`` takes them. A node is never removed with its member."""
    found: dict[str, dict[str, Any]] = {}
    for member in members:
        pool = {"path": member["path"], "partition": member["partition"], "aggregate": []}
        entry = {
            "name": member["node"],
            "address": member["address"],
            "port": member["port"],
            "partition": member["partition"],
            "state": state,
            "preserve_node": True,
        }
        if state != "absent":
            entry["description"] = remark
        found.setdefault(member["path"], pool)["aggregate"].append(entry)
    return list(found.values())
