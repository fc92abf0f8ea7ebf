"""Encrypt and decrypt with Ansible's own vault, inside this process: no secret in an argument."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, get_file_vault_secret

from enlevohub_secrets.errors import SecretsError
from enlevohub_secrets.table import random_text

PASSWORD_SETTING = "ANSIBLE_VAULT_PASSWORD_FILE"
PASSWORD_FILE_LENGTH = 48
MARK = "$ANSIBLE_VAULT;"


def is_encrypted(text: str) -> bool:
    """Whether a file's text is one whole Ansible vault."""
    return text.lstrip().startswith(MARK)


def password_file(project: Path, environment: str, settings: Mapping[str, str], *, create: bool) -> tuple[Path, bool]:
    """The file that holds the vault password of an environment.

    Args:
        project: the repository.
        environment: environment name.
        settings: variables of the process; ANSIBLE_VAULT_PASSWORD_FILE wins.
        create: generate .vault/ENVIRONMENT.password when there is none.

    Returns:
        The path, and whether it was created now.

    Raises:
        SecretsError: the file does not exist and must not be created.
    """
    if settings.get(PASSWORD_SETTING):
        path = Path(settings[PASSWORD_SETTING]).expanduser()
        if not path.is_file():
            raise SecretsError(f"{PASSWORD_SETTING} names {path}, which does not exist.")
        return path, False
    path = project / ".vault" / f"{environment}.password"
    if path.is_file():
        return path, False
    if not create:
        raise SecretsError(
            f"The secrets of {environment} are encrypted, but their password is missing: "
            f"put it into .vault/{environment}.password, or set {PASSWORD_SETTING}."
        )
    path.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(f"{random_text(PASSWORD_FILE_LENGTH)}\n")
    return path, True


class Vault:
    """Ansible's vault with the password of one file."""

    def __init__(self, path: Path) -> None:
        """Read the password file `path`; a script that prints the password works as well.

        Raises:
            SecretsError: the file is empty, or the script fails.
        """
        secret = get_file_vault_secret(filename=str(path), loader=DataLoader())
        try:
            secret.load()
        except AnsibleError as error:
            raise SecretsError(f"The vault password file {path} cannot be used: {error.message}") from error
        self._library = VaultLib([("default", secret)])

    def encrypt(self, text: str) -> str:
        """The text as an Ansible vault."""
        return bytes(self._library.encrypt(text)).decode()

    def decrypt(self, text: str, where: str) -> str:
        """The text inside an Ansible vault.

        Raises:
            SecretsError: wrong password or damaged file.
        """
        try:
            return bytes(self._library.decrypt(text)).decode()
        except AnsibleError as error:
            raise SecretsError(f"{where} cannot be decrypted: wrong password, or the file is damaged.") from error
