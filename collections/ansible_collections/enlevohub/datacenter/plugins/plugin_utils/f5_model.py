"""The pools of the load balancer in the words of a BIG-IP: folders, nodes, members, monitors, virtual servers."""

from __future__ import annotations

import re
from typing import Any

# HTTP/1.0 needs no Host header. A BIG-IP wants the four characters \r\n, not the line break itself.
SEND = "GET {path} HTTP/1.0\\r\\n\\r\\n"
RECEIVE = "^HTTP/1\\.[01] 200"
# Where nobody drives the F5, a backend that drains says so itself: no new connections, and those under way go on.
RECEIVE_DISABLE = "^HTTP/1\\.[01] 503"
# Seconds for which a browser that came once asks by HTTPS only (Strict-Transport-Security).
STAY_ON_HTTPS = 31536000


def member_name(node: str, port: int) -> str:
    """Return the name of a pool member: the node, and the port behind a dot when the node has a colon (IPv6)."""
    return f"{node}{'.' if ':' in node else ':'}{port}"


def f5_model(pools: list[dict[str, Any]], options: dict[str, Any]) -> dict[str, Any]:
    """Return what shall be on the BIG-IP.

    Args:
        pools: the pools of the load balancer: name, paths, health_path, members (name, host, address, port).
        options: prefix, partition, tenant, method (modules, as3, none), names, balancing, slow_ramp, interval,
            sync_group, virtual_servers, address, ssl_profile, snat.

    Returns:
        ``partition`` and ``folder`` of all objects, ``monitors``, ``pools`` (``own`` is false for a pool that
        somebody else made), and ``virtual``, None when somebody else owns the virtual servers.
    """
    as3 = options["method"] == "as3"
    partition = options["tenant"] if as3 else options["partition"]
    folder = f"/{partition}/{options['prefix']}" if as3 else f"/{partition}"
    monitors: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for pool in pools:
        taken = options["names"].get(pool["name"], "")
        label = f"{options['prefix']}_{pool['name']}"
        path = f"{folder}/{label}"
        if taken:
            path = taken if taken.startswith("/") else f"/{options['partition']}/{taken}"
        else:
            monitors.append(
                {
                    "name": f"{label}_health",
                    "path": f"{folder}/{label}_health",
                    "send": SEND.format(path=pool["health_path"]),
                    "receive": RECEIVE,
                    "receive_disable": RECEIVE_DISABLE if options["method"] == "none" else "",
                    "interval": int(options["interval"]),
                    "timeout": 3 * int(options["interval"]) + 1,
                }
            )
        found.append(
            {
                "name": pool["name"],
                "label": path.rsplit("/", 1)[1],
                "path": path,
                "partition": path.split("/")[1],
                "own": not taken,
                "monitor": "" if taken else f"{folder}/{label}_health",
                "balancing": options["balancing"],
                "slow_ramp": int(options["slow_ramp"]),
                "paths": list(pool["paths"]),
                "members": [
                    {
                        "name": member["name"],
                        "node": member.get("host", member["name"]),
                        "address": member["address"],
                        "port": int(member["port"]),
                    }
                    for member in pool["members"]
                ],
            }
        )
    return {
        "prefix": options["prefix"],
        "partition": partition,
        "tenant": options["tenant"],
        "folder": folder,
        "sync_group": options["sync_group"],
        "monitors": monitors,
        "pools": found,
        "virtual": _virtual(found, folder, options) if options["virtual_servers"] else None,
    }


def _virtual(pools: list[dict[str, Any]], folder: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the two virtual servers and what they need; the pool of ``/`` gets what no rule takes."""
    prefix = options["prefix"]
    rules: list[dict[str, Any]] = []
    for pool in pools:
        for path in pool["paths"]:
            if path == "/":
                continue
            name = f"{pool['name']}{re.sub('[^a-zA-Z0-9]+', '_', path)}"
            # Two rules: all conditions of one rule must hold, and /apix belongs to nobody but the default pool.
            rules.append({"name": name, "operand": "equals", "value": path, "pool": pool["path"]})
            rules.append({"name": f"{name}_below", "operand": "starts-with", "value": f"{path}/", "pool": pool["path"]})
    # AS3 makes the virtual server of port 80 by itself, with a name of its own.
    redirect = f"{prefix}_https-Redirect-" if options["method"] == "as3" else f"{prefix}_http"
    default = [pool["path"] for pool in pools if "/" in pool["paths"]]
    return {
        "address": options["address"],
        "http": {"name": redirect, "path": f"{folder}/{redirect}", "port": 80},
        "https": {"name": f"{prefix}_https", "path": f"{folder}/{prefix}_https", "port": 443},
        "policy": {"name": f"{prefix}_paths", "path": f"{folder}/{prefix}_paths", "rules": rules},
        "profile": {
            "name": f"{prefix}_headers",
            "path": f"{folder}/{prefix}_headers",
            "header": "X-Forwarded-Proto: https",
            "stay_on_https": STAY_ON_HTTPS,
        },
        "pool": default[0] if default else "",
        "ssl_profile": options["ssl_profile"],
        "snat": options["snat"],
    }
