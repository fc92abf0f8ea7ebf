"""A good site in a directory of its own, to be broken one line at a time."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from enlevohub_secrets.table import make_missing
from tests.preflight.site import PASSWORD, PROJECT, Site


@pytest.fixture(scope="session")
def secrets() -> dict[str, str]:
    """The secrets of an environment, as `make secrets` makes them."""
    return make_missing("lab", set())


@pytest.fixture(scope="session")
def encrypted(secrets: dict[str, str]) -> str:
    """The same secrets as an encrypted file."""
    secret = VaultSecret(PASSWORD)
    return VaultLib([("default", secret)]).encrypt(yaml.safe_dump(secrets), secret).decode()


def make_site(root: Path, environment: str, vault: str) -> Site:
    """Copy an inventory and all values, with the given secrets."""
    ignored = shutil.ignore_patterns("vault.yml", "group_vars", "more.yml")
    shutil.copytree(PROJECT / "inventories", root / "inventories", ignore=ignored)
    shutil.copytree(PROJECT / "group_vars", root / "group_vars", ignore=shutil.ignore_patterns("vault.yml"))
    for inventory in (root / "inventories").iterdir():
        (inventory / "group_vars").symlink_to("../../group_vars")
    path = root / "group_vars" / environment / "vault.yml"
    path.write_text(vault)
    path.chmod(0o600)
    return Site(root, environment)


@pytest.fixture
def site(tmp_path: Path, secrets: dict[str, str]) -> Site:
    """The lab."""
    return make_site(tmp_path, "lab", yaml.safe_dump(secrets))


@pytest.fixture
def datacenter(tmp_path: Path, encrypted: str) -> Site:
    """The datacenter."""
    return make_site(tmp_path, "datacenter", encrypted)


def pytest_make_parametrize_id(config: Any, val: Any, argname: str) -> str | None:
    """Name a case by its own name."""
    return getattr(val, "name", None)
