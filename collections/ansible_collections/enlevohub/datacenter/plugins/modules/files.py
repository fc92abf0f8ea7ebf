#!/usr/bin/python
"""Write the files of a role in one call. Rendered on the controller by the action of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Keep all files and directories of a role in one call
description:
  - Templates are rendered on the controller; the host compares and writes what differs, atomically.
  - Parents that do not exist are made with mode 0755.
  - Supports check mode and diff. The content of a file marked C(secret) never appears in output or diff.
options:
  files:
    description: The files, in the order in which they are handled.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path on the host.
        type: path
        required: true
      state:
        description: What the path must be.
        type: str
        choices: [file, directory, absent]
        default: file
      template:
        description: Template of the role to render (action only).
        type: str
      content:
        description: The content, when there is no template. A mapping or a list is written as JSON.
        type: raw
      owner:
        description: Name of the owner.
        type: str
        default: root
      group:
        description: Name of the group.
        type: str
        default: root
      mode:
        description: Octal mode as text; 0644 for files and 0755 for directories when not given.
        type: str
      secret:
        description: Keep the content out of output and diff.
        type: bool
        default: false
      validate:
        description: Command that checks the new file before it lands; C(%s) stands for its path.
        type: str
        default: ""
  secrets:
    description: Content of secret files by path, set by the action.
    type: dict
    default: {}
  run:
    description: Commands to run after files changed, once each, by the path that asks for it.
    type: list
    elements: dict
    default: []
    suboptions:
      "on":
        description: Paths; a change of one of them runs the command.
        type: list
        elements: path
        required: true
      command:
        description: The command.
        type: list
        elements: str
        required: true
      creates:
        description: A product of the command. It also runs when this is missing or older than one of the paths.
        type: path
author: EnlevoHub
"""

EXAMPLES = r"""
- name: Provide the configuration of etcd
  enlevohub.datacenter.files:
    files:
      - path: /etc/default/etcd
        template: etcd.j2
"""

RETURN = r"""
changed_paths:
  description: The paths that were (or in check mode would be) changed.
  type: list
  returned: always
"""

import grp
import os
import pwd
import shlex
import shutil
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

TOO_LARGE_TO_SHOW = 128 * 1024


def read(path: str) -> bytes | None:
    """Return the content of a regular file, or None."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None


def identity(module: AnsibleModule, item: dict[str, Any]) -> tuple[int, int]:
    """Return uid and gid; -1 for one that does not exist yet on a blank host in check mode."""
    found: list[int] = []
    for key, table in (("owner", pwd.getpwnam), ("group", grp.getgrnam)):
        name = item[key]
        if name.isdigit():
            found.append(int(name))
            continue
        try:
            entry: Any = table(name)
            found.append(int(entry[2]))
        except KeyError:
            if not module.check_mode:
                module.fail_json(msg=f"{item['path']}: the {key} '{name}' does not exist on this host")
            found.append(-1)
    return found[0], found[1]


def attributes_differ(path: str, uid: int, gid: int, mode: int) -> str:
    """Say how owner, group and mode of an existing path differ from the wanted ones; empty when they are equal."""
    status = os.lstat(path)
    have = (status.st_uid, status.st_gid, status.st_mode & 0o7777)
    return "" if have == (uid, gid, mode) else f"{have[0]}:{have[1]} {have[2]:04o} -> {uid}:{gid} {mode:04o}"


def validate(module: AnsibleModule, item: dict[str, Any], temporary: str) -> None:
    """Run the check of a new file. On a blank host in check mode the program may not be there yet."""
    if not item["validate"]:
        return
    command = [word.replace("%s", temporary) for word in shlex.split(item["validate"])]
    if module.check_mode and shutil.which(command[0]) is None:
        return
    code, out, err = module.run_command(command)
    if code != 0:
        said = "(not shown: the file holds secrets)" if item["secret"] else (out + err).strip()[-1500:]
        module.fail_json(msg=f"{item['path']}: the new content is refused by '{command[0]}': {said}")


def write(module: AnsibleModule, item: dict[str, Any], content: bytes, uid: int, gid: int, mode: int) -> None:
    """Write a file atomically beside its destination and move it there; in check mode only validate it."""
    parent = os.path.dirname(item["path"])
    if module.check_mode:
        parent = tempfile.gettempdir()
    else:
        os.makedirs(parent, mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".enlevohub-", suffix=os.path.splitext(item["path"])[1], dir=parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        validate(module, item, temporary)
        if not module.check_mode:
            os.chown(temporary, uid, gid)
            os.chmod(temporary, mode)
            if os.path.isdir(item["path"]) and not os.path.islink(item["path"]):
                module.fail_json(msg=f"{item['path']}: is a directory, a file is wanted; remove it first")
            os.replace(temporary, item["path"])
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def text(content: bytes | None, secret: bool) -> str:
    """Return content for a diff."""
    if content is None:
        return ""
    if secret:
        return "(secret)\n"
    if len(content) > TOO_LARGE_TO_SHOW or b"\0" in content:
        return f"({len(content)} bytes)\n"
    return content.decode(errors="replace")


def keep_file(module: AnsibleModule, item: dict[str, Any]) -> dict[str, str] | None:
    """Bring one file into its state; returns a diff when something differed."""
    wanted = (module.params["secrets"].get(item["path"]) if item["secret"] else item["content"]) or ""
    content = wanted.encode()
    uid, gid = identity(module, item)
    mode = int(item["mode"] or "0644", 8)
    present = read(item["path"])
    if present != content or os.path.islink(item["path"]):
        write(module, item, content, uid, gid, mode)
        return {
            "before_header": item["path"],
            "after_header": item["path"],
            "before": text(present, item["secret"]),
            "after": text(content, item["secret"]) if not item["secret"] else "(secret, changed)\n",
        }
    return keep_attributes(module, item, uid, gid, mode)


def keep_attributes(
    module: AnsibleModule, item: dict[str, Any], uid: int, gid: int, mode: int
) -> dict[str, str] | None:
    """Bring owner, group and mode of an existing path into their state."""
    difference = attributes_differ(item["path"], uid, gid, mode)
    if not difference:
        return None
    if not module.check_mode:
        os.chown(item["path"], uid, gid)
        os.chmod(item["path"], mode)
    return {"prepared": f"{item['path']}: {difference}\n"}


def keep_directory(module: AnsibleModule, item: dict[str, Any]) -> dict[str, str] | None:
    """Bring one directory into its state."""
    uid, gid = identity(module, item)
    mode = int(item["mode"] or "0755", 8)
    if not os.path.isdir(item["path"]):
        if os.path.lexists(item["path"]):
            module.fail_json(msg=f"{item['path']}: exists and is not a directory; remove it first")
        if not module.check_mode:
            os.makedirs(item["path"], mode=0o755)
            os.chown(item["path"], uid, gid)
            os.chmod(item["path"], mode)
        return {"prepared": f"{item['path']}: new directory\n"}
    return keep_attributes(module, item, uid, gid, mode)


def keep_absent(module: AnsibleModule, item: dict[str, Any]) -> dict[str, str] | None:
    """Remove one path, whatever it is."""
    path = item["path"]
    if not os.path.lexists(path):
        return None
    if not module.check_mode:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    return {"prepared": f"{path}: removed\n"}


def product_is_old(entry: dict[str, Any]) -> bool:
    """Whether the product of a command is missing or older than one of its sources."""
    if not entry["creates"]:
        return False
    try:
        made = os.stat(entry["creates"]).st_mtime
    except FileNotFoundError:
        return True
    return any(os.path.exists(path) and os.stat(path).st_ctime > made for path in entry["on"])


def main() -> None:
    """Handle every path, then run the commands that changes ask for."""
    file_spec = {
        "path": {"type": "path", "required": True},
        "state": {"type": "str", "choices": ["file", "directory", "absent"], "default": "file"},
        "template": {"type": "str"},
        "content": {"type": "raw"},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
        "mode": {"type": "str"},
        "secret": {"type": "bool", "default": False},
        "validate": {"type": "str", "default": ""},
    }
    run_spec = {
        "on": {"type": "list", "elements": "path", "required": True},
        "command": {"type": "list", "elements": "str", "required": True},
        "creates": {"type": "path"},
    }
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "options": file_spec, "required": True},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "run": {"type": "list", "elements": "dict", "options": run_spec, "default": []},
        },
        supports_check_mode=True,
    )
    keepers = {"file": keep_file, "directory": keep_directory, "absent": keep_absent}
    diffs: list[dict[str, str]] = []
    changed: list[str] = []
    for item in module.params["files"]:
        diff = keepers[item["state"]](module, item)
        if diff is not None:
            diffs.append(diff)
            changed.append(item["path"])
    ran: list[str] = []
    for entry in module.params["run"]:
        if not set(entry["on"]) & set(changed) and not product_is_old(entry):
            continue
        ran.append(shlex.join(entry["command"]))
        if module.check_mode:
            continue
        code, out, err = module.run_command(entry["command"])
        if code != 0:
            module.fail_json(msg=f"'{ran[-1]}' failed with {code}: {(out + err).strip()[-1500:]}")
    module.exit_json(changed=bool(changed or ran), changed_paths=changed, ran=ran, diff=diffs)


if __name__ == "__main__":
    main()
