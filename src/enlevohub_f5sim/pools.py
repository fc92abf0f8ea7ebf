"""The pools of the simulated BIG-IP, in the form in which every load balancer of a lab tells them.

load-balancer-pools                       print every member and its state as a JSON list
load-balancer-pools drain POOL MEMBER     disable a member, as a person does in the pages of the F5
load-balancer-pools enable POOL MEMBER    enable it again; wait until it is up
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import ssl
import sys
import time
import urllib.request
from typing import Any

SESSIONS = {
    "drain": {"session": "user-disabled", "state": "user-up"},
    "enable": {"session": "user-enabled", "state": "user-up"},
}


def rest(method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Send one request to the REST API that the environment of the process names; returns its answer."""
    context = ssl.create_default_context(cafile=os.environ["F5SIM_CA"])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    user = f"{os.environ['F5SIM_USER']}:{os.environ['F5SIM_PASSWORD']}"
    headers = {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(os.environ["F5SIM_ADDRESS"] + path, method=method, data=data, headers=headers)
    with opener.open(request, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def word(session: str, state: str) -> str:
    """Return the state of a member in the words that all load balancers of labs use."""
    if state == "user-down":
        return "MAINT"
    if session == "user-disabled":
        return "DRAIN"
    return {"up": "UP", "unchecked": "no check"}.get(state, "DOWN")


def members() -> list[dict[str, Any]]:
    """Return every member of every pool.

    A pool has the name that the playbooks use, which is what follows the last underscore of its own. The copies of
    one host have one port after the other: the first has the name of the host, the second one ``<host>-2``.
    """
    found = []
    for pool in rest("GET", "/mgmt/tm/ltm/pool").get("items", []):
        path = f"/mgmt/tm/ltm/pool/{pool['fullPath'].replace('/', '~')}/members"
        stats = {
            (entries["nodeName"]["description"].rsplit("/", 1)[-1], int(entries["port"]["value"])): entries
            for entries in (
                item["nestedStats"]["entries"] for item in rest("GET", f"{path}/stats").get("entries", {}).values()
            )
        }
        items = [(*item["name"].rsplit(":", 1), item) for item in rest("GET", path).get("items", [])]
        copies: dict[str, int] = {}
        for node, port, item in sorted(items, key=lambda entry: (entry[0], int(entry[1]))):
            copies[node] = copies.get(node, 0) + 1
            found.append(
                {
                    "pool": pool["name"].rpartition("_")[2],
                    "member": node if copies[node] == 1 else f"{node}-{copies[node]}",
                    "address": f"{item['address']}:{port}",
                    "state": word(item["session"], item["state"]),
                    "sessions": int(stats[(node, int(port))]["serverside.curConns"]["value"]),
                    "check": item.get("description", ""),
                    "path": f"{path}/{item['fullPath'].replace('/', '~')}",
                }
            )
    return found


def find(pool: str, name: str) -> dict[str, Any]:
    """Return one member."""
    found = [item for item in members() if (item["pool"], item["member"]) == (pool, name)]
    if not found:
        sys.exit(f"the pool {pool} has no member {name}; ask with: load-balancer-pools")
    return found[0]


def change(verb: str, pool: str, name: str, timeout: float) -> None:
    """Change a member and keep the configuration, as the pages of an F5 do; an enabled one is waited for."""
    rest("PATCH", find(pool, name)["path"], SESSIONS[verb])
    rest("POST", "/mgmt/tm/util/bash", {"command": "run", "utilCmdArgs": '-c "tmsh save sys config"'})
    end = time.monotonic() + timeout
    while verb == "enable" and (state := find(pool, name)["state"]) != "UP":
        if time.monotonic() > end:
            sys.exit(f"{name} of the pool {pool} is not up after {timeout:g} s: {state}")
        time.sleep(0.2)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        prog="load-balancer-pools", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb")
    for verb in SESSIONS:
        inner = verbs.add_parser(verb)
        inner.add_argument("pool")
        inner.add_argument("member")
        inner.add_argument("--timeout", type=float, default=60)
    given = parser.parse_args()
    if given.verb:
        change(given.verb, given.pool, given.member, given.timeout)
    else:
        print(json.dumps([{key: value for key, value in item.items() if key != "path"} for item in members()]))


if __name__ == "__main__":
    main()
