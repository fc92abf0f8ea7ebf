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
  url:
    description: Base address of the REST API of a member.
    type: str
    required: true
  username:
    description: Name for changes.
    type: str
    required: true
  password:
    description: Password for changes.
    type: str
    required: true
  directory:
    description: Directory of C(ca.crt), C(host.crt) and C(host.key).
    type: path
    required: true
  force:
    description: Whether to restart every member once, waiting or not.
    type: bool
    default: false
  timeout:
    description: Seconds until the cluster must be well again after each step.
    type: int
    default: 120
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

import time
import urllib.error
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils.patroni_api import Patroni, leads, pending, well

ROUNDS = 3


def next_step(members: list[dict[str, Any]], waiting: list[str], moved: bool) -> tuple[str, str]:
    """Return what to do next, as verb and member: restart, switchover (to that member), or nothing.

    Args:
        members: the cluster.
        waiting: members that wait for a restart, the leader last.
        moved: whether a switchover was made already; then the leader itself has to be restarted, before its standbys.
    """
    if not waiting:
        return "", ""
    leader = next((member["name"] for member in members if leads(member)), "")
    if moved and leader in waiting:
        return "restart", leader
    first = waiting[0]
    if first != leader:
        return "restart", first
    candidates = [member["name"] for member in members if member["role"] == "sync_standby"]
    return ("switchover", candidates[0]) if candidates else ("restart", leader)


def due(members: list[dict[str, Any]], forced: set[str]) -> list[str]:
    """Return the members that have to be restarted, the leader last."""
    wanted = forced | set(pending(members))
    ordered = sorted(members, key=lambda item: (leads(item), item["name"]))
    return [item["name"] for item in ordered if item["name"] in wanted]


class Rolling:
    """The steps on one cluster."""

    def __init__(self, module: AnsibleModule, api: Patroni) -> None:
        """Use the API of one member to learn of all."""
        self.module, self.api = module, api
        self.actions: list[str] = []

    def settle(self, what: str, condition: Any) -> list[dict[str, Any]]:
        """Wait until the members are well and a condition on them holds; returns them."""
        limit, seen = time.monotonic() + self.module.params["timeout"], "nothing"
        while time.monotonic() < limit:
            try:
                members = self.api.members()
                seen = ", ".join(f"{item['name']} {item['role']} {item['state']}" for item in members)
                if well(members) and condition(members):
                    return members
            except (OSError, ValueError) as error:
                seen = str(error)
            time.sleep(0.5)
        self.module.fail_json(
            msg=f"{what}: the cluster is not well after {self.module.params['timeout']} s: {seen}. "
            f"Done so far: {', '.join(self.actions) or 'nothing'}. Run again when it is; see journalctl -u patroni"
        )
        raise AssertionError

    def restart(self, members: list[dict[str, Any]], name: str) -> None:
        """Restart PostgreSQL of one member."""
        member = next(item for item in members if item["name"] == name)
        self.call("/restart", {}, member["api_url"].removesuffix("/patroni"))

    def switchover(self, members: list[dict[str, Any]], name: str) -> None:
        """Make another member the leader."""
        leader = next(item["name"] for item in members if leads(item))
        self.call("/switchover", {"leader": leader, "candidate": name}, "")

    def call(self, path: str, body: dict[str, Any], url: str) -> None:
        """Ask a member for a change; fails with what it says when it refuses."""
        try:
            self.api.call("POST", path, body, url, timeout=self.module.params["timeout"])
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            self.module.fail_json(msg=f"{url or self.api.url}{path}: {error.code} {said}. Done so far: {self.actions}")
        except OSError as error:
            self.module.fail_json(msg=f"{url or self.api.url}{path}: {error}. Done so far: {self.actions}")

    def step(self, verb: str, name: str, members: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Do one step and wait until the cluster is well again."""
        had_sync = any(member["role"] == "sync_standby" for member in members)
        getattr(self, verb)(members, name)
        self.actions.append(f"{verb} {'to ' if verb == 'switchover' else ''}{name}")

        def good(now: list[dict[str, Any]]) -> bool:
            synchronous = not had_sync or any(member["role"] == "sync_standby" for member in now)
            led = verb != "switchover" or any(leads(member) and member["name"] == name for member in now)
            return synchronous and led

        return self.settle(self.actions[-1], good)


def main() -> None:
    """Restart what waits, step by step."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "username": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "directory": {"type": "path", "required": True},
            "force": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    given = module.params
    rolling = Rolling(module, Patroni(given["url"], given["username"], given["password"], given["directory"]))
    try:
        members = rolling.api.members()
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"{given['url']}/cluster does not answer: {error}")
    forced = {member["name"] for member in members} if given["force"] else set()
    waiting = due(members, forced)
    if module.check_mode:
        module.exit_json(changed=bool(waiting), actions=[f"restart {name}" for name in waiting])
    moved = False
    for _ in range(ROUNDS * len(members)):
        verb, name = next_step(members, waiting, moved)
        if not verb:
            break
        moved = moved or verb == "switchover"
        # A switchover restarts the leader that was.
        forced -= {name} if verb == "restart" else {member["name"] for member in members if leads(member)}
        members = rolling.step(verb, name, members)
        waiting = due(members, forced)
    if waiting:
        module.fail_json(msg=f"{', '.join(waiting)} still wait for a restart after: {', '.join(rolling.actions)}")
    module.exit_json(changed=bool(rolling.actions), actions=rolling.actions)


if __name__ == "__main__":
    main()
