#!/usr/bin/python
"""Install Debian packages; reads dpkg's own list, so that nothing to do costs milliseconds."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Install missing Debian packages
description:
  - Reads the status list of dpkg and calls apt only for what is missing.
  - Finishes an installation that was interrupted (C(dpkg --configure -a)) and waits for the lock of another apt.
options:
  names:
    description: Names of packages that must be installed.
    type: list
    elements: str
    required: true
  upgrade:
    description: Whether those of I(names) that are installed are brought to the newest version of the package sources,
      instead of installing what is missing. The lists of packages are fetched in check mode as well.
    type: bool
    default: false
  mask:
    description: Units that must not start while their package is installed. Masked in C(/run) for that time only.
    type: list
    elements: str
    default: []
  lock_timeout:
    description: Seconds to wait for another process that holds the lock of dpkg.
    type: int
    default: 300
  download_tries:
    description: How often the download is tried. Only downloads are tried again.
    type: int
    default: 3
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Install etcd without starting it
  enlevohub.datacenter.packages:
    names: [etcd-server, etcd-client]
    mask: [etcd.service]
"""

RETURN = r"""
missing:
  description: The packages that were (or in check mode would be) installed or upgraded.
  type: list
  returned: always
versions:
  description: For I(upgrade), C(installed) and C(candidate) version by package, as they were before.
  type: dict
  returned: always
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

STATUS = "/var/lib/dpkg/status"
INSTALLED = " ok installed"  # after the selection: install, hold, deinstall


def parse_status(text: str) -> tuple[set[str], list[str]]:
    """Return the installed packages (and what they provide) and the half-installed ones, from dpkg's status text."""
    installed: set[str] = set()
    broken: list[str] = []
    for stanza in text.split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in stanza.splitlines() if ": " in line and not line.startswith((" ", "\t"))
        )
        name, status = fields.get("Package", ""), fields.get("Status", "")
        if not name:
            continue
        if status.endswith(INSTALLED):
            installed.add(name)
            provides = fields.get("Provides", "")
            installed.update(item.split("(")[0].strip() for item in provides.split(",") if item.strip())
        elif status.split()[-1:] not in (["not-installed"], ["config-files"]):
            broken.append(name)
    return installed, broken


def apt_get(module: AnsibleModule, arguments: list[str], lock_timeout: int) -> tuple[int, str]:
    """Run apt-get without questions; returns the exit code and the last lines of what it said."""
    command = [
        "apt-get", "-q", "-y", "-o", f"DPkg::Lock::Timeout={lock_timeout}",
        "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold",
        *arguments,
    ]  # fmt: skip
    code, out, err = module.run_command(command, environ_update={"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"})
    return code, "\n".join((out + err).strip().splitlines()[-25:])


def finish_interrupted(module: AnsibleModule, lock_timeout: int) -> None:
    """Configure what a killed run left unpacked; waits while another process holds the lock."""
    deadline = time.monotonic() + lock_timeout
    while True:
        code, out, err = module.run_command(
            ["dpkg", "--force-confold", "--configure", "-a"],
            environ_update={"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
        )
        if code == 0:
            return
        if "lock" not in err or time.monotonic() > deadline:
            module.fail_json(msg=f"dpkg --configure -a failed with {code}: {(out + err).strip()[-1500:]}")
        time.sleep(1)


def parse_policy(text: str) -> dict[str, dict[str, str]]:
    """Return the installed and the candidate version of what is installed, from what apt-cache policy says."""
    found: dict[str, dict[str, str]] = {}
    name = ""
    for line in text.splitlines():
        words = line.split()
        if line and not line.startswith(" "):
            name = line.rstrip(":").split(":")[0]
        elif words[:1] == ["Installed:"] and words[1] != "(none)":
            found[name] = {"installed": words[1], "candidate": words[1]}
        elif words[:1] == ["Candidate:"] and name in found:
            found[name]["candidate"] = words[1]
    return found


def policy(module: AnsibleModule) -> dict[str, dict[str, str]]:
    """Ask apt for the versions of the packages that are installed."""
    command = ["apt-cache", "policy", *module.params["names"]]
    code, out, err = module.run_command(command, environ_update={"LC_ALL": "C"})
    if code != 0:
        module.fail_json(msg=f"apt-cache policy failed with {code}: {err.strip()[-500:]}")
    return parse_policy(out)


def download(module: AnsibleModule, missing: list[str]) -> None:
    """Fetch the package lists and, when packages are named, those; the only step that is tried more than once."""
    said = ""
    for attempt in range(module.params["download_tries"]):
        if attempt:
            time.sleep(2**attempt)
        code, said = apt_get(module, ["update"], module.params["lock_timeout"])
        if code == 0 and missing:
            code, said = apt_get(
                module, ["install", "--no-install-recommends", "--download-only", *missing],
                module.params["lock_timeout"],
            )  # fmt: skip
        if code == 0:
            return
        if "Unable to locate package" in said:
            break
    wanted = ", ".join(missing) or "the lists of packages"
    module.fail_json(msg=f"Cannot download {wanted}. Check /etc/apt/sources.list* and the mirror. apt said:\n{said}")


def install(module: AnsibleModule, missing: list[str]) -> None:
    """Install the downloaded packages with the given units masked for that time."""
    masks = [os.path.join("/run/systemd/system", unit) for unit in module.params["mask"]]
    for path in masks:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not os.path.lexists(path):
            os.symlink("/dev/null", path)
    try:
        code, said = apt_get(module, ["install", "--no-install-recommends", *missing], module.params["lock_timeout"])
    finally:
        for path in masks:
            os.unlink(path)
        if masks:
            module.run_command(["systemctl", "daemon-reload"])
    if code != 0:
        module.fail_json(msg=f"Cannot install {', '.join(missing)}. apt said:\n{said}")


def read_status() -> tuple[set[str], list[str]]:
    """Read dpkg's list of this host."""
    with open(STATUS, encoding="utf-8", errors="replace") as handle:
        return parse_status(handle.read())


def main() -> None:
    """Compare, download, install."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "upgrade": {"type": "bool", "default": False},
            "mask": {"type": "list", "elements": "str", "default": []},
            "lock_timeout": {"type": "int", "default": 300},
            "download_tries": {"type": "int", "default": 3},
        },
        supports_check_mode=True,
    )
    installed, broken = read_status()
    versions: dict[str, dict[str, str]] = {}
    if module.params["upgrade"]:
        download(module, [])
        versions = policy(module)
        missing = [name for name, item in versions.items() if item["installed"] != item["candidate"]]
        installed -= set(missing)
    else:
        missing = [name for name in module.params["names"] if name not in installed]
    changed = bool(missing or broken)
    diff = {"before": "", "after": "".join(f"{name}\n" for name in missing + broken), "after_header": "packages"}
    if changed and not module.check_mode:
        if broken:
            finish_interrupted(module, module.params["lock_timeout"])
            installed = read_status()[0] - set(versions)
        absent = [name for name in missing if name not in installed]
        if absent:
            download(module, absent)
            install(module, absent)
    module.exit_json(changed=changed, missing=missing, repaired=broken, versions=versions, diff=diff)


if __name__ == "__main__":
    main()
