"""Shared fixtures: the repository, a site with dummy secrets, and a strict renderer of the roles' templates."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
# Ansible reads its configuration when it is imported.
os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")

from ansible.inventory.manager import InventoryManager  # noqa: E402
from ansible.parsing.dataloader import DataLoader  # noqa: E402
from ansible.plugins.loader import init_plugin_loader  # noqa: E402
from ansible.template import Templar  # noqa: E402
from ansible.vars.hostvars import HostVars  # noqa: E402
from ansible.vars.manager import VariableManager  # noqa: E402

init_plugin_loader()

from ansible_collections.enlevohub.datacenter.plugins.action.files import ActionModule  # noqa: E402

from enlevohub_secrets.table import NAMES  # noqa: E402

ENVIRONMENTS = tuple(sorted(path.parent.name for path in ROOT.glob("inventories/*/hosts.yml")))
IMAGES = {"enlevohub/api": "enlevohub/api:0123456789ab", "enlevohub/frontend": "enlevohub/frontend:ba9876543210"}
# What roles set while they run, and values of group_vars need.
RUN = {"container_images_references": IMAGES, "release_images": {}, "release_unfinished": []}


@cache
def load_yaml(path: Path) -> Any:
    """Return the content of a YAML file of the repository; read once, so do not change it."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def copy_values(target: Path) -> Path:
    """Copy group_vars and inventories to a directory, with a dummy vault.yml for each environment.

    Real secrets are neither read nor needed. The empty playbooks/ is what Ansible takes for the playbook's directory:
    group_vars beside a playbook would count as well, and must not.
    """
    (target / "playbooks").mkdir()
    shutil.copytree(ROOT / "group_vars", target / "group_vars", ignore=shutil.ignore_patterns("vault.yml"))
    ignored = shutil.ignore_patterns("more.yml")  # servers that somebody added to a lab
    shutil.copytree(ROOT / "inventories", target / "inventories", symlinks=True, ignore=ignored)
    for environment in ENVIRONMENTS:
        vault = target / "group_vars" / environment / "vault.yml"
        vault.write_text(yaml.safe_dump({name: f"dummy {name} of {environment}" for name in NAMES}), encoding="utf-8")
    return target


class Renderer:
    """Resolves and renders what a role gives to a host, with Ansible's own Templar and our own action plugin."""

    def __init__(self, site: Path) -> None:
        """Render for the hosts of a site, see :func:`copy_values`."""
        self._site = site
        self._managers: dict[str, VariableManager] = {}

    @cached_property
    def _loader(self) -> DataLoader:
        loader = DataLoader()
        loader.set_basedir(str(self._site / "playbooks"))
        return loader

    def host_variables(self, environment: str, host: str) -> dict[str, Any]:
        """Return the variables of a host from inventory and group_vars, not yet resolved."""
        if environment not in self._managers:
            inventory = InventoryManager(loader=self._loader, sources=[str(self._site / "inventories" / environment)])
            self._managers[environment] = VariableManager(loader=self._loader, inventory=inventory)
            HostVars(inventory, self._managers[environment], self._loader)  # makes `hostvars` known to the manager
        manager = self._managers[environment]
        found: dict[str, Any] = manager.get_vars(host=manager._inventory.get_host(host))
        return found

    def _role_file(self, role: str, name: str) -> Any:
        path = ROOT / "roles" / role / name
        return (self._loader.load_from_file(str(path), trusted_as_template=True) or {}) if path.exists() else {}

    def variables(
        self, role: str, host: str, environment: str = "lab", secrets: Mapping[str, str] | None = None, **extra: Any
    ) -> dict[str, Any]:
        """Return the variables that the tasks of a role see on a host.

        Args:
            role: name of the role. ``compose_stack`` is used through another role: ``backend > compose_stack``.
            host: name from the inventory.
            environment: directory below inventories/.
            secrets: values for some of the ``vault_`` variables.
            extra: values that win over everything.
        """
        roles = [name.strip() for name in role.split(">")]
        variables: dict[str, Any] = {}
        for name in roles:
            variables.update(self._role_file(name, "defaults/main.yml"))
        variables.update(self.host_variables(environment, host))
        variables.update(secrets or {})
        for name in roles:
            variables.update(self._role_file(name, "vars/main.yml"))
        for name, inner in zip(roles, roles[1:], strict=False):
            for task in self._role_file(name, "tasks/main.yml"):
                if task.get("ansible.builtin.import_role", {}).get("name") == inner:
                    variables.update(task.get("vars", {}))
        variables.update(RUN)
        variables["role_path"] = str(ROOT / "roles" / roles[-1])
        variables["ansible_search_path"] = [str(ROOT / "roles" / name) for name in reversed(roles)]
        variables.update(extra)
        return variables

    def _action(self, variables: dict[str, Any]) -> ActionModule:
        task = SimpleNamespace(get_search_path=lambda: variables["ansible_search_path"])
        templar = Templar(loader=self._loader, variables=variables)
        return ActionModule(task, None, None, self._loader, templar, None)

    def __call__(self, role: str, template: str, host: str, **options: Any) -> str:
        """Return the text of a template as the action ``enlevohub.datacenter.files`` renders it.

        Raises AnsibleError when a variable is undefined. The options are those of :meth:`variables`.
        """
        variables = self.variables(role, host, **options)
        rendered: str = self._action(variables)._render(template, variables)
        return rendered

    def value(self, role: str, name: str, host: str, **options: Any) -> Any:
        """Return one variable as the tasks of a role see it, resolved."""
        variables = self.variables(role, host, **options)
        return Templar(loader=self._loader, variables=variables).template(variables[name])

    def files(self, role: str, name: str, host: str, **options: Any) -> dict[str, dict[str, Any]]:
        """Return a list of files (a variable for ``enlevohub.datacenter.files``) by path, with the rendered content."""
        variables = self.variables(role, host, **options)
        action = self._action(variables)
        found: dict[str, dict[str, Any]] = {}
        for entry in Templar(loader=self._loader, variables=variables).template(variables[name]):
            found[entry["path"]] = dict(entry)
            if entry.get("state", "file") == "file":
                found[entry["path"]]["content"] = action._content(entry, variables)
        return found


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of group_vars and inventories with dummy secrets."""
    return copy_values(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def render(site: Path) -> Renderer:
    """The renderer of the roles' templates."""
    return Renderer(site)
