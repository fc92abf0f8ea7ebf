"""The whole way: servers, secrets, playbook."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import yaml

from enlevohub_lab.console import Console
from enlevohub_lab.errors import LabError
from enlevohub_lab.inventory import tool
from enlevohub_secrets.errors import SecretsError
from enlevohub_secrets.store import ensure_secrets

AUTHORITY_FILE = "ca.crt"


def make_secrets(project: Path, environment: str, console: Console) -> None:
    """Make the secrets that the environment does not have yet, and lay its CA certificate out for browsers and curl.

    Raises:
        LabError: see `enlevohub_secrets.store.ensure_secrets`.
    """
    try:
        result = ensure_secrets(project, environment, os.environ)
    except SecretsError as error:
        raise LabError(str(error)) from error
    certificate = yaml.safe_load(result.path.read_text())["vault_pki_ca_certificate"]
    (project / ".lab" / environment / AUTHORITY_FILE).write_text(certificate)
    made = f"{len(result.added)} made" if result.added else "complete"
    console.line(f"Secrets in group_vars/{environment}/vault.yml: {made}")


def run_site(project: Path, inventory: Path, console: Console) -> None:
    """Run playbooks/site.yml; its output goes straight to the terminal.

    Raises:
        LabError: the playbook ended with another exit status than 0.
    """
    console.line("ansible-playbook playbooks/site.yml:")
    command = [tool("ansible-playbook"), "-i", str(inventory.resolve()), "playbooks/site.yml"]
    status = subprocess.run(command, cwd=project, stdin=subprocess.DEVNULL, check=False).returncode
    if status != 0:
        raise LabError(
            f"playbooks/site.yml failed (exit status {status}); the reason is above. "
            "Run the same command again after the correction: it goes on where it stopped."
        )
    console.line("ansible-playbook playbooks/site.yml: done")
