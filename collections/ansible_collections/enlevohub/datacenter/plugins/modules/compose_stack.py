#!/usr/bin/python
"""Run one Docker Compose stack in its present configuration, and explain when it does not get healthy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_stack
short_description: Run a Docker Compose stack
description:
  - Compares the configuration hash that Compose gave each container with the hash of the configuration on disk, and
    looks at the state and health of the containers. Nothing to do costs two calls of the Docker client.
  - Images are never pulled or built here; they are delivered before.
options:
  project:
    description: Name of the Compose project.
    type: str
    required: true
  directory:
    description: Directory with C(compose.yaml).
    type: path
    required: true
  before:
    description: Services that run to their end before the others are created or replaced, for example a migration.
    type: list
    elements: str
    default: []
  reload:
    description: Command inside a running container that takes over changed mounted files, by service.
    type: dict
    default: {}
  reload_on:
    description: Mounted files whose change asks for I(reload).
    type: list
    elements: path
    default: []
  timeout:
    description: Seconds until every container must be healthy.
    type: int
    default: 120
  replace:
    description: Set to true to replace running containers that have an old configuration. Otherwise they are left
      alone, and the result says so in C(stale); what is missing or stopped is created and started in any case.
    type: bool
    default: false
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Run the backend
  enlevohub.datacenter.compose_stack:
    project: backend
    directory: /opt/enlevohub/backend
"""

RETURN = r"""
reason:
  description: Why the stack was (or would be) touched.
  type: list
  returned: always
stale:
  description: Whether running containers with an old configuration were left alone.
  type: bool
  returned: always
"""

import calendar
import json
import os
import shutil
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils.redact import redact

SHOWN_LOG_LINES = "30"


def docker(module: AnsibleModule, *arguments: str) -> tuple[int, str, str]:
    """Run the Docker client in the directory of the stack."""
    code, out, err = module.run_command(["docker", *arguments], cwd=module.params["directory"])
    return code, out, err


def compose(module: AnsibleModule, *arguments: str) -> tuple[int, str, str]:
    """Run Docker Compose for the project."""
    return docker(module, "compose", "--project-name", module.params["project"], "--file", "compose.yaml", *arguments)


def wanted_hashes(module: AnsibleModule) -> dict[str, str]:
    """Return the configuration hash of each service that runs all the time."""
    code, out, err = compose(module, "config", "--hash", "*")
    if code != 0:
        module.fail_json(msg=f"{module.params['directory']}/compose.yaml is refused: {err.strip()[-1500:]}")
    return dict(line.split() for line in out.splitlines() if line.strip())


def containers(module: AnsibleModule) -> list[dict[str, Any]]:
    """Return what Docker knows of the long-running containers of the project."""
    label = f"label=com.docker.compose.project={module.params['project']}"
    code, out, err = docker(module, "ps", "--all", "--quiet", "--filter", label)
    if code != 0:
        module.fail_json(msg=f"Cannot ask the Docker Engine: {err.strip()}")
    if not out.split():
        return []
    code, out, err = docker(module, "inspect", *out.split())
    if code != 0:
        return []  # one of them went away between the two questions: it reads as missing
    found: list[dict[str, Any]] = json.loads(out)
    return [item for item in found if item["Config"]["Labels"].get("com.docker.compose.oneoff") != "True"]


def settled_containers(module: AnsibleModule) -> list[dict[str, Any]]:
    """Return the containers when none is starting any more: a restart of the engine, for example, asks health anew."""
    deadline = time.monotonic() + module.params["timeout"]
    while True:
        found = containers(module)
        starting = [item for item in found if item["State"].get("Health", {}).get("Status") == "starting"]
        if not any(item["State"]["Running"] for item in starting) or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def epoch(stamp: str) -> float:
    """Return the seconds since 1970 of Docker's UTC time stamp."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole[:19], "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")


def compare(hashes: dict[str, str], found: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Return what is missing or down, and what runs with an old configuration."""
    down: list[str] = []
    old: list[str] = []
    by_service: dict[str, list[dict[str, Any]]] = {}
    for item in found:
        by_service.setdefault(item["Config"]["Labels"]["com.docker.compose.service"], []).append(item)
    for service, digest in hashes.items():
        if service not in by_service:
            down.append(f"{service}: no container")
        for item in by_service.get(service, []):
            state = item["State"]
            health = state.get("Health", {}).get("Status", "healthy")
            if item["Config"]["Labels"].get("com.docker.compose.config-hash") != digest:
                (old if state["Running"] else down).append(f"{service}: configuration changed")
            elif state["Status"] != "running":  # created, restarting, paused, exited, dead
                down.append(f"{service}: {state['Status']}")
            elif health != "healthy":
                down.append(f"{service}: {health}")
    old += [f"{service}: no longer wanted" for service in by_service if service not in hashes]
    return down, old


def to_reload(module: AnsibleModule, found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the containers (service, id) that run with older mounted files than those on disk."""
    files = [path for path in module.params["reload_on"] if os.path.exists(path)]
    newest = max((os.stat(path).st_ctime for path in files), default=0.0)
    result = []
    for item in found:
        service = item["Config"]["Labels"]["com.docker.compose.service"]
        if service not in module.params["reload"] or not item["State"]["Running"]:
            continue
        reloaded = os.path.join("/run/enlevohub", f"{item['Id']}.reloaded")
        moment = epoch(item["State"]["StartedAt"])
        if os.path.exists(reloaded):
            moment = max(moment, os.stat(reloaded).st_mtime)
        if newest > moment:
            result.append((service, item["Id"]))
    return result


def reload_containers(module: AnsibleModule, stale: list[tuple[str, str]]) -> None:
    """Let running containers take over changed mounted files; the moment is kept until the next boot."""
    os.makedirs("/run/enlevohub", exist_ok=True)
    for service, identifier in stale:
        moment = time.time()
        code, out, err = docker(module, "exec", identifier, *module.params["reload"][service])
        if code != 0:
            module.fail_json(msg=f"{service}: the reload failed with {code}: {(out + err).strip()[-1500:]}")
        path = os.path.join("/run/enlevohub", f"{identifier}.reloaded")
        with open(path, "w", encoding="utf-8"):
            os.utime(path, (moment, moment))


def explain(module: AnsibleModule, what: str) -> None:
    """Fail with status, exit code, health answer and last log lines of each container that is not healthy."""
    lines = [f"Stack {module.params['project']}: {what}"]
    for item in containers(module):
        state = item["State"]
        health = state.get("Health") or {}
        if state["Running"] and health.get("Status", "healthy") == "healthy":
            continue
        answers = health.get("Log") or [{}]
        lines.append(
            f"{item['Name'].lstrip('/')}: {state['Status']}, exit code {state['ExitCode']}, "
            f"health {health.get('Status', 'not checked')}: {str(answers[-1].get('Output', '')).strip()[-400:]}"
        )
        _, out, err = docker(module, "logs", "--tail", SHOWN_LOG_LINES, item["Id"])
        lines.append((out + err).strip())
    module.fail_json(msg=redact("\n".join(lines)))


def bring_up(module: AnsibleModule) -> None:
    """Run the services that come first, then create, replace and start the others and wait until they are healthy."""
    for service in module.params["before"]:
        code, out, err = compose(module, "run", "--rm", "--no-deps", "-T", service)
        if code != 0:
            explain(module, f"'{service}' failed with exit code {code}:\n{(out + err).strip()[-3000:]}")
    timeout = str(module.params["timeout"])
    code, out, err = compose(
        module,
        "up",
        "--detach",
        "--remove-orphans",
        "--pull",
        "never",
        "--no-build",
        "--wait",
        "--wait-timeout",
        timeout,
    )
    if code != 0:
        explain(module, f"not healthy within {timeout} s. Compose said: {(out + err).strip()[-1500:]}")


def main() -> None:
    """Compare, then act."""
    module = AnsibleModule(
        argument_spec={
            "project": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "before": {"type": "list", "elements": "str", "default": []},
            "reload": {"type": "dict", "default": {}},
            "reload_on": {"type": "list", "elements": "path", "default": []},
            "timeout": {"type": "int", "default": 120},
            "replace": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    directory = module.params["directory"]
    blank = shutil.which("docker") is None or not os.path.exists(os.path.join(directory, "compose.yaml"))
    if blank:
        if not module.check_mode:
            module.fail_json(msg=f"Docker or {directory}/compose.yaml is missing on this host; run the whole site.yml")
        module.exit_json(changed=True, reason=["nothing is there yet"], stale=False)
    found = settled_containers(module)
    down, old = compare(wanted_hashes(module), found)
    reloads = to_reload(module, found) if not old else []
    reason = down + old + [f"{service}: mounted files changed" for service, _ in reloads]
    diff = {"before": "", "after": "".join(f"{line}\n" for line in reason), "after_header": module.params["project"]}
    if module.check_mode:
        module.exit_json(changed=bool(reason), reason=reason, stale=False, diff=diff)
    if old and not module.params["replace"]:
        module.exit_json(changed=False, reason=reason, stale=True)
    if down or old:
        bring_up(module)
    if reloads:
        reload_containers(module, reloads)
    module.exit_json(changed=bool(reason), reason=reason, stale=False, diff=diff)


if __name__ == "__main__":
    main()
