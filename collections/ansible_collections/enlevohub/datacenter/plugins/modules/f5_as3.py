#!/usr/bin/python
"""Give a declaration to AS3: a dry run first, then the change, then wait for its task."""

from __future__ import annotations

DOCUMENTATION = r"""
module: f5_as3
short_description: Push an AS3 declaration to a BIG-IP
description:
  - Asks for the version of AS3, makes a dry run, and posts only when the dry run says that something would change.
  - The post is asynchronous; its task is asked until it ends. A busy device (503) is asked again.
  - Check mode ends after the dry run.
options:
  provider:
    description: The BIG-IP and the user, as for C(f5networks.f5_modules). AS3 wants an administrator.
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
  declaration:
    description: The request of class AS3.
    type: dict
    required: true
  tenant:
    description: The one tenant of the declaration; no other tenant is touched.
    type: str
    required: true
  dry_run:
    description: Whether a dry run comes first. On some versions it answers with an error of its own.
    type: bool
    default: true
  keep:
    description:
      - File on the control machine for the declaration that the tenant had before a change. Posting it is the way back.
    type: path
    required: true
  timeout:
    description: Seconds until the task must have ended.
    type: float
    default: 300
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
- name: Push the declaration
  enlevohub.datacenter.f5_as3:
    provider: "{{ f5 }}"
    tenant: EnlevoHub
    declaration: "{{ lookup('ansible.builtin.file', 'as3.json') | from_json }}"
    keep: rollback.json
"""

RETURN = r"""
results:
  description: What AS3 said for each tenant.
  type: list
  returned: always
version:
  description: Version of AS3 on the device.
  type: str
  returned: always
"""

import copy
import json
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils.f5_client import (
    PROVIDER,
    F5Client,
    F5Error,
    F5NotFoundError,
)

EVERY = 1.0
BASE = "/mgmt/shared/appsvcs"


def reasons(answer: dict[str, Any]) -> list[str]:
    """Return why AS3 refuses, tenant by tenant; empty when it does not."""
    found = [str(error) for error in answer.get("errors") or []]
    for item in answer.get("results") or []:
        if int(item.get("code", 200)) >= 300:
            found.append(f"{item.get('tenant', '')}: {item.get('message', '')} {item.get('response', '')}".strip())
    if not found and int(answer.get("code") or 200) >= 300:
        found.append(str(answer.get("message", "no reason given")))
    return found


def too_new(wanted: str, device: str) -> bool:
    """Return whether a version of the schema is newer than the device knows."""
    return [int(part) for part in wanted.split(".")] > [int(part) for part in device.split(".")]


def end_of_task(client: F5Client, answer: dict[str, Any], timeout: float) -> dict[str, Any]:
    """Ask for a task until it has ended; its last answer."""
    end = time.monotonic() + timeout
    number = answer["id"]
    while True:
        task: dict[str, Any] = client.get(f"{BASE}/task/{number}")
        results = task.get("results") or [{}]
        if all(item.get("message") != "in progress" for item in results):
            return task
        if time.monotonic() > end:
            raise F5Error(
                f"the task {number} of AS3 has not ended after {timeout:g} s. It may end by itself: ask "
                f"{BASE}/task/{number} before you try again"
            )
        time.sleep(EVERY)


def keep_before(client: F5Client, parameters: dict[str, Any], schema: str) -> None:
    """Write the declaration of the tenant as it is; a tenant that is not there is one without content."""
    tenant = parameters["tenant"]
    status, answer = client.call("GET", f"{BASE}/declare/{tenant}", accept=(200, 204, 404))
    found = answer if status == 200 else {}
    content = found.get(tenant) or {"class": "Tenant"}
    before = {"class": "ADC", "schemaVersion": found.get("schemaVersion", schema), "updateMode": "selective"}
    request = {"class": "AS3", "action": "deploy", "persist": True, "declaration": {**before, tenant: content}}
    with open(parameters["keep"], "w", encoding="utf-8") as handle:
        handle.write(json.dumps(request, indent=2) + "\n")


def push(client: F5Client, parameters: dict[str, Any], check: bool) -> dict[str, Any]:
    """Make the dry run and the change; returns changed, results and version."""
    try:
        information = client.get(f"{BASE}/info")
    except F5NotFoundError:
        raise F5Error(f"{client.base} has no AS3 ({BASE}/info answers 404). Install it, or use modules") from None
    schema = parameters["declaration"]["declaration"]["schemaVersion"]
    if too_new(schema, information["schemaCurrent"]):
        raise F5Error(f"AS3 {information['version']} of {client.base} knows no schema {schema}: a newer AS3 is needed")
    address = f"{BASE}/declare/{parameters['tenant']}"
    accept = (200, 202, 207, 422)
    if parameters["dry_run"] or check:
        trial = copy.deepcopy(parameters["declaration"])
        trial["action"] = "dry-run"
        status, answer = client.call("POST", address, trial, accept)
        if status == 202:
            answer = end_of_task(client, answer, parameters["timeout"])
        refused = reasons(answer)
        if refused:
            raise F5Error("AS3 refuses the declaration (dry run, nothing is changed): " + "; ".join(refused))
        results = answer.get("results") or []
        changed = any(item.get("message") != "no change" for item in results)
        if check or not changed:
            return {"changed": changed, "results": results, "version": information["version"]}
    keep_before(client, parameters, schema)
    status, answer = client.call("POST", address + "?async=true", parameters["declaration"], accept)
    if status == 202:
        answer = end_of_task(client, answer, parameters["timeout"])
    refused = reasons(answer)
    if refused:
        raise F5Error("AS3 refuses the declaration: " + "; ".join(refused))
    results = answer.get("results") or []
    changed = any(item.get("message") != "no change" for item in results)
    return {"changed": changed, "results": results, "version": information["version"]}


def main() -> None:
    """Push; the result has what AS3 said."""
    module = AnsibleModule(
        argument_spec={
            "provider": PROVIDER,
            "declaration": {"type": "dict", "required": True},
            "tenant": {"type": "str", "required": True},
            "dry_run": {"type": "bool", "default": True},
            "keep": {"type": "path", "required": True},
            "timeout": {"type": "float", "default": 300},
            "tries": {"type": "int", "default": 3},
            "delay": {"type": "float", "default": 2},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    try:
        with F5Client(parameters["provider"], parameters["tries"], parameters["delay"]) as client:
            result = push(client, parameters, module.check_mode)
    except F5Error as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
