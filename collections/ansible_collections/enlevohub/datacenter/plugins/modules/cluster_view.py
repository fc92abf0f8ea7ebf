#!/usr/bin/python
"""Tell what a host knows of the members of etcd and of the database, and what it is itself."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_view
short_description: Tell how the members of etcd and of the database are, seen from a host
description:
  - Asks etcd through any member that answers, and Patroni through the member of this host. Changes nothing.
  - What cannot be asked is told in C(problems) and is no failure. A host without certificates asks nobody.
options:
  etcd:
    description: URLs of the members of etcd; empty, etcd is not asked.
    type: list
    elements: str
    default: []
  patroni:
    description: Base address of the REST API of this host's member; empty, Patroni is not asked.
    type: str
    default: ""
  directory:
    description: Directory of C(ca.crt), C(host.crt) and C(host.key).
    type: path
    default: /etc/enlevohub/pki
  address:
    description: Address of this host; its services are looked for there.
    type: str
    default: ""
  services:
    description: Services of this host, each with C(name) and C(ports). One answers when any of its ports does.
    type: list
    elements: dict
    default: []
  data:
    description: Data directories by name. The host has data where such a directory is not empty.
    type: dict
    default: {}
  member:
    description: Waits until this member is healthy in all that was asked.
    type: str
    default: ""
  timeout:
    description: Seconds to wait for I(member).
    type: int
    default: 120
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Ask how the clusters are
  enlevohub.datacenter.cluster_view:
    etcd: ["https://192.0.2.11:2379"]
    patroni: https://192.0.2.21:8008
"""

RETURN = r"""
etcd:
  description:
    - Members of etcd with C(id), C(name), C(peers), C(clients), C(learner) and C(healthy).
    - Empty when nobody answered.
  type: list
  returned: always
database:
  description: Members of the database as Patroni lists them; empty when it did not answer.
  type: list
  returned: always
problems:
  description: What could not be asked, by C(etcd) and C(database).
  type: dict
  returned: always
answering:
  description: Names of the services that answer on this host.
  type: list
  returned: always
data:
  description: Names of the data directories that are not empty.
  type: list
  returned: always
"""

import os
import socket
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils.etcd_client import Etcd, EtcdError
from ansible_collections.enlevohub.datacenter.plugins.module_utils.patroni_api import Patroni
from ansible_collections.enlevohub.datacenter.plugins.module_utils.patroni_steps import good


def listens(address: str, port: int) -> bool:
    """Whether something takes connections at a port of this host."""
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError:
        return False
    return True


def look(given: dict[str, Any]) -> dict[str, Any]:
    """Ask once; returns ``etcd``, ``database`` and ``problems``."""
    found: dict[str, Any] = {"etcd": [], "database": [], "problems": {}}
    if not os.path.exists(os.path.join(given["directory"], "host.key")):
        found["problems"] = {"etcd": "the host is blank", "database": "the host is blank"}
        return found
    if given["etcd"]:
        try:
            etcd = Etcd(given["etcd"], given["directory"])
            found["etcd"] = [{**member, "healthy": etcd.healthy(member)} for member in etcd.members()]
        except (EtcdError, OSError) as error:
            found["problems"]["etcd"] = str(error)
    if given["patroni"]:
        try:
            found["database"] = Patroni(given["patroni"], "", "", given["directory"]).members()
        except (OSError, ValueError, KeyError) as error:
            found["problems"]["database"] = str(error)
    return found


def lacking(given: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """Return what a member that is waited for still lacks; empty when it is well."""
    name, said = given["member"], []
    if given["etcd"]:
        (member,) = [item for item in found["etcd"] if item["name"] == name] or [{}]
        if not member.get("healthy") or member.get("learner"):
            said.append(f"etcd: {found['problems'].get('etcd') or ('not healthy' if member else 'not a member')}")
    if given["patroni"]:
        (member,) = [item for item in found["database"] if item["name"] == name] or [{}]
        if name not in good(found["database"]):
            said.append(f"database: {found['problems'].get('database') or member.get('state', 'not a member')}")
    return said


def main() -> None:
    """Ask, and ask again while a member is waited for."""
    module = AnsibleModule(
        argument_spec={
            "etcd": {"type": "list", "elements": "str", "default": []},
            "patroni": {"type": "str", "default": ""},
            "directory": {"type": "path", "default": "/etc/enlevohub/pki"},
            "address": {"type": "str", "default": ""},
            "services": {"type": "list", "elements": "dict", "default": []},
            "data": {"type": "dict", "default": {}},
            "member": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    given = module.params
    limit = time.monotonic() + given["timeout"]
    found = look(given)
    while given["member"] and (said := lacking(given, found)):
        if time.monotonic() > limit:
            module.fail_json(
                msg=f"{given['member']} is not well after {given['timeout']} s: {'; '.join(said)}", **found
            )
        time.sleep(1)
        found = look(given)
    answering = [
        service["name"]
        for service in given["services"]
        if any(listens(given["address"], int(port)) for port in service["ports"])
    ]
    data = [name for name, path in given["data"].items() if os.path.isdir(path) and os.listdir(path)]
    module.exit_json(changed=False, answering=answering, data=data, **found)


if __name__ == "__main__":
    main()
