#!/usr/bin/python
"""Tell how the database cluster is, as Patroni of all members sees it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: database_state
short_description: Tell how the database cluster is
description:
  - Asks Patroni of every member of the inventory. One answer is enough to know the cluster; a member that does not
    answer is told as such.
  - Changes nothing.
options:
  members:
    description: The members of the inventory.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the member.
        type: str
        required: true
      address:
        description: Address of the member.
        type: str
        required: true
  port:
    description: Port of the REST API.
    type: int
    default: 8008
  directory:
    description: Directory of C(ca.crt), C(host.crt) and C(host.key).
    type: path
    required: true
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Ask how the cluster is
  enlevohub.datacenter.database_state:
    members: [{name: db1, address: 192.0.2.21}, {name: db2, address: 192.0.2.22}]
    directory: /etc/enlevohub/pki
"""

RETURN = r"""
state:
  description: C(members), C(paused) and C(problem). Each member has C(name), C(role) (leader, sync_standby, replica or
    empty), C(state), C(lag) in bytes (-1 when nobody knows), C(timeline), C(version) of PostgreSQL, C(answers) and
    C(inventory), whether the inventory knows it.
  type: dict
  returned: always
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils.patroni_api import Patroni

ANSWER_SECONDS = 4.0


def version_text(number: int) -> str:
    """Return PostgreSQL's version as people write it: 17.6 of 170006."""
    return f"{number // 10000}.{number % 10000}" if number else ""


def assemble(
    inventory: list[str], cluster: dict[str, Any] | None, answers: dict[str, dict[str, Any]], problem: str
) -> dict[str, Any]:
    """Return the state.

    Args:
        inventory: names of the members of the inventory.
        cluster: answer of ``/cluster``; None when nobody gave one.
        answers: answer of ``/patroni`` by member.
        problem: what was said instead of an answer.
    """
    listed = {item["name"]: item for item in (cluster or {}).get("members", [])}
    found = []
    for name in [*inventory, *sorted(set(listed) - set(inventory))]:
        item, own = listed.get(name, {}), answers.get(name, {})
        lag = item.get("lag", 0)
        found.append(
            {
                "name": name,
                "role": item.get("role", ""),
                "state": item.get("state", "absent"),
                "lag": lag if isinstance(lag, int) else -1,
                "timeline": item.get("timeline", 0),
                "version": version_text(int(own.get("server_version") or 0)),
                "answers": name in answers,
                "inventory": name in inventory,
            }
        )
    return {"members": found, "paused": bool((cluster or {}).get("pause")), "problem": "" if cluster else problem}


def main() -> None:
    """Ask everybody."""
    member_spec = {"name": {"type": "str", "required": True}, "address": {"type": "str", "required": True}}
    module = AnsibleModule(
        argument_spec={
            "members": {"type": "list", "elements": "dict", "options": member_spec, "required": True},
            "port": {"type": "int", "default": 8008},
            "directory": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    cluster: dict[str, Any] | None = None
    answers: dict[str, dict[str, Any]] = {}
    said = []
    for member in given["members"]:
        url = f"https://{member['address']}:{given['port']}"
        try:
            api = Patroni(url, "", "", given["directory"])
            answers[member["name"]] = own_state(api)
            cluster = cluster or api.call("GET", "/cluster", timeout=ANSWER_SECONDS)
        except (OSError, ValueError) as error:
            said.append(f"{member['name']}: {error}")
    state = assemble([member["name"] for member in given["members"]], cluster, answers, "; ".join(said))
    module.exit_json(changed=False, state=state)


def own_state(api: Patroni) -> dict[str, Any]:
    """Return what a member says of itself; raises OSError when it does not answer, ValueError when it is no JSON."""
    answer = api.call("GET", "/patroni", timeout=ANSWER_SECONDS)
    if not isinstance(answer, dict):
        raise ValueError("the answer is no JSON")
    return answer


if __name__ == "__main__":
    main()
