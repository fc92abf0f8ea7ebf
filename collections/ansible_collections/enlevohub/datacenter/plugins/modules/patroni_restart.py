#!/usr/bin/python
"""Restart PostgreSQL where a changed parameter waits for it: the standby, then a switchover, then the old leader."""

from __future__ import annotations

DOCUMENTATION = r"""
module: patroni_restart
short_description: Restart PostgreSQL under Patroni where a changed parameter waits for it
description:
  - Only members whose PostgreSQL says that a parameter waits for a restart are restarted.
  - A standby is restarted first. The leader hands over to its synchronous standby and is restarted as a standby, so
    that writers wait for a switchover and not for a restart. Without a synchronous standby it is restarted in place.
  - A parameter that the leader dictates to its standbys (max_connections and others that were made smaller) still waits
    after that; then the leader is restarted in place, and the standbys after it.
  - After each step every member must be well again before the next one.
options:
  timeout:
    description: Seconds until the cluster must be well again after each step.
    type: int
    default: 120
extends_documentation_fragment: enlevohub.datacenter.patroni
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Restart PostgreSQL where a parameter waits for it, the standby first
  enlevohub.datacenter.patroni_restart:
    url: https://192.0.2.21:8008
    username: patroni
    password: "{{ patroni_restapi_password }}"
    directory: /etc/enlevohub/pki
"""

RETURN = r"""
actions:
  description: What was done, in its order.
  type: list
  returned: always
"""

from collections.abc import Collection
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils.patroni_api import ACCESS, leads, pending, reach
from ansible_collections.enlevohub.datacenter.plugins.module_utils.patroni_steps import StepError, Steps

ROUNDS = 3


def next_step(
    members: list[dict[str, Any]], waiting: list[str], moved: bool, restarted: Collection[str]
) -> tuple[str, str]:
    """Return what to do next, as verb and member: restart, switchover (to that member), or nothing.

    Args:
        members: the cluster.
        waiting: members that wait for a restart, the leader last.
        moved: whether a switchover was made already; then the leader itself has to be restarted, before its standbys.
        restarted: members that were restarted already. A standby that waits nevertheless waits for its leader.
    """
    if not waiting:
        return "", ""
    leader = next((member["name"] for member in members if leads(member)), "")
    if moved and leader in waiting:
        return "restart", leader
    fresh = [name for name in waiting if name != leader and name not in restarted]
    if fresh or leader not in waiting:
        return "restart", (fresh or waiting)[0]
    candidates = [member["name"] for member in members if member["role"] == "sync_standby"]
    return ("switchover", candidates[0]) if candidates else ("restart", leader)


def main() -> None:
    """Restart what waits, step by step."""
    module = AnsibleModule(
        argument_spec={
            **ACCESS,
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    given = module.params
    api = reach(given)
    steps = Steps(api, given["timeout"])
    try:
        members = api.members()
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{given['url']}/cluster does not answer: {error}")
    waiting = pending(members)
    if module.check_mode:
        module.exit_json(changed=bool(waiting), actions=[f"restart {name}" for name in waiting])
    moved, restarted = False, set[str]()
    for _ in range(ROUNDS * len(members)):
        verb, name = next_step(members, waiting, moved, restarted)
        if not verb:
            break
        moved = moved or verb == "switchover"
        restarted.add(name)
        try:
            members = steps.restart(members, name) if verb == "restart" else steps.switchover(members, name)
        except StepError as error:
            module.fail_json(msg=str(error))
        waiting = pending(members)
    if waiting:
        module.fail_json(msg=f"{', '.join(waiting)} still wait for a restart after: {', '.join(steps.actions)}")
    module.exit_json(changed=bool(steps.actions), actions=steps.actions)


if __name__ == "__main__":
    main()
