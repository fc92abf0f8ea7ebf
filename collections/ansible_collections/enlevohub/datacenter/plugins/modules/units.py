#!/usr/bin/python
"""Keep systemd units in their state, with restarts derived from the files that they run with."""

from __future__ import annotations

DOCUMENTATION = r"""
module: units
short_description: Keep systemd units enabled, started and running with their present configuration
description:
  - One call for any number of units.
  - A restart is derived from state, never from a notification. A unit is restarted when one of its files changed after
    the unit was started, and reloaded when one changed after its last start or reload. A run that was killed between
    writing a file and restarting therefore heals on the next run.
options:
  units:
    description: The units, in the order in which they are handled.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the unit, with its suffix.
        type: str
        required: true
      enabled:
        description: Whether the unit starts at boot.
        type: bool
        default: true
      state:
        description: Wanted state. C(ignored) leaves it as it is.
        type: str
        choices: [started, stopped, ignored]
        default: started
      restart_on:
        description: Files whose change restarts the unit.
        type: list
        elements: str
        default: []
      reload_on:
        description: Files whose change reloads the unit.
        type: list
        elements: str
        default: []
      intact:
        description: Command that succeeds while what an active unit made is still there, for units without a process.
          The unit is reloaded when it fails.
        type: list
        elements: str
        default: []
      ready:
        description: Command that succeeds when the service works. Tried once a second until I(ready_timeout).
        type: list
        elements: str
        default: []
      ready_timeout:
        description: Seconds until a unit must be active and its I(ready) command must succeed.
        type: int
        default: 60
      cause:
        description: The likely cause, shown when the service does not get ready.
        type: str
        default: ""
  restart:
    description: Set to false to start what is stopped, but leave a running unit with an old configuration alone.
      Such units are returned in C(stale).
    type: bool
    default: true
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Run chrony with its present configuration
  enlevohub.datacenter.units:
    units:
      - name: chrony.service
        restart_on: [/etc/chrony/chrony.conf]
"""

RETURN = r"""
actions:
  description: What was done, as C(verb unit).
  type: list
  returned: always
stale:
  description: Units that run with an old configuration and were left alone.
  type: list
  returned: always
"""

import os
import subprocess
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.enlevohub.datacenter.plugins.module_utils.redact import redact

PROPERTIES = ",".join(
    (
        "LoadState",
        "ActiveState",
        "UnitFileState",
        "NeedDaemonReload",
        "ActiveEnterTimestampMonotonic",
        "StateChangeTimestampMonotonic",
    )
)


def systemctl(module: AnsibleModule, *arguments: str) -> tuple[int, str]:
    """Run systemctl; returns its exit code and what it said."""
    code, out, err = module.run_command(["systemctl", *arguments])
    return code, (out + err).strip()


def show(module: AnsibleModule, names: list[str]) -> dict[str, dict[str, str]]:
    """Return the properties of the units by name. On a host without systemd's bus every unit reads as not found."""
    code, out = systemctl(module, "show", "--property", PROPERTIES, "--", *names)
    if code != 0:
        if module.check_mode:
            return {name: {} for name in names}
        module.fail_json(msg=f"systemctl show failed: {out}")
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in out.split("\n\n")]
    return dict(zip(names, blocks, strict=True))


def boot_offset() -> float:
    """Seconds between the epoch and the monotonic clock's zero."""
    return time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)


def changed_after(paths: list[str], monotonic_us: str, offset: float) -> list[str]:
    """Return the existing files that changed after the given moment (microseconds of the monotonic clock)."""
    moment = offset + int(monotonic_us or 0) / 1e6
    found = []
    for path in paths:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            continue
        if status.st_ctime > moment:
            found.append(path)
    return found


def explain(module: AnsibleModule, unit: dict[str, Any], what: str) -> None:
    """Fail with the state of the unit, its last log lines and the likely cause."""
    name = unit["name"]
    _, status = systemctl(module, "show", "--property", "ActiveState,SubState,Result,ExecMainStatus", "--", name)
    _, log, _ = module.run_command(["journalctl", "--no-pager", "-q", "-n", "25", "-o", "cat", "-u", name])
    cause = f"\nLikely cause: {unit['cause']}" if unit["cause"] else ""
    module.fail_json(
        msg=redact(f"{name}: {what}\nState: {' '.join(status.split())}{cause}\nLast log lines of {name}:\n{log}")
    )


def wait_until_ready(module: AnsibleModule, unit: dict[str, Any]) -> None:
    """Wait until the unit is active and its ready command succeeds; explain when it does not."""
    deadline = time.monotonic() + unit["ready_timeout"]
    said = ""
    while True:
        _, active = systemctl(module, "is-active", "--", unit["name"])
        if active == "active":
            if not unit["ready"]:
                return
            try:
                answer = subprocess.run(unit["ready"], capture_output=True, text=True, timeout=15, check=False)
                if answer.returncode == 0:
                    return
                said = (answer.stdout + answer.stderr).strip()[-600:]
            except (OSError, subprocess.TimeoutExpired) as error:
                said = str(error)
        if active == "failed" or time.monotonic() > deadline:
            tried = f" Tried: {' '.join(unit['ready'])}\nIt said: {said}" if unit["ready"] else ""
            explain(module, unit, f"not ready after {unit['ready_timeout']} s (state {active}).{tried}")
        time.sleep(1)


def converge(
    module: AnsibleModule, unit: dict[str, Any], state: dict[str, str], offset: float
) -> tuple[list[str], bool]:
    """Bring one unit into its state; returns the verbs that were needed and whether it was left with old files."""
    verbs: list[str] = []
    stale = False
    active = state.get("ActiveState") in ("active", "activating", "reloading")
    if state.get("LoadState") == "masked":
        verbs.append("unmask")
    enabled = state.get("UnitFileState", "") in (
        "enabled",
        "enabled-runtime",
        "static",
        "alias",
        "indirect",
        "generated",
    )
    if unit["enabled"] and not enabled:
        verbs.append("enable")
    if not unit["enabled"] and state.get("UnitFileState") in ("enabled", "enabled-runtime"):
        verbs.append("disable")
    if unit["state"] == "stopped" and active:
        verbs.append("stop")
    if unit["state"] == "started":
        if not active:
            verbs.append("start")
        elif changed_after(unit["restart_on"], state.get("ActiveEnterTimestampMonotonic", "0"), offset):
            stale = not module.params["restart"]
            if not stale:
                verbs.append("restart")
        elif changed_after(unit["reload_on"], state.get("StateChangeTimestampMonotonic", "0"), offset) or (
            unit["intact"] and module.run_command(unit["intact"])[0] != 0
        ):
            verbs.append("reload")
    return verbs, stale


def main() -> None:
    """Compare, act, wait."""
    unit_spec = {
        "name": {"type": "str", "required": True},
        "enabled": {"type": "bool", "default": True},
        "state": {"type": "str", "choices": ["started", "stopped", "ignored"], "default": "started"},
        "restart_on": {"type": "list", "elements": "str", "default": []},
        "reload_on": {"type": "list", "elements": "str", "default": []},
        "intact": {"type": "list", "elements": "str", "default": []},
        "ready": {"type": "list", "elements": "str", "default": []},
        "ready_timeout": {"type": "int", "default": 60},
        "cause": {"type": "str", "default": ""},
    }
    module = AnsibleModule(
        argument_spec={
            "units": {"type": "list", "elements": "dict", "options": unit_spec, "required": True},
            "restart": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    units = module.params["units"]
    names = [unit["name"] for unit in units]
    states = show(module, names)
    actions: list[str] = []
    if any(state.get("NeedDaemonReload") == "yes" for state in states.values()) and not module.check_mode:
        systemctl(module, "daemon-reload")
        states = show(module, names)
    offset = boot_offset()
    left: list[str] = []
    for unit in units:
        verbs, stale = converge(module, unit, states[unit["name"]], offset)
        left += [unit["name"]] if stale else []
        actions += [f"{verb} {unit['name']}" for verb in verbs]
        if module.check_mode:
            continue
        for verb in verbs:
            if verb in ("start", "restart"):
                systemctl(module, "reset-failed", "--", unit["name"])
            # A cluster member is ready only when others are: its start must not block the run of the others.
            no_block = ["--no-block"] if verb == "start" else []
            code, said = systemctl(module, verb, *no_block, "--", unit["name"])
            if code != 0:
                explain(module, unit, f"systemctl {verb} failed: {said}")
        if unit["state"] == "started":
            wait_until_ready(module, unit)
    diff = {"before": "", "after": "".join(f"{action}\n" for action in actions), "after_header": "units"}
    module.exit_json(changed=bool(actions), actions=actions, stale=left, diff=diff)


if __name__ == "__main__":
    main()
