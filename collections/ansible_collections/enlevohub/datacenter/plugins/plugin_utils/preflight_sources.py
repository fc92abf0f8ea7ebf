"""Read inventories, group_vars and role specifications with the line of every value; duplicate keys are found here."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import yaml
from ansible.plugins.inventory import detect_range, expand_hostname_range
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_model import (
    TIERS,
    Encrypted,
    Entry,
    Finding,
    Inventory,
    did_you_mean,
)

Reader = Callable[[str], str]
Path = tuple[str, ...]
EXTENSIONS = ("", ".yml", ".yaml", ".json")
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BASE):
    """YAML as Ansible reads it; encrypted values are not opened."""


_Loader.add_constructor("!vault", lambda loader, node: Encrypted())
_Loader.add_constructor("!vault-encrypted", lambda loader, node: Encrypted())
_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


class Document:
    """A YAML file.

    Attributes:
        data: its content; None for an empty file.
        lines: line of each key, by its path.
        duplicates: paths and lines of keys that stand twice in one mapping.
    """

    def __init__(self, text: str) -> None:
        """Parse; raises yaml.YAMLError."""
        self.lines: dict[Path, int] = {}
        self.duplicates: list[tuple[Path, int]] = []
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            self.data = None if node is None else self._build(loader, node, ())
        finally:
            loader.dispose()

    def _build(self, loader: Any, node: Any, path: Path) -> Any:
        if isinstance(node, yaml.SequenceNode):
            return [self._build(loader, item, (*path, str(index))) for index, item in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode) or any(key.tag.endswith(":merge") for key, _ in node.value):
            return loader.construct_object(node, deep=True)
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node, deep=True)
            here = (*path, str(key))
            line = key_node.start_mark.line + 1
            if key in found:
                self.duplicates.append((here, line))
            self.lines[here] = line
            found[key] = self._build(loader, value_node, here)
        return found


def plain_reader(path: str) -> str:
    """Return the text of a file that is not encrypted."""
    with open(path, encoding="utf-8") as handle:
        return handle.read()


class SourceReader:
    """Reads one inventory with all that belongs to it."""

    def __init__(self, directory: str, read: Reader) -> None:
        """Read files through ``read``, which opens encrypted ones."""
        self.read = read
        self.root = os.path.dirname(os.path.dirname(os.path.abspath(directory)))
        self.inventory = Inventory(os.path.abspath(directory), os.path.basename(os.path.abspath(directory)))

    def shown(self, path: str, line: int = 0) -> str:
        """Return a path for people: relative to the project, with the line."""
        real = os.path.realpath(path)
        root = os.path.realpath(self.root)
        name = os.path.relpath(real, root) if real.startswith(root + os.sep) else path
        return f"{name}:{line}" if line else name

    def document(self, path: str) -> Document | None:
        """Read one file; what is wrong with it becomes a finding."""
        findings = self.inventory.findings
        try:
            document = Document(self.read(path))
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or "cannot be read"
            findings.append(
                Finding(
                    self.shown(path, mark.line + 1 if mark else 0),
                    "",
                    f"is not valid YAML: {problem}",
                    "correct the line",
                )
            )
            return None
        except OSError as error:
            findings.append(Finding(self.shown(path), "", f"cannot be read: {error.strerror}", "make it readable"))
            return None
        for key, line in document.duplicates:
            findings.append(
                Finding(
                    self.shown(path, line),
                    key[-1],
                    "stands twice in the same place; only the last one counts",
                    "keep one of the two",
                )
            )
        return document

    # --- hosts and groups

    def read_hosts(self, path: str) -> None:
        """Read one file of the inventory."""
        document = self.document(path)
        self.inventory.file = self.inventory.file or self.shown(path)
        if document is None or not isinstance(document.data, dict):
            return
        for group, content in document.data.items():
            self._group(document, path, str(group), content, (str(group),), "")

    def _group(self, document: Document, path: str, group: str, content: Any, key: Path, parent: str) -> None:
        inventory = self.inventory
        where = self.shown(path, document.lines.get(key, 0))
        if group != "all":
            inventory.groups.setdefault(group, [])
            inventory.places.setdefault(group, where)
        if parent:
            inventory.children.setdefault(parent, []).append(group)
        if not isinstance(content, dict):
            return
        for pattern, variables in (content.get("hosts") or {}).items():
            self._host(document, path, group, str(pattern), variables, (*key, "hosts", str(pattern)))
        for name, value in (content.get("vars") or {}).items():
            line = document.lines.get((*key, "vars", str(name)), 0)
            if name == "ansible_group_priority" and isinstance(value, int):
                inventory.priorities[group] = value
            rank = (0 if group == "all" else 1, 0, group)
            inventory.entries.append(Entry(str(name), value, path, self.shown(path, line), group, rank))
        for child, inner in (content.get("children") or {}).items():
            self._group(
                document, path, str(child), inner, (*key, "children", str(child)), "" if group == "all" else group
            )

    def _host(self, document: Document, path: str, group: str, pattern: str, variables: Any, key: Path) -> None:
        inventory = self.inventory
        names = [str(name) for name in expand_hostname_range(pattern)] if detect_range(pattern) else [pattern]
        for host in names:
            if host not in inventory.hosts:
                inventory.hosts.append(host)
                inventory.places[host] = self.shown(path, document.lines.get(key, 0))
            if group != "all" and host not in inventory.groups[group]:
                inventory.groups[group].append(host)
            for name, value in (variables or {}).items() if isinstance(variables, dict) else ():
                line = document.lines.get((*key, str(name)), 0)
                inventory.entries.append(Entry(str(name), value, path, self.shown(path, line), host, (4, 0, host)))

    def inherit_members(self) -> None:
        """Give each group the hosts of the groups inside it."""
        inventory = self.inventory
        for _ in range(len(inventory.children)):
            for parent, children in inventory.children.items():
                for child in children:
                    own = inventory.groups.setdefault(parent, [])
                    own += [host for host in inventory.members(child) if host not in own]

    # --- values

    def read_values(self) -> None:
        """Read group_vars and host_vars beside the inventory."""
        inventory = self.inventory
        folder = os.path.join(inventory.directory, "group_vars")
        inventory.has_values = os.path.isdir(folder)
        if inventory.has_values:
            unused = [tier for tier in TIERS if tier not in inventory.groups]
            for group in ["all", *inventory.groups, *unused]:
                rank = (2, 0, "") if group == "all" else (3, inventory.priorities.get(group, 1), group)
                self._scope(folder, group, rank)
            self._stray_files(folder)
        for host in inventory.hosts:
            self._scope(os.path.join(inventory.directory, "host_vars"), host, (5, 0, host))

    def _scope(self, folder: str, scope: str, rank: tuple[int, int, str]) -> None:
        for path in value_files(folder, scope):
            document = self.document(path)
            if document is None or document.data is None:
                continue
            if not isinstance(document.data, dict):
                self.inventory.findings.append(
                    Finding(self.shown(path), "", "does not contain variables", "write `name: value` lines")
                )
                continue
            for name, value in document.data.items():
                where = self.shown(path, document.lines.get((str(name),), 0))
                self.inventory.entries.append(Entry(str(name), value, path, where, scope, rank))

    def _stray_files(self, folder: str) -> None:
        """Report a file that no group loads. Folders are environments, and other inventories use them."""
        groups = sorted({"all", *TIERS, *self.inventory.groups})
        for item in sorted(os.scandir(folder), key=lambda found: found.name):
            name, extension = os.path.splitext(item.name)
            if item.is_file() and extension in EXTENSIONS[1:] and name not in groups and not name.startswith("."):
                close = did_you_mean(name, groups)
                self.inventory.findings.append(
                    Finding(
                        self.shown(item.path),
                        name,
                        "no group has this name, so the values are not used",
                        f"rename it to {close}{extension}" if close else "give it the name of a group of hosts.yml",
                    )
                )

    # --- specifications

    def read_specs(self, roles_directory: str) -> None:
        """Read the options of all roles."""
        self.inventory.roles_directory = roles_directory
        for role in sorted(os.listdir(roles_directory)):
            path = os.path.join(roles_directory, role, "meta", "argument_specs.yml")
            if not os.path.isfile(path):
                continue
            self.inventory.roles.append(role)
            with open(path, encoding="utf-8") as handle:
                content = yaml.load(handle, Loader=_Loader)
            for entry_point in ((content or {}).get("argument_specs") or {}).values():
                for name, option in (entry_point.get("options") or {}).items():
                    self.inventory.specs[name] = {**option, "role": role}


def read_role_groups(playbooks: str) -> dict[str, list[str]]:
    """Return the groups that get a role by site.yml; roles with variables of their own in the play are left out."""
    found: dict[str, list[str]] = {}
    site = os.path.join(playbooks, "site.yml")
    imported = Document(plain_reader(site)).data if os.path.isfile(site) else []
    for item in imported or []:
        path = os.path.join(playbooks, str(item.get("ansible.builtin.import_playbook", "")))
        for play in (Document(plain_reader(path)).data or []) if os.path.isfile(path) else []:
            groups = [name for name in str(play.get("hosts", "")).split(":") if name == "all" or name in TIERS]
            for role in play.get("roles") or []:
                name = role if isinstance(role, str) else role.get("role", "")
                plain = isinstance(role, str) or set(role) <= {"role", "when"}
                if plain and not play.get("vars"):
                    found.setdefault(name, []).extend(groups)
    return found


def value_files(folder: str, scope: str) -> list[str]:
    """Return the files that Ansible loads for a group or a host, in its order."""
    found: list[str] = []
    for extension in EXTENSIONS:
        path = os.path.join(folder, scope + extension)
        if os.path.isdir(path) and not extension:
            for inner, folders, names in os.walk(path):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                found += [
                    os.path.join(inner, name)
                    for name in sorted(names)
                    if os.path.splitext(name)[1] in EXTENSIONS and not name.startswith(".") and not name.endswith("~")
                ]
        elif os.path.isfile(path):
            found.append(path)
    return found


def read_inventory(sources: list[str], roles_directory: str, read: Reader = plain_reader) -> Inventory:
    """Read an inventory.

    Args:
        sources: what ``-i`` named: a directory or files. The directory of the first one gives the environment its name.
        roles_directory: directory of all roles.
        read: returns the text of a file, decrypted.
    """
    first = os.path.abspath(sources[0])
    reader = SourceReader(first if os.path.isdir(first) else os.path.dirname(first), read)
    for source in sources:
        if os.path.isdir(source):
            names = sorted(os.listdir(source))
            files = [os.path.join(source, name) for name in names if os.path.splitext(name)[1] in EXTENSIONS[1:]]
        else:
            files = [source]
        for path in files:
            reader.read_hosts(path)
    reader.inherit_members()
    reader.read_values()
    reader.read_specs(roles_directory)
    reader.inventory.role_groups = read_role_groups(os.path.join(os.path.dirname(roles_directory), "playbooks"))
    return reader.inventory
