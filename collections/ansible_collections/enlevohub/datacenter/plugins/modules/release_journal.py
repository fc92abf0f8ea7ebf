#!/usr/bin/python
"""Read and write the journal of releases and its lock, both kept in etcd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_journal
short_description: Keep the journal of releases in etcd
description:
  - The journal of an environment is the keys C(<prefix>/releases/<number>), its lock the key C(<prefix>/lock). Each
    value is a JSON document. A write succeeds only while the lock is the one that the caller knows.
  - The action of the same name decides; this module is its hand. It talks to any member of etcd that answers.
options:
  state:
    description: One of the steps of a run.
    type: str
    choices: [begin, step, finish]
    required: true
  prefix:
    description: Keys of the environment begin with it.
    type: str
    required: true
  endpoints:
    description: URLs of the members of etcd.
    type: list
    elements: str
    required: true
  directory:
    description: Directory of C(ca.crt), C(host.crt) and C(host.key) on the host.
    type: path
    required: true
  kind:
    description: (action only) What the run does, for example deploy; for I(state=begin).
    type: str
  release:
    description: (action only) The release that the operator named; for I(state=begin).
    type: str
  retry:
    description: (action only) Whether a release that failed may be tried again; for I(state=begin).
    type: bool
  unlock:
    description: (action only) Token of a lock whose holder is dead; for I(state=begin).
    type: str
  server:
    description: (action only) Server that is added or removed; for I(state=begin).
    type: str
  servers:
    description: (action only) The servers of the inventory that can be; for I(state=begin).
    type: list
  minimum:
    description: (action only) How many of them must stay; for I(state=begin).
    type: int
  plan:
    description: (action only) What I(state=begin) answered in C(plan), for the other states.
    type: dict
  current:
    description: (action only) The release that ran before; for I(state=finish).
    type: str
  images:
    description: (action only) Reference and id of each image by its name; for I(state=finish).
    type: dict
  hosts:
    description: (action only) What a step did, by host and stack, for example C(app1/backend=draining).
    type: dict
  failure:
    description: (action only) Why the run failed; empty when it did not. For I(state=finish).
    type: str
  compare:
    description: Value of the lock that the caller knows; empty when there was none. Without it nothing is written.
    type: str
    no_log: false
  put:
    description: Values to write by key below the prefix.
    type: dict
    default: {}
  delete:
    description: Keys below the prefix to remove.
    type: list
    elements: str
    default: []
  keep:
    description: How many records the journal keeps.
    type: int
    default: 200
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Begin the run
  enlevohub.datacenter.release_journal:
    state: begin
    kind: deploy
    release: 1.4.0
    prefix: /enlevohub/lab
    endpoints: ["https://192.0.2.11:2379"]
    directory: /etc/enlevohub/pki
"""

RETURN = r"""
records:
  description: The journal, oldest first.
  type: list
  returned: always
lock:
  description: Value of the lock; empty when nobody holds it.
  type: str
  returned: always
written:
  description: Whether the values were written; false when the lock was another one.
  type: bool
  returned: always
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils.etcd_client import Etcd, EtcdError, encode


def main() -> None:
    """Write when asked to, then read."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["begin", "step", "finish"], "required": True},
            "prefix": {"type": "str", "required": True},
            "endpoints": {"type": "list", "elements": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "compare": {"type": "str", "no_log": False},
            "put": {"type": "dict", "default": {}},
            "delete": {"type": "list", "elements": "str", "default": []},
            "keep": {"type": "int", "default": 200},
        },
        supports_check_mode=True,
    )
    given = module.params
    prefix, lock = given["prefix"], f"{given['prefix']}/lock"
    empty = {"records": [], "lock": "", "written": False}
    if module.check_mode and not os.path.exists(os.path.join(given["directory"], "host.key")):
        module.exit_json(changed=False, **empty)  # a blank server: there is nothing to ask
    written = False
    try:
        etcd = Etcd(given["endpoints"], given["directory"])
        if given["compare"] is not None and not module.check_mode:
            put = {f"{prefix}/{key}": value for key, value in given["put"].items()}
            written = etcd.write(lock, given["compare"], put, [f"{prefix}/{key}" for key in given["delete"]])
        values = etcd.values(f"{prefix}/") if given["state"] != "step" else {}
    except (EtcdError, OSError) as error:
        if module.check_mode:
            module.exit_json(changed=False, **empty)
        module.fail_json(msg=f"The journal of releases cannot be reached. No member of etcd answered: {error}")
    names = sorted(name for name in values if name.startswith(f"{prefix}/releases/"))
    if written and len(names) > given["keep"]:
        for name in names[: -given["keep"]]:
            etcd.call("kv/deleterange", {"key": encode(name)})
    records = [json.loads(values[name]) for name in names[-given["keep"] :]]
    module.exit_json(changed=False, records=records, lock=values.get(lock, ""), written=written)


if __name__ == "__main__":
    main()
