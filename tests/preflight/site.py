"""A copied site, the means to break it, and its findings."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from ansible.template import Templar
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils import preflight_inventory as hosts_and_groups
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_resolve import HostResolver
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_sources import read_inventory
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_values import check_values

PROJECT = Path(__file__).parents[2]
PASSWORD = b"the password of a test"


@dataclass(frozen=True)
class Site:
    """A copy of inventories and group_vars.

    Attributes:
        root: directory of the copy.
        environment: the inventory that is looked at.
    """

    root: Path
    environment: str

    @property
    def hosts_file(self) -> str:
        """Return the path of hosts.yml inside the copy."""
        return f"inventories/{self.environment}/hosts.yml"

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace a text that stands in a file; fails when it does not."""
        file = self.root / path
        text = file.read_text()
        assert old in text, f"{old!r} is not in {path}"
        file.write_text(text.replace(old, new, 1))

    def append(self, path: str, text: str) -> None:
        """Add lines to a file."""
        file = self.root / path
        file.write_text(file.read_text() + text + "\n")

    def secrets(self, **changed: Any) -> None:
        """Change secrets; None removes one."""
        file = self.root / "group_vars" / self.environment / "vault.yml"
        values = {**yaml.safe_load(file.read_text()), **changed}
        file.write_text(yaml.safe_dump({name: value for name, value in values.items() if value is not None}))

    def line(self, path: str, text: str) -> str:
        """Return file and line of a text, as findings name them."""
        lines = (self.root / path).read_text().splitlines()
        return f"{path}:{next(number for number, line in enumerate(lines, 1) if text in line)}"

    def findings(self, now: datetime.datetime | None = None) -> list[Any]:
        """Return all findings about this site, with values resolved by Ansible itself."""
        loader = DataLoader()
        loader.set_basedir(str(self.root / "playbooks"))
        loader.set_vault_secrets([("default", VaultSecret(PASSWORD))])
        directory = str(self.root / "inventories" / self.environment)
        manager = InventoryManager(loader=loader, sources=[directory])
        variables = VariableManager(loader=loader, inventory=manager)
        hostvars = HostVars(manager, variables, loader)
        inventory = read_inventory(
            [directory], str(PROJECT / "roles"), lambda path: str(loader.get_text_file_contents(path))
        )
        resolver = HostResolver(hostvars, Templar(loader=loader))
        earlier = hosts_and_groups.check_inventory(inventory)
        moment = now or datetime.datetime.now(datetime.timezone.utc)
        return [*earlier, *check_values(inventory, resolver, moment, earlier)]
