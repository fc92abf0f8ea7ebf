#!/usr/bin/python
"""Let a new machine take the place of a member of etcd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_member
short_description: Let a new machine take the place of a member of etcd
description:
  - Removes the member that is no more, adds one with the same name and the given peer address, and returns with which
    environment etcd must start there for the first time.
  - Runs on any host that may reach etcd; the first member that answers does it. A second run changes nothing.
  - The member is added with its vote. Among an even number of members one more does not raise the quorum, so a machine
    that never starts takes nothing away; etcd itself refuses what would break its quorum.
options:
  endpoints:
    description: URLs of the members of etcd that stay.
    type: list
    elements: str
    required: true
  directory:
    description: Directory of C(ca.crt), C(host.crt) and C(host.key).
    type: path
    default: /etc/enlevohub/pki
  name:
    description: Name of the member.
    type: str
    required: true
  peer:
    description: URL at which the other members reach it.
    type: str
    required: true
  remove:
    description: Id of the member to remove; empty, none.
    type: str
    default: ""
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Let db2 take the place of the db2 that was lost
  enlevohub.datacenter.etcd_member:
    endpoints: ["https://192.0.2.11:2379", "https://192.0.2.21:2379"]
    name: db2
    peer: https://192.0.2.22:2380
    remove: "10501334649042878790"
"""

RETURN = r"""
actions:
  description: What was done.
  type: list
  returned: always
initial_cluster:
  description: Value of ETCD_INITIAL_CLUSTER for the first start of the new member; empty when it has started already.
  type: str
  returned: always
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils.etcd_client import Etcd, EtcdError


def initial_cluster(members: list[dict[str, Any]], name: str, peer: str) -> str:
    """Return the members as a new one must know them: itself by its name, the others as they are."""
    pairs = [
        (name if peer in member["peers"] else member["name"] or member["id"], url)
        for member in members
        for url in member["peers"]
    ]
    return ",".join(f"{member}={url}" for member, url in sorted(pairs))


def plan(members: list[dict[str, Any]], name: str, peer: str, remove: str) -> tuple[bool, bool]:
    """Return whether to remove the old member, and whether to add the new one.

    Raises:
        ValueError: the id belongs to a member with another name.
    """
    old = [member for member in members if remove and member["id"] == remove]
    if old and old[0]["name"] not in (name, ""):
        raise ValueError(f"the member {remove} is {old[0]['name']}, not {name}")
    return bool(old), not any(peer in member["peers"] for member in members if member not in old)


def main() -> None:
    """Remove, add, tell."""
    module = AnsibleModule(
        argument_spec={
            "endpoints": {"type": "list", "elements": "str", "required": True},
            "directory": {"type": "path", "default": "/etc/enlevohub/pki"},
            "name": {"type": "str", "required": True},
            "peer": {"type": "str", "required": True},
            "remove": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    given = module.params
    name, peer = given["name"], given["peer"]
    actions: list[str] = []
    try:
        etcd = Etcd(given["endpoints"], given["directory"])
        members = etcd.members()
        gone, new = plan(members, name, peer, given["remove"])
        if gone:
            if not module.check_mode:
                members = etcd.remove_member(given["remove"])
            actions.append(f"remove {name} ({given['remove']})")
        if new:
            if not module.check_mode:
                members = etcd.add_member(peer)
            actions.append(f"add {name} at {peer}")
    except (EtcdError, OSError, ValueError) as error:
        done = f" Done before: {', '.join(actions)}. Run again." if actions else " Nothing was changed."
        module.fail_json(msg=f"etcd: {error}.{done}")
    started = any(peer in member["peers"] and member["name"] for member in members)
    text = "" if started and not actions else initial_cluster(members, name, peer)
    diff = {"before": "", "after": "".join(f"{action}\n" for action in actions), "after_header": "members of etcd"}
    module.exit_json(changed=bool(actions), actions=actions, initial_cluster=text, diff=diff)


if __name__ == "__main__":
    main()
