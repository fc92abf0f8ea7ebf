#!/usr/bin/python
"""Do one step with a Docker Compose stack, and explain when its containers do not get healthy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: compose_stack
short_description: Plan, run, watch, keep, restore or remove a Docker Compose stack
description:
  - V(planned) compares the configuration hash that Compose gave each container with the hash of the configuration on
    disk, and looks at state and health. It changes no container; a changed mounted file is taken over by I(reload).
  - V(ran) runs the services of I(only) to their end, for example a migration.
  - V(up) creates, replaces and starts, and waits until the containers are healthy.
  - V(watched) waits until the containers have been up for I(watch) seconds, and fails when one ends or gets sick.
  - V(kept) keeps the configuration on disk as the last good one, in the directory C(kept).
  - V(restored) brings the last good configuration back and does V(up); nothing where nothing ran well before.
  - V(pruned) removes containers of services that are no longer in the configuration.
  - V(absent) removes containers and directory.
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
  state:
    description: What to do.
    type: str
    choices: [planned, ran, up, watched, kept, restored, pruned, absent]
    required: true
  only:
    description: Services to act on; empty means all.
    type: list
    elements: str
    default: []
  files:
    description: Further files of the stack, relative to I(directory), that belong to its configuration.
    type: list
    elements: str
    default: []
  unfinished:
    description: Set to true to plan a rollout in any case, because an earlier one was interrupted on this host.
    type: bool
    default: false
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
  watch:
    description: Seconds that a container must have been up.
    type: int
    default: 30
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Run the backend
  enlevohub.datacenter.compose_stack:
    project: backend
    directory: /opt/enlevohub/backend
    state: up
"""

RETURN = r"""
action:
  description: What V(planned) found to do, C(current) for nothing, C(create) for missing or stopped containers,
    C(rollout) for running containers with an old configuration.
  type: str
  returned: when state is planned
reason:
  description: Why.
  type: list
  returned: when state is planned
surplus:
  description: Services that run but are no longer in the configuration.
  type: list
  returned: when state is planned
nothing_kept:
  description: True when there is no last good configuration.
  type: bool
  returned: when state is restored
kept:
  description: Whether the configuration on disk is the last good one.
  type: bool
  returned: when state is planned
"""

import calendar
import os
import shutil
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils import engine_client
from ansible_collections.enlevohub.datacenter.plugins.module_utils.redact import redact

SHOWN_LOG_LINES = "30"
RESTARTS = 2
KEPT = "kept"
CONFIGURATION = "compose.yaml"
SECRETS = "secrets"


class Stack:
    """A Compose project in its directory."""

    def __init__(self, module: AnsibleModule) -> None:
        """Work with the options of the module."""
        self.module = module
        self.given = module.params
        self.directory: str = self.given["directory"]

    def docker(self, *arguments: str) -> tuple[int, str, str]:
        """Run the Docker client in the directory of the stack."""
        where = self.directory if os.path.isdir(self.directory) else "/"
        code, out, err = self.module.run_command(["docker", *arguments], cwd=where)
        return code, out, err

    def compose(self, *arguments: str) -> tuple[int, str, str]:
        """Run Docker Compose for the project."""
        return self.docker("compose", "--project-name", self.given["project"], "--file", CONFIGURATION, *arguments)

    def wanted_hashes(self) -> dict[str, str]:
        """Return the configuration hash of each service that runs all the time."""
        code, out, err = self.compose("config", "--hash", "*")
        if code != 0:
            self.module.fail_json(msg=f"{self.directory}/{CONFIGURATION} is refused: {err.strip()[-1500:]}")
        return dict(line.split() for line in out.splitlines() if line.strip())

    def containers(self) -> list[dict[str, Any]]:
        """Return what Docker knows of the long-running containers of the project."""
        try:
            found = engine_client.containers(self.given["project"])
        except engine_client.EngineError as error:
            self.module.fail_json(msg=f"Cannot ask the Docker Engine: {error}")
        found = [item for item in found if item["Config"]["Labels"].get("com.docker.compose.oneoff") != "True"]
        only = self.given["only"]
        return [item for item in found if not only or service_of(item) in only]

    def settled_containers(self) -> list[dict[str, Any]]:
        """Return the containers when none is starting any more: a restart of the engine, for example, asks anew."""
        deadline = time.monotonic() + self.given["timeout"]
        while True:
            found = self.containers()
            starting = [item for item in found if health_of(item) == "starting" and item["State"]["Running"]]
            if not starting or time.monotonic() > deadline:
                return found
            time.sleep(0.5)

    def explain(self, what: str) -> None:
        """Fail with status, exit code, health answer and last log lines of each container that is not healthy."""
        lines = [f"Stack {self.given['project']}: {what}"]
        for item in self.containers():
            state = item["State"]
            if state["Status"] == "running" and health_of(item) == "healthy" and not item.get("RestartCount"):
                continue
            answers = (state.get("Health") or {}).get("Log") or [{}]
            lines.append(
                f"{item['Name'].lstrip('/')}: {state['Status']}, exit code {self.exit_code(item)}, restarted "
                f"{item.get('RestartCount', 0)} times, health {health_of(item)}: "
                f"{str(answers[-1].get('Output', '')).strip()[-400:]}"
            )
            tests = (item["Config"].get("Healthcheck") or {}).get("Test") or []
            lines.append(f"health is asked by: {' '.join(tests)}; image {item['Config'].get('Image', '')}")
            _, out, err = self.docker("logs", "--tail", SHOWN_LOG_LINES, item["Id"])
            lines.append((out + err).strip())
        self.module.fail_json(msg=redact("\n".join(lines)))

    def exit_code(self, item: dict[str, Any]) -> int:
        """Return how a container ended last: one that begins once more says 0, but the engine's events know it."""
        state = item["State"]
        if state["Status"] == "running" and item.get("RestartCount"):
            kept = ["--filter", f"container={item['Id']}", "--filter", "event=die"]
            period = ["--since", item["Created"], "--until", f"{time.time():.3f}"]
            _, out, _ = self.docker("events", *period, *kept, "--format", "{{.Actor.Attributes.exitCode}}")
            if out.split():
                return int(out.split()[-1])
        return int(state["ExitCode"])

    # --- steps

    def plan(self) -> dict[str, Any]:
        """Compare; take over changed mounted files."""
        hashes = self.wanted_hashes()
        found = self.settled_containers()
        down, old = compare(hashes, found)
        surplus = sorted({service_of(item) for item in found} - set(hashes))
        reloads = [] if old else self.to_reload(found)
        if not self.module.check_mode:
            self.reload(reloads)
        action = "rollout" if old or (self.given["unfinished"] and found) else "create" if down else "current"
        reason = down + old + (["an earlier rollout was interrupted here"] if self.given["unfinished"] else [])
        shown = reason + [f"{service}: mounted files changed" for service, _ in reloads]
        return {
            "changed": bool(reloads) or (bool(shown) and self.module.check_mode),
            "action": action,
            "reason": shown,
            "surplus": surplus,
            "kept": self.is_kept(),
            "diff": {
                "before": "",
                "after": "".join(f"{line}\n" for line in shown),
                "after_header": self.given["project"],
            },
        }

    def to_reload(self, found: list[dict[str, Any]]) -> list[tuple[str, str]]:
        """Return the containers (service, id) that run with older mounted files than those on disk."""
        files = [path for path in self.given["reload_on"] if os.path.exists(path)]
        newest = max((os.stat(path).st_ctime for path in files), default=0.0)
        result = []
        for item in found:
            if service_of(item) not in self.given["reload"] or not item["State"]["Running"]:
                continue
            reloaded = os.path.join("/run/enlevohub", f"{item['Id']}.reloaded")
            moment = epoch(item["State"]["StartedAt"])
            if os.path.exists(reloaded):
                moment = max(moment, os.stat(reloaded).st_mtime)
            if newest > moment:
                result.append((service_of(item), item["Id"]))
        return result

    def reload(self, stale: list[tuple[str, str]]) -> None:
        """Let running containers take over changed mounted files; the moment is kept until the next boot."""
        os.makedirs("/run/enlevohub", exist_ok=True)
        for service, identifier in stale:
            moment = time.time()
            code, out, err = self.docker("exec", identifier, *self.given["reload"][service])
            if code != 0:
                self.module.fail_json(msg=f"{service}: the reload failed with {code}: {(out + err).strip()[-1500:]}")
            path = os.path.join("/run/enlevohub", f"{identifier}.reloaded")
            with open(path, "w", encoding="utf-8"):
                os.utime(path, (moment, moment))

    def run(self) -> dict[str, Any]:
        """Run services to their end."""
        said = []
        for service in self.given["only"]:
            code, out, err = self.compose("run", "--rm", "--no-deps", "-T", service)
            if code != 0:
                self.explain(f"'{service}' failed with exit code {code}:\n{(out + err).strip()[-3000:]}")
            said.append(f"{service}: {redact((out + err).strip())[-500:]}")
        return {"changed": bool(said), "said": said}

    def up(self) -> dict[str, Any]:
        """Create, replace, start; wait until healthy."""
        before = self.identities()
        code, out, err = self.compose(
            "up", "--detach", "--no-deps", "--pull", "never", "--no-build", *self.given["only"]
        )
        if code != 0:
            self.explain(f"Compose cannot start it: {(out + err).strip()[-1500:]}")
        self.wait_healthy()
        return {"changed": before != self.identities()}

    def identities(self) -> list[tuple[str, str]]:
        """Return what changes when a container is replaced or started."""
        return sorted((item["Id"], item["State"]["StartedAt"]) for item in self.containers())

    def wait_healthy(self) -> None:
        """Wait until all containers are healthy; fail early when that will not happen."""
        timeout = self.given["timeout"]
        deadline = time.monotonic() + timeout
        first = {item["Id"]: item.get("RestartCount", 0) for item in self.containers()}
        while True:
            found = self.containers()
            ends = [item for item in found if item.get("RestartCount", 0) - first.get(item["Id"], 0) >= RESTARTS]
            if ends:
                self.explain("a container ends again and again")
            if any(health_of(item) == "unhealthy" for item in found):
                self.explain("a container is unhealthy")
            if found and all(item["State"]["Status"] == "running" and health_of(item) == "healthy" for item in found):
                return
            if time.monotonic() > deadline:
                self.explain(f"not healthy within {timeout} s")
            time.sleep(0.25)

    def watch(self) -> dict[str, Any]:
        """Wait until all containers have been up long enough."""
        seconds = self.given["watch"]
        first = {item["Id"]: item.get("RestartCount", 0) for item in self.containers()}
        while True:
            found = self.containers()
            for item in found:
                ended = item["State"]["Status"] != "running" or item.get("RestartCount", 0) > first.get(item["Id"], 0)
                if ended or health_of(item) == "unhealthy" or item["Id"] not in first:
                    self.explain(f"it did not stay well for {seconds} s")
            if len(found) < len(first):
                self.explain(f"a container went away within {seconds} s")
            youngest = max((epoch(item["State"]["StartedAt"]) for item in found), default=0.0)
            if time.time() - youngest >= seconds:
                return {"changed": False}
            time.sleep(0.5)

    # --- the last good configuration

    def configuration(self, where: str) -> dict[str, bytes]:
        """Return the files of the configuration below a directory by their relative path."""
        names = [CONFIGURATION, *self.given["files"]]
        secrets = os.path.join(where, SECRETS)
        names += [f"{SECRETS}/{name}" for name in sorted(os.listdir(secrets))] if os.path.isdir(secrets) else []
        found = {}
        for name in names:
            path = os.path.join(where, name)
            if os.path.isfile(path):
                with open(path, "rb") as handle:
                    found[name] = handle.read()
        return found

    def is_kept(self) -> bool:
        """Whether the configuration on disk is the last good one."""
        return self.configuration(self.directory) == self.configuration(os.path.join(self.directory, KEPT))

    def copy(self, source: str, target: str) -> None:
        """Copy the files of the configuration, each in one step, with owner and mode."""
        found = self.configuration(source)
        for name in found:
            path = os.path.join(target, name)
            folder, model = os.path.dirname(path), os.path.dirname(os.path.join(source, name))
            if not os.path.isdir(folder):
                os.makedirs(folder)
                shutil.copystat(model, folder)
            partial = f"{path}.partial"
            status = os.stat(os.path.join(source, name))
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(found[name])
            os.chown(partial, status.st_uid, status.st_gid)
            os.chmod(partial, status.st_mode & 0o777)
            os.replace(partial, path)
        for name in set(self.configuration(target)) - set(found):
            os.unlink(os.path.join(target, name))

    def keep(self) -> dict[str, Any]:
        """Keep the configuration on disk as the last good one."""
        if self.is_kept():
            return {"changed": False}
        kept = os.path.join(self.directory, KEPT)
        os.makedirs(kept, mode=0o700, exist_ok=True)
        self.copy(self.directory, kept)
        return {"changed": True}

    def restore(self) -> dict[str, Any]:
        """Bring the last good configuration back and run it."""
        kept = os.path.join(self.directory, KEPT)
        if not os.path.exists(os.path.join(kept, CONFIGURATION)):
            return {"changed": False, "nothing_kept": True}
        self.copy(kept, self.directory)
        return {**self.up(), "changed": True}

    def prune(self) -> dict[str, Any]:
        """Remove containers of services that are no longer wanted."""
        wanted = self.wanted_hashes()
        surplus = [item["Id"] for item in self.containers() if service_of(item) not in wanted]
        return {"changed": self.remove_containers(surplus)}

    def remove(self) -> dict[str, Any]:
        """Remove the containers and the directory."""
        changed = False
        if shutil.which("docker"):
            changed = self.remove_containers([item["Id"] for item in self.containers()])
            name = f"{self.given['project']}_default"
            code, _, _ = self.docker("network", "inspect", name)
            if code == 0:
                code, out, err = self.docker("network", "rm", name)
                if code != 0:
                    self.module.fail_json(msg=f"Cannot remove the network {name}: {(out + err).strip()}")
                changed = True
        if os.path.isdir(self.directory):
            shutil.rmtree(self.directory)
            changed = True
        return {"changed": changed}

    def remove_containers(self, identifiers: list[str]) -> bool:
        """Stop and remove containers; each ends within its own grace period."""
        if not identifiers:
            return False
        for command in (("stop",), ("rm", "--force")):
            code, out, err = self.docker(*command, *identifiers)
            if code != 0:
                self.module.fail_json(msg=f"docker {command[0]} failed: {(out + err).strip()[-1500:]}")
        return True


def service_of(item: dict[str, Any]) -> str:
    """Return the service of a container."""
    return str(item["Config"]["Labels"]["com.docker.compose.service"])


def health_of(item: dict[str, Any]) -> str:
    """Return the health of a container; one without a health check counts as healthy."""
    return str((item["State"].get("Health") or {}).get("Status", "healthy"))


def epoch(stamp: str) -> float:
    """Return the seconds since 1970 of Docker's UTC time stamp."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole[:19], "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")


def compare(hashes: dict[str, str], found: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Return what is missing or down, and what runs with an old configuration; unwanted services count as neither."""
    down: list[str] = []
    old: list[str] = []
    by_service: dict[str, list[dict[str, Any]]] = {}
    for item in found:
        by_service.setdefault(service_of(item), []).append(item)
    for service, digest in hashes.items():
        if service not in by_service:
            down.append(f"{service}: no container")
        for item in by_service.get(service, []):
            state = item["State"]
            if item["Config"]["Labels"].get("com.docker.compose.config-hash") != digest:
                (old if state["Running"] else down).append(f"{service}: configuration changed")
            elif state["Status"] != "running":  # created, restarting, paused, exited, dead
                down.append(f"{service}: {state['Status']}")
            elif health_of(item) != "healthy":
                down.append(f"{service}: {health_of(item)}")
    return down, old


def main() -> None:
    """Do the step."""
    module = AnsibleModule(
        argument_spec={
            "project": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "state": {
                "type": "str",
                "choices": ["planned", "ran", "up", "watched", "kept", "restored", "pruned", "absent"],
                "required": True,
            },
            "only": {"type": "list", "elements": "str", "default": []},
            "files": {"type": "list", "elements": "str", "default": []},
            "unfinished": {"type": "bool", "default": False},
            "reload": {"type": "dict", "default": {}},
            "reload_on": {"type": "list", "elements": "path", "default": []},
            "timeout": {"type": "int", "default": 120},
            "watch": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    stack = Stack(module)
    state = module.params["state"]
    path = os.path.join(stack.directory, CONFIGURATION)
    if state != "absent" and (shutil.which("docker") is None or not os.path.exists(path)):
        if not module.check_mode:
            module.fail_json(msg=f"Docker or {path} is missing on this host; run the whole site.yml")
        module.exit_json(changed=True, action="create", reason=["nothing is there yet"], surplus=[], kept=False)
    if state == "planned":
        module.exit_json(**stack.plan())
    if module.check_mode:
        module.exit_json(changed=state in ("ran", "up", "kept", "restored", "pruned", "absent"))
    steps = {
        "ran": stack.run,
        "up": stack.up,
        "watched": stack.watch,
        "kept": stack.keep,
        "restored": stack.restore,
        "pruned": stack.prune,
        "absent": stack.remove,
    }
    module.exit_json(**steps[state]())


if __name__ == "__main__":
    main()
