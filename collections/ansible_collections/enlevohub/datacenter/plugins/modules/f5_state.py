#!/usr/bin/python
"""Read pools, members and their connections from a BIG-IP, and wait for a state."""

from __future__ import annotations

DOCUMENTATION = r"""
module: f5_state
short_description: Read pools and members of a BIG-IP, and wait until members are drained or up
description:
  - Writes nothing. One token for the whole task, given back at its end.
  - C(f5networks.f5_modules) has no module that tells the state or the connections of one member.
options:
  provider:
    description: The BIG-IP and the user, as for C(f5networks.f5_modules).
    type: dict
    required: true
    suboptions:
      server:
        description: Name or address.
        type: str
        required: true
      server_port:
        description: Port of its REST API.
        type: int
        default: 443
      user:
        description: Name of the user.
        type: str
        required: true
      password:
        description: Password of the user.
        type: str
        required: true
      validate_certs:
        description: Whether the certificate must be good.
        type: bool
        default: true
      no_f5_teem:
        description: Taken so that one provider fits all modules; this module never reports to the vendor.
        type: bool
        default: true
  pools:
    description: Full paths of pools.
    type: list
    elements: str
    required: true
  monitors:
    description: Full paths of HTTP monitors.
    type: list
    elements: str
    default: []
  virtuals:
    description: Full paths of virtual servers, policies and HTTP profiles.
    type: list
    elements: str
    default: []
  wait:
    description:
      - C(drained) waits until O(members) have at most O(connections) connections each; C(up) until their monitor says
        up. The end of the time is no failure, see RV(met).
    type: str
    choices: ["no", drained, up]
    default: "no"
  members:
    description: Members to wait for, each with C(path) (of its pool), C(address) and C(port).
    type: list
    elements: dict
    default: []
  connections:
    description: How many connections a drained member may still have.
    type: int
    default: 0
  timeout:
    description: Seconds to wait.
    type: float
    default: 60
  tries:
    description: How often a request is sent when the BIG-IP is busy or cannot be reached.
    type: int
    default: 3
  delay:
    description: Seconds between two tries.
    type: float
    default: 2
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Wait until the member has no connection
  enlevohub.datacenter.f5_state:
    provider: "{{ f5 }}"
    pools: [/Common/enlevohub_backend]
    wait: drained
    members: [{path: /Common/enlevohub_backend, address: 192.0.2.11, port: 3001}]
"""

RETURN = r"""
pools:
  description: Pools by their path, with C(members); null for a pool that does not exist.
  type: dict
  returned: always
monitors:
  description: Monitors by their path; null for one that does not exist.
  type: dict
  returned: always
virtuals:
  description: Virtual servers, policies and HTTP profiles by their path; null for one that does not exist.
  type: dict
  returned: always
nodes:
  description: All nodes with name, partition and address.
  type: list
  returned: always
met:
  description: Whether what was waited for came in time.
  type: bool
  returned: always
left:
  description: The members of which it did not come.
  type: list
  returned: always
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils.f5_client import (
    PROVIDER,
    F5Client,
    F5Error,
    resource,
)

EVERY = 0.5


def admin_state(session: str, state: str) -> str:
    """Return what somebody set, from the two words of a member."""
    if session == "user-disabled":
        return "forced_offline" if state == "user-down" else "disabled"
    return "enabled"


def plain_address(address: str) -> str:
    """Return an address without route domain and mask."""
    return address.split("%")[0].split("/")[0]


def connections(stats: dict[str, Any]) -> dict[tuple[str, int], int]:
    """Return the connections by node and port; the keys of the answer are addresses of no use."""
    found: dict[tuple[str, int], int] = {}
    for item in (stats.get("entries") or {}).values():
        entries = item["nestedStats"]["entries"]
        name = entries["nodeName"]["description"].rsplit("/", 1)[-1]
        found[(name, int(entries["port"]["value"]))] = int(entries["serverside.curConns"]["value"])
    return found


def read_pool(client: F5Client, path: str) -> dict[str, Any] | None:
    """Return a pool with its members, None when there is none."""
    address = f"/mgmt/tm/ltm/pool/{resource(path)}"
    pool = client.find(address)
    if pool is None:
        return None
    counted = connections(client.get(f"{address}/members/stats"))
    members: list[dict[str, Any]] = []
    for item in client.get(f"{address}/members").get("items", []):
        name = item["name"]
        node, separator, port = name.rpartition(":")
        if not separator or ("." in port and ":" in node):
            node, _, port = name.rpartition(".")  # IPv6: the port stands behind a dot
        members.append(
            {
                "name": name,
                "node": node,
                "address": plain_address(item["address"]),
                "port": int(port),
                "partition": item["partition"],
                "session": item["session"],
                "state": item["state"] if item["state"] != "user-down" else "down",
                "admin": admin_state(item["session"], item["state"]),
                "description": item.get("description", ""),
                "connections": counted.get((node, int(port)), 0),
            }
        )
    kept = ("monitor", "loadBalancingMode", "slowRampTime", "serviceDownAction")
    return {**{key: pool.get(key) for key in kept}, "members": members}


def headers_of(profile: dict[str, Any]) -> dict[str, Any]:
    """Return what an HTTP profile adds to requests and answers."""
    hsts = profile.get("hsts") or {}
    return {
        "header": str(profile.get("headerInsert") or ""),
        "forwarded_for": profile.get("insertXforwardedFor") == "enabled",
        "stay_on_https": int(hsts.get("maximumAge") or 0) if hsts.get("mode") == "enabled" else 0,
    }


def read_virtual(client: F5Client, path: str) -> dict[str, Any] | None:
    """Return a virtual server with its policies, a policy with its rules, or a profile with its headers, or None."""
    found = client.find(f"/mgmt/tm/ltm/virtual/{resource(path)}")
    if found is not None:
        policies = client.get(f"/mgmt/tm/ltm/virtual/{resource(path)}/policies").get("items", [])
        return {
            "destination": found.get("destination", ""),
            "pool": found.get("pool", ""),
            "policies": [item.get("fullPath", item["name"]) for item in policies],
        }
    address = f"/mgmt/tm/ltm/policy/{resource(path)}"
    if client.find(address) is None:
        profile = client.find(f"/mgmt/tm/ltm/profile/http/{resource(path)}")
        return None if profile is None else headers_of(profile)
    rules: list[list[str]] = []
    items = client.get(f"{address}/rules?expandSubcollections=true").get("items", [])
    for rule in sorted(items, key=lambda item: int(item.get("ordinal", 0))):
        condition = ((rule.get("conditionsReference") or {}).get("items") or [{}])[0]
        action = ((rule.get("actionsReference") or {}).get("items") or [{}])[0]
        operand = "starts-with" if condition.get("startsWith") else "equals"
        value = (condition.get("values") or [""])[0]
        rules.append([rule["name"], operand, value, action.get("pool", "")])
    return {"rules": rules}


def read(client: F5Client, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return everything that is asked for."""
    nodes = client.get("/mgmt/tm/ltm/node").get("items", [])
    return {
        "pools": {path: read_pool(client, path) for path in parameters["pools"]},
        "monitors": {
            path: client.find(f"/mgmt/tm/ltm/monitor/http/{resource(path)}") for path in parameters["monitors"]
        },
        "virtuals": {path: read_virtual(client, path) for path in parameters["virtuals"]},
        "nodes": [
            {"name": node["name"], "partition": node["partition"], "address": plain_address(node["address"])}
            for node in nodes
        ],
    }


def waiting(pools: dict[str, Any], parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the members that are not what is waited for; one that is not in its pool is drained, and never up."""
    found: list[dict[str, Any]] = []
    for wanted in parameters["members"]:
        pool = pools.get(wanted["path"]) or {"members": []}
        match = [
            item
            for item in pool["members"]
            if (item["address"], item["port"]) == (wanted["address"], int(wanted["port"]))
        ]
        if parameters["wait"] == "drained":
            found += [item for item in match if item["connections"] > parameters["connections"]]
        elif not match:
            found.append(
                {"name": f"{wanted['address']}:{wanted['port']}", "state": "not in the pool", "connections": 0}
            )
        else:
            found += [item for item in match if item["state"] != "up"]
    return found


def main() -> None:
    """Read, and read again until the state is there or the time is over."""
    module = AnsibleModule(
        argument_spec={
            "provider": PROVIDER,
            "pools": {"type": "list", "elements": "str", "required": True},
            "monitors": {"type": "list", "elements": "str", "default": []},
            "virtuals": {"type": "list", "elements": "str", "default": []},
            "wait": {"type": "str", "choices": ["no", "drained", "up"], "default": "no"},
            "members": {"type": "list", "elements": "dict", "default": []},
            "connections": {"type": "int", "default": 0},
            "timeout": {"type": "float", "default": 60},
            "tries": {"type": "int", "default": 3},
            "delay": {"type": "float", "default": 2},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    found: dict[str, Any] = {}
    left: list[dict[str, Any]] = []
    try:
        with F5Client(parameters["provider"], parameters["tries"], parameters["delay"]) as client:
            end = time.monotonic() + parameters["timeout"]
            found = read(client, parameters)
            if parameters["wait"] != "no":
                left = waiting(found["pools"], parameters)
                while left and time.monotonic() < end:
                    time.sleep(EVERY)
                    found["pools"] = {path: read_pool(client, path) for path in parameters["pools"]}
                    left = waiting(found["pools"], parameters)
    except F5Error as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, met=not left, left=left, **found)


if __name__ == "__main__":
    main()
