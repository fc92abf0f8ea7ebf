#!/usr/bin/python
"""Do one step on a Patroni cluster and wait until the cluster is well again."""

from __future__ import annotations

DOCUMENTATION = r"""
module: patroni_step
short_description: Restart, switch over or copy a member of a Patroni cluster
description:
  - Does one step that an operator asked for, by the REST API of Patroni, and waits until it has ended well. Every
    member that was well before is well again then, and a synchronous standby is there again when there was one.
  - Decides nothing. What may be done is decided by the role C(database_operation) before the first step.
options:
  action:
    description: The step. C(restart) restarts PostgreSQL of a member, C(switchover) makes a member the leader,
      C(reinitialize) copies a standby again from the leader, C(wait) only waits
      until the member is well and a synchronous standby is there.
    type: str
    choices: [restart, switchover, reinitialize, wait]
    required: true
  member:
    description: The member. Empty for a switchover to the synchronous standby.
    type: str
    default: ""
  timeout:
    description: Seconds until the step must have ended.
    type: int
    default: 120
extends_documentation_fragment: enlevohub.datacenter.patroni
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Make db2 the leader
  enlevohub.datacenter.patroni_step:
    url: https://192.0.2.21:8008
    username: patroni
    password: "{{ patroni_restapi_password }}"
    directory: /etc/enlevohub/pki
    action: switchover
    member: db2
"""

RETURN = r"""
done:
  description: What was done.
  type: str
  returned: always
seconds:
  description: How long it took.
  type: float
  returned: always
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils.patroni_api import ACCESS, reach
from ansible_collections.enlevohub.datacenter.plugins.module_utils.patroni_steps import (
    Members,
    StepError,
    Steps,
    synchronous_standby,
)


def listed(steps: Steps, name: str) -> Members:
    """Return the members when the named one is among them."""
    return steps.settle(f"{name} in the cluster", set(), lambda now: name in {item["name"] for item in now})


def main() -> None:
    """Do the step."""
    module = AnsibleModule(
        argument_spec={
            **ACCESS,
            "action": {
                "type": "str",
                "choices": ["restart", "switchover", "reinitialize", "wait"],
                "required": True,
            },
            "member": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    given, begin = module.params, time.monotonic()
    action, name = given["action"], given["member"]
    if module.check_mode:
        module.exit_json(changed=action != "wait", done=f"{action} {name}", seconds=0.0)
    steps = Steps(reach(given), given["timeout"])
    try:
        if action == "switchover":
            members = steps.settle("a synchronous standby", set(), lambda now: bool(synchronous_standby(now)))
            steps.switchover(members, name or synchronous_standby(members))
        elif action == "restart":
            steps.restart(listed(steps, name), name)
        elif action == "reinitialize":
            steps.reinitialize(listed(steps, name), name)
        else:
            steps.settle(f"wait for {name}", {name}, lambda now: len(now) == 1 or bool(synchronous_standby(now)))
    except StepError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=action != "wait",
        done=steps.actions[-1] if steps.actions else f"wait for {name}",
        seconds=round(time.monotonic() - begin, 1),
    )


if __name__ == "__main__":
    main()
