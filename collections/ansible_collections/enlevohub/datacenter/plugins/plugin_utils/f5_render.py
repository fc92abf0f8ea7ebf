"""A model of pools as an AS3 declaration and as a tmsh script, and what the schema of AS3 does not see."""

from __future__ import annotations

import ipaddress
from typing import Any

# The oldest version that knows everything used here; a device takes any version up to its own.
SCHEMA_VERSION = "3.45.0"
ADMIN_STATES = {"enabled": "enable", "disabled": "disable", "forced_offline": "offline"}
MEMBER_KEYS = {"servicePort", "servers", "serverAddresses", "adminState", "remark", "shareNodes"}
SESSIONS = {
    "enabled": "session user-enabled state user-up",
    "disabled": "session user-disabled state user-up",
    "forced_offline": "session user-disabled state user-down",
}


def f5_declaration(model: dict[str, Any], states: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the AS3 request for a model: one tenant, one application.

    Args:
        model: see :func:`f5_model`.
        states: ``admin`` (enabled, disabled, forced_offline) and ``remark`` by ``<pool> <address> <port>``; a member
            that is not named is enabled. AS3 writes the state of every member each time: what is drained must be named.
    """
    states = states or {}
    application: dict[str, Any] = {"class": "Application", "template": "generic"}
    for monitor in model["monitors"]:
        application[monitor["name"]] = {
            "class": "Monitor",
            "monitorType": "http",
            "send": monitor["send"],
            "receive": monitor["receive"],
            **({"receiveDown": monitor["receive_disable"]} if monitor["receive_disable"] else {}),
            "interval": monitor["interval"],
            "timeout": monitor["timeout"],
        }
    for pool in model["pools"]:
        if not pool["own"]:
            continue
        application[pool["label"]] = {
            "class": "Pool",
            "loadBalancingMode": pool["balancing"],
            "slowRampTime": pool["slow_ramp"],
            "serviceDownAction": "none",
            "monitors": [{"use": pool["monitor"].rsplit("/", 1)[1]}],
            "members": [
                {
                    "servicePort": member["port"],
                    "servers": [{"name": member["node"], "address": member["address"]}],
                    **_state(states.get(f"{pool['name']} {member['address']} {member['port']}")),
                }
                for member in pool["members"]
            ],
        }
    if model["virtual"]:
        application.update(_virtual(model))
    request: dict[str, Any] = {
        "class": "AS3",
        "action": "deploy",
        "persist": True,
        "declaration": {
            "class": "ADC",
            "schemaVersion": SCHEMA_VERSION,
            "id": model["prefix"],
            "updateMode": "selective",
            model["tenant"]: {"class": "Tenant", model["prefix"]: application},
        },
    }
    if model["sync_group"]:
        request["syncToGroup"] = model["sync_group"]
    return request


def _state(kept: dict[str, str] | None) -> dict[str, str]:
    """Return the state of a member as it is on the device, and why it is so."""
    if kept is None:
        return {"adminState": "enable"}
    remark = {"remark": kept["remark"]} if kept["remark"] else {}
    return {"adminState": ADMIN_STATES[kept["admin"]], **remark}


def _pointer(model: dict[str, Any], path: str) -> dict[str, str]:
    """Return how a declaration refers to a pool: its own by ``use``, one that somebody else made by ``bigip``."""
    own = {pool["path"]: pool["label"] for pool in model["pools"] if pool["own"]}
    return {"use": own[path]} if path in own else {"bigip": path}


def _virtual(model: dict[str, Any]) -> dict[str, Any]:
    virtual = model["virtual"]
    snat: Any = {"automap": "auto", "none": "none"}.get(virtual["snat"], {"bigip": virtual["snat"]})
    return {
        virtual["profile"]["name"]: {
            "class": "HTTP_Profile",
            "xForwardedFor": True,
            "insertHeader": dict(zip(("name", "value"), virtual["profile"]["header"].split(": "), strict=True)),
            "hstsInsert": True,
            "hstsPeriod": virtual["profile"]["stay_on_https"],
            "hstsIncludeSubdomains": False,
        },
        virtual["policy"]["name"]: {
            "class": "Endpoint_Policy",
            "strategy": "first-match",
            "rules": [
                {
                    "name": rule["name"],
                    "conditions": [
                        {"type": "httpUri", "path": {"operand": rule["operand"], "values": [rule["value"]]}}
                    ],
                    "actions": [
                        {
                            "type": "forward",
                            "event": "request",
                            "select": {"pool": _pointer(model, rule["pool"])},
                        }
                    ],
                }
                for rule in virtual["policy"]["rules"]
            ],
        },
        virtual["https"]["name"]: {
            "class": "Service_HTTPS",
            "virtualAddresses": [virtual["address"]],
            "virtualPort": virtual["https"]["port"],
            "redirect80": True,
            "pool": _pointer(model, virtual["pool"]),
            "policyEndpoint": virtual["policy"]["name"],
            "profileHTTP": {"use": virtual["profile"]["name"]},
            "profileMultiplex": {"bigip": "/Common/oneconnect"},
            "serverTLS": {"bigip": virtual["ssl_profile"]},
            "persistenceMethods": [],
            "snat": snat,
        },
    }


def f5_problems(request: dict[str, Any]) -> list[str]:
    """Return what is wrong with a declaration and is not found by the schema of AS3."""
    found: list[str] = []
    for tenant, content in request["declaration"].items():
        if not isinstance(content, dict) or content.get("class") != "Tenant":
            continue
        servers: dict[str, str] = {}
        for name, application in content.items():
            if isinstance(application, dict) and application.get("class") == "Application":
                found += _application(f"/{tenant}/{name}", application, servers)
    return found


def _application(where: str, application: dict[str, Any], servers: dict[str, str]) -> list[str]:
    found: list[str] = []
    for name, item in application.items():
        if not isinstance(item, dict):
            continue
        for used in _uses(item):
            if used not in application:
                found.append(f"{where}/{name}: refers to '{used}', which is not in the declaration")
        policy = item.get("policyEndpoint")
        if isinstance(policy, str) and policy not in application:
            found.append(f"{where}/{name}: refers to '{policy}', which is not in the declaration")
        for address in item.get("virtualAddresses", []):
            if not _is_address(address):
                found.append(f"{where}/{name}: '{address}' is not an IP address")
        if item.get("class") == "Pool":
            found += _pool(f"{where}/{name}", item, servers)
    return found


def _pool(where: str, pool: dict[str, Any], servers: dict[str, str]) -> list[str]:
    found: list[str] = []
    seen: set[tuple[str, int]] = set()
    if not pool.get("members"):
        found.append(f"{where}: has no member")
    if not pool.get("monitors"):
        found.append(f"{where}: has no monitor")
    for member in pool.get("members", []):
        found += [f"{where}: member has the unknown property '{key}'" for key in sorted(set(member) - MEMBER_KEYS)]
        if not isinstance(member.get("servicePort"), int):
            found.append(f"{where}: the port '{member.get('servicePort')}' is not a number")
        for server in member.get("servers", []):
            name, address = server["name"], server["address"]
            if not _is_address(address):
                found.append(f"{where}: '{address}' of {name} is not an IP address")
            if (address, member.get("servicePort")) in seen:
                found.append(f"{where}: {address} port {member.get('servicePort')} stands twice")
            seen.add((address, member.get("servicePort")))
            if servers.setdefault(name, address) != address:
                found.append(f"{where}: the server {name} has two addresses, {servers[name]} and {address}")
    for address in sorted(set(servers.values())):
        names = sorted(name for name, own in servers.items() if own == address)
        if len(names) > 1:
            found.append(f"{where}: {address} is the address of two servers, {' and '.join(names)}")
    return found


def _uses(item: Any) -> list[str]:
    if isinstance(item, list):
        return [name for inner in item for name in _uses(inner)]
    if isinstance(item, dict):
        own = [item["use"]] if isinstance(item.get("use"), str) else []
        return own + [name for inner in item.values() for name in _uses(inner)]
    return []


def _is_address(text: str) -> bool:
    """Return whether a text is an IP address; a BIG-IP may add a route domain (``%1``) and a mask."""
    address, _, mask = text.partition("/")
    plain, _, domain = address.partition("%")
    try:
        ipaddress.ip_address(plain)
    except ValueError:
        return False
    return (not domain or domain.isdigit()) and (not mask or mask.isdigit())


def quoted(text: str) -> str:
    """Return a text for tmsh: a backslash and a quotation mark are taken literally."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def f5_script(model: dict[str, Any]) -> str:
    """Return the tmsh commands that make the objects of a model on a BIG-IP that has none of them: all or nothing."""
    lines = ["create cli transaction"]
    for monitor in model["monitors"]:
        lines.append(
            f"create ltm monitor http {monitor['path']} {{ defaults-from /Common/http interval {monitor['interval']} "
            f"timeout {monitor['timeout']} send {quoted(monitor['send'])} recv {quoted(monitor['receive'])}"
            + (f" recv-disable {quoted(monitor['receive_disable'])}" if monitor["receive_disable"] else "")
            + " }"
        )
    addresses = {member["node"]: member["address"] for pool in model["pools"] for member in pool["members"]}
    for node, address in addresses.items():
        lines.append(f"create ltm node /{model['partition']}/{node} {{ address {address} }}")
    for pool in model["pools"]:
        members = " ".join(
            f"/{pool['partition']}/{member['node']}:{member['port']} {{ address {member['address']} }}"
            for member in pool["members"]
        )
        if pool["own"]:
            lines.append(
                f"create ltm pool {pool['path']} {{ load-balancing-mode {pool['balancing']} "
                f"slow-ramp-time {pool['slow_ramp']} service-down-action none monitor {pool['monitor']} "
                f"members add {{ {members} }} }}"
            )
        else:
            lines.append(f"modify ltm pool {pool['path']} members add {{ {members} }}")
    virtual = model["virtual"]
    if virtual:
        lines += _virtual_lines(virtual, model["partition"])
    return "\n".join([*lines, "submit cli transaction", "save sys config"]) + "\n"


def f5_member_lines(model: dict[str, Any]) -> str:
    """Return, for each member, the tmsh commands that take it out for a while and bring it back."""
    lines: list[str] = []
    for pool in model["pools"]:
        for member in pool["members"]:
            name = f"/{pool['partition']}/{member['node']}:{member['port']}"
            for verb, state in (("drain", "disabled"), ("enable", "enabled")):
                command = f"modify ltm pool {pool['path']} members modify {{ {name} {{ {SESSIONS[state]} }} }}"
                lines.append(f"{verb} {member['name']}: {command}")
    return "\n".join(lines) + "\n"


def _virtual_lines(virtual: dict[str, Any], partition: str) -> list[str]:
    rules = " ".join(
        f"{rule['name']} {{ ordinal {number} conditions add {{ 0 {{ http-uri path {rule['operand']} "
        f"values {{ {rule['value']} }} }} }} actions add {{ 0 {{ forward select pool {rule['pool']} }} }} }}"
        for number, rule in enumerate(virtual["policy"]["rules"], 1)
    )
    separator = "." if ":" in virtual["address"] else ":"
    snat = virtual["snat"]
    snat = f"type {snat}" if snat in ("automap", "none") else f"type snat pool {snat}"
    draft = f"/{partition}/Drafts/{virtual['policy']['name']}"
    return [
        f"create ltm profile http {virtual['profile']['path']} {{ defaults-from /Common/http "
        f"insert-xforwarded-for enabled header-insert {quoted(virtual['profile']['header'])} "
        f"hsts {{ mode enabled maximum-age {virtual['profile']['stay_on_https']} include-subdomains disabled }} }}",
        f"create ltm policy {draft} {{ strategy /Common/first-match requires add {{ http }} "
        f"controls add {{ forwarding }} rules add {{ {rules} }} }}",
        f"publish ltm policy {draft}",
        f"create ltm virtual {virtual['http']['path']} {{ destination {virtual['address']}{separator}80 ip-protocol "
        "tcp profiles add { /Common/tcp /Common/http } rules { /Common/_sys_https_redirect } }",
        f"create ltm virtual {virtual['https']['path']} {{ destination {virtual['address']}{separator}443 "
        f"ip-protocol tcp pool {virtual['pool']} source-address-translation {{ {snat} }} profiles add {{ /Common/tcp "
        f"{virtual['profile']['path']} /Common/oneconnect {virtual['ssl_profile']} {{ context clientside }} }} "
        f"policies add {{ {virtual['policy']['path']} }} }}",
    ]
