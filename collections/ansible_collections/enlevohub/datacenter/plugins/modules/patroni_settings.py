#!/usr/bin/python
"""Keep the dynamic settings of a Patroni cluster through its REST API."""

from __future__ import annotations

DOCUMENTATION = r"""
module: patroni_settings
short_description: Keep the dynamic settings of a Patroni cluster
description:
  - Compares the wanted settings with those of the cluster and patches what differs. Keys that are not named stay.
  - Runs on any member; Patroni keeps the settings in etcd and every member takes them over.
options:
  settings:
    description: The wanted settings.
    type: dict
    required: true
  timeout:
    description: Seconds until the API must answer.
    type: int
    default: 60
  settle:
    description: Whether the configuration of members was changed just now, so that they may need some seconds to notice
      which parameters want a restart. A change of I(settings) counts by itself.
    type: bool
    default: false
extends_documentation_fragment: enlevohub.datacenter.patroni
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Keep the settings of the cluster
  enlevohub.datacenter.patroni_settings:
    url: https://192.0.2.21:8008
    username: patroni
    password: "{{ patroni_restapi_password }}"
    directory: /etc/enlevohub/pki
    settings: {loop_wait: 1, ttl: 20}
"""

RETURN = r"""
changed_keys:
  description: Paths of the settings that differed.
  type: list
  returned: always
pending:
  description: Members whose PostgreSQL waits for a restart, the leader last.
  type: list
  returned: always
"""

import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils.patroni_api import ACCESS, pending, reach

SETTLE_SECONDS = 4.0


def difference(wanted: dict[str, Any], present: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the part of the wanted settings that differs, and its paths."""
    patch: dict[str, Any] = {}
    paths: list[str] = []
    for key, value in wanted.items():
        have = present.get(key)
        if isinstance(value, dict):
            inner, inner_paths = difference(value, have if isinstance(have, dict) else {})
            if inner:
                patch[key] = inner
                paths += [f"{key}.{path}" for path in inner_paths]
        elif have != value:
            patch[key] = value
            paths.append(key)
    return patch, paths


def main() -> None:
    """Compare and patch; on a blank host in check mode everything would be new."""
    module = AnsibleModule(
        argument_spec={
            **ACCESS,
            "settings": {"type": "dict", "required": True},
            "timeout": {"type": "int", "default": 60},
            "settle": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if module.check_mode and not os.path.exists(os.path.join(module.params["directory"], "host.crt")):
        module.exit_json(changed=True, changed_keys=["(all: there is no cluster yet)"], pending=[])
    given = module.params
    api = reach(given)
    deadline = time.monotonic() + module.params["timeout"]
    while True:
        try:
            present = api.call("GET", "/config")
            patch, paths = difference(module.params["settings"], present)
            if patch and not module.check_mode:
                api.call("PATCH", "/config", patch)
            if not module.check_mode and (patch or given["settle"]):
                time.sleep(SETTLE_SECONDS)
            waiting = pending(api.members())
            break
        except (OSError, ValueError) as error:
            if module.check_mode:
                module.exit_json(changed=True, changed_keys=["(all: Patroni does not answer)"], pending=[])
            if time.monotonic() > deadline:
                module.fail_json(
                    msg=f"{module.params['url']}/config does not answer within {module.params['timeout']} s: {error}. "
                    "Likely cause: the cluster has no leader yet (patronictl list) or etcd has no quorum"
                )
            time.sleep(1)
    diff = {"before": "", "after": "".join(f"{path}\n" for path in paths), "after_header": "patroni settings"}
    module.exit_json(changed=bool(paths), changed_keys=paths, pending=waiting, diff=diff)


if __name__ == "__main__":
    main()
