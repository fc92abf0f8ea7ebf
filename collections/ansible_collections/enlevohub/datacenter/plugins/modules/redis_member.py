#!/usr/bin/python
"""A member of a Redis cluster under Sentinel: what it knows, whom it follows, and how it steps back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_member
short_description: Let a Redis member join its cluster, step back as primary, and count its Sentinels
description:
  - Redis and Sentinel write into two files of their own who is the primary. This module writes them only where they do
    not exist; it never moves the primary unless C(step=yield) asks for it.
  - Talks to Redis with the settings of C(redis-admin), as the operator.
options:
  step:
    description:
      - C(look) reads what the files of this member say.
      - C(join) writes the files of a new member. The primary is the one with the newest epoch in I(views), and on a
        blank site the first of I(members). It needs the views of all members.
      - C(yield) lets the Sentinels move the primary away from this member, and waits until it follows the new one.
      - C(count) gives the Sentinel of this member its quorum, and lets it forget servers that are no members.
    type: str
    choices: [look, join, "yield", count]
    required: true
  service:
    description: Name of the service that the Sentinels watch.
    type: str
    required: true
  directory:
    description: Directory of C(redis.conf) and C(sentinel.conf), the files that belong to Redis and Sentinel.
    type: path
    required: true
  address:
    description: Address of this member.
    type: str
    required: true
  port:
    description: Port of Redis.
    type: int
    required: true
  members:
    description: Addresses of all members.
    type: list
    elements: str
    required: true
  quorum:
    description: How many Sentinels must agree that the primary is dead.
    type: int
    required: true
  views:
    description: What C(look) returned on each member.
    type: list
    elements: dict
    default: []
  timeout:
    description: Seconds until the primary must have moved.
    type: int
    default: 60
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Read what this member knows about the cluster
  enlevohub.datacenter.redis_member:
    step: look
    service: enlevohub-datacenter
    directory: /var/lib/redis
    address: 192.0.2.11
    port: 6379
    members: [192.0.2.11, 192.0.2.12, 192.0.2.13]
    quorum: 2
"""

RETURN = r"""
blank:
  description: Whether a file of this member is missing (C(look)).
  type: bool
  returned: look
epoch:
  description: Epoch of the failover that this member knows; -1 when it knows none.
  type: int
  returned: look
primary:
  description: Address of the primary; empty when this member knows none.
  type: str
  returned: always
differs:
  description: What the Sentinel has to be told (C(count)).
  type: list
  returned: look
"""

import os
import pwd
import re
import tempfile
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils.redis_client import Member, RedisClient, RedisError

FILES = ("redis.conf", "sentinel.conf")


def read(path: str) -> str:
    """Return the text of a file; empty when it does not exist."""
    try:
        with open(path, encoding="utf-8", errors="replace") as handle:
            return handle.read()
    except FileNotFoundError:
        return ""


def view(text: str, service: str, members: list[str], quorum: int) -> dict[str, Any]:
    """Return what the file of a Sentinel says: epoch, primary, and what differs from the wanted quorum and members."""
    name = re.escape(service)
    monitor = re.search(rf"^sentinel monitor {name} (\S+) \d+ (\d+)$", text, re.MULTILINE)
    epoch = re.search(rf"^sentinel config-epoch {name} (\d+)$", text, re.MULTILINE)
    known = re.findall(rf"^sentinel known-(?:replica|sentinel) {name} (\S+) ", text, re.MULTILINE)
    if monitor is None:
        return {"epoch": -1, "primary": "", "differs": []}
    differs = [] if int(monitor[2]) == quorum else [f"quorum {monitor[2]} -> {quorum}"]
    differs += [f"forget {address}" for address in sorted(set(known) - set(members))]
    return {"epoch": int(epoch[1]) if epoch else 0, "primary": monitor[1], "differs": differs}


def choose_primary(views: list[dict[str, Any]], members: list[str]) -> str:
    """Return the primary: what the newest epoch says, and on a blank site the first member.

    Raises ValueError when somebody's view is missing: a blank member must not guess.
    """
    if len(views) < len(members):
        raise ValueError(
            f"this run sees {len(views)} of {len(members)} members, so a new member cannot know the primary: "
            "run the playbook without --limit"
        )
    newest = max(views, key=lambda found: int(found["epoch"]))
    return str(newest["primary"]) or members[0]


def first_files(params: dict[str, Any], primary: str) -> dict[str, str]:
    """Return the files of a new member by name; from its first start on they belong to Redis and Sentinel."""
    follow = "" if primary == params["address"] else f"replicaof {primary} {params['port']}\n"
    monitor = f"sentinel monitor {params['service']} {primary} {params['port']} {params['quorum']}\n"
    return {"redis.conf": follow, "sentinel.conf": monitor}


def write(path: str, text: str) -> None:
    """Write a file for Redis, whole or not at all."""
    owner = pwd.getpwnam("redis")
    handle, temporary = tempfile.mkstemp(prefix=".enlevohub-", dir=os.path.dirname(path))
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.chown(temporary, owner.pw_uid, owner.pw_gid)
    os.chmod(temporary, 0o640)
    os.replace(temporary, path)


def join(module: AnsibleModule) -> dict[str, Any]:
    """Write the files that this member lacks."""
    params = module.params
    missing = [name for name in FILES if not os.path.exists(os.path.join(params["directory"], name))]
    if not missing:
        return {"changed": False, "primary": ""}
    try:
        primary = choose_primary(params["views"], params["members"])
    except ValueError as error:
        module.fail_json(msg=str(error))
    files = first_files(params, primary)
    if not module.check_mode:
        for name in missing:
            write(os.path.join(params["directory"], name), files[name])
    after = "".join(f"{params['directory']}/{name}: {files[name] or 'primary' + chr(10)}" for name in missing)
    return {"changed": True, "primary": primary, "diff": {"before": "", "after": after}}


def wait(module: AnsibleModule, what: str, done: Any) -> None:
    """Wait until a condition holds; fail with what it said last."""
    deadline = time.monotonic() + module.params["timeout"]
    while True:
        try:
            said = done()
        except RedisError as error:
            said = str(error)
        if not said:
            return
        if time.monotonic() > deadline:
            module.fail_json(msg=f"{what}: not within {module.params['timeout']} s. Last: {said}")
        time.sleep(0.5)


def step_back(module: AnsibleModule, member: Member) -> bool:
    """Let the Sentinels choose another primary, unless this member is none; returns whether it was."""
    service = module.params["service"]

    def moved() -> str:
        with member.connect() as redis:
            state = redis.info("replication")
        if state["role"] == "slave":
            return "" if state["master_link_status"] == "up" else "not in sync with the new primary yet"
        with member.connect("sentinel") as sentinel:
            if "failover_in_progress" not in sentinel.sentinel("MASTER", service)["flags"]:
                sentinel.call("SENTINEL", "FAILOVER", service)
        return "this member is the primary still"

    with member.connect() as redis:
        if redis.info("replication")["role"] != "master":
            return False
    if not module.check_mode:
        wait(module, f"another primary of {service}", moved)
    return True


def known_others(sentinel: RedisClient, service: str) -> set[str]:
    """Return the addresses of replicas and Sentinels that a Sentinel knows."""
    answers = [*sentinel.call("SENTINEL", "REPLICAS", service), *sentinel.call("SENTINEL", "SENTINELS", service)]
    return {dict(zip(answer[::2], answer[1::2]))["ip"] for answer in answers}


def count(module: AnsibleModule, member: Member) -> list[str]:
    """Give the Sentinel its quorum and let it forget strangers; returns what was done."""
    service, quorum, members = module.params["service"], module.params["quorum"], module.params["members"]
    done = []
    with member.connect("sentinel") as sentinel:
        if int(sentinel.sentinel("MASTER", service)["quorum"]) != quorum:
            done.append(f"quorum {quorum}")
            if not module.check_mode:
                sentinel.call("SENTINEL", "SET", service, "quorum", str(quorum))
        strangers = known_others(sentinel, service) - set(members)
        if strangers:
            done.append(f"forget {', '.join(sorted(strangers))}")
            if not module.check_mode:
                # It forgets all, and learns the living again within seconds.
                sentinel.call("SENTINEL", "RESET", service)
    if strangers and not module.check_mode:
        others = {address for address in members if address != module.params["address"]}

        def complete() -> str:
            with member.connect("sentinel") as sentinel:
                known = known_others(sentinel, service)
            back = known - set(members)
            if back:
                return f"{', '.join(sorted(back))} is there again: stop Redis and Sentinel where no member is"
            return f"does not know {', '.join(sorted(others - known))} yet" if others - known else ""

        wait(module, f"the Sentinel of {module.params['address']} knows the members", complete)
    return done


def main() -> None:
    """Run one step."""
    module = AnsibleModule(
        argument_spec={
            "step": {"type": "str", "choices": ["look", "join", "yield", "count"], "required": True},
            "service": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "members": {"type": "list", "elements": "str", "required": True},
            "quorum": {"type": "int", "required": True},
            "views": {"type": "list", "elements": "dict", "default": []},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    params = module.params
    paths = [os.path.join(params["directory"], name) for name in FILES]
    seen = view(read(paths[1]), params["service"], params["members"], params["quorum"])
    if params["step"] == "look":
        blank = not all(os.path.exists(path) for path in paths)
        module.exit_json(changed=False, blank=blank, **seen)
    if params["step"] == "join":
        module.exit_json(**join(module))
    try:
        member = Member()
        if params["step"] == "yield":
            module.exit_json(changed=step_back(module, member), primary=seen["primary"])
        done = count(module, member)
    except RedisError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(done), primary=seen["primary"], diff={"before": "", "after": "\n".join(done)})


if __name__ == "__main__":
    main()
