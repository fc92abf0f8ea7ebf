"""The file group_vars/ENVIRONMENT/vault.yml: made once, extended, never replaced."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from enlevohub_secrets.content import extend, parse
from enlevohub_secrets.errors import SecretsError
from enlevohub_secrets.table import make_missing
from enlevohub_secrets.vault import Vault, is_encrypted, password_file

# Labs live on one machine and their file is git-ignored; every other environment is encrypted.
LAB_NAME = re.compile(r"^(lab|molecule)(_[a-z0-9]+)?$")


@dataclass(frozen=True)
class Result:
    """What `ensure_secrets` did.

    Attributes:
        path: the vault file.
        added: names of the secrets that were made now.
        password: the password file, None where the environment is not encrypted.
        password_created: whether the password file was made now.
    """

    path: Path
    added: tuple[str, ...]
    password: Path | None
    password_created: bool


def ensure_secrets(project: Path, environment: str, settings: Mapping[str, str]) -> Result:
    """Make the secrets that an environment does not have yet.

    Args:
        project: the repository.
        environment: environment name; group_vars/ENVIRONMENT must exist.
        settings: variables of the process (see `password_file`).

    Raises:
        SecretsError: unknown environment, a broken or placeholder entry, or a file that is encrypted or not
            against the rule for this environment.
    """
    with opened(project, environment, settings) as file:
        made = make_missing(environment, set(parse(file.text, file.where)))
        if made:
            file.write(extend(file.text, made))
        elif file.path.stat().st_mode & 0o077:
            file.path.chmod(0o600)
    return Result(file.path, tuple(made), file.password, file.password_created)


class VaultFile:
    """The vault file of an environment, decrypted, while this process has it to itself."""

    def __init__(self, project: Path, environment: str, settings: Mapping[str, str]) -> None:
        """Read it; see :func:`ensure_secrets` for the arguments and for what is raised."""
        self.path = project / "group_vars" / environment / "vault.yml"
        self.where = f"group_vars/{environment}/vault.yml"
        stored = self.path.read_text() if self.path.exists() else ""
        plain = LAB_NAME.match(environment) is not None
        if stored.strip() and is_encrypted(stored) == plain:
            raise SecretsError(_wrong_form(self.where, environment, plain))
        self.password: Path | None = None
        self.password_created, self._vault = False, None
        if not plain:
            self.password, self.password_created = password_file(
                project, environment, settings, create=not stored.strip()
            )
            self._vault = Vault(self.password)
        self.text = self._vault.decrypt(stored, self.where) if self._vault and stored.strip() else stored

    def write(self, text: str) -> None:
        """Replace the whole text, in one step."""
        write_private(self.path, self._vault.encrypt(text) if self._vault else text)
        self.text = text


@contextmanager
def opened(project: Path, environment: str, settings: Mapping[str, str]) -> Iterator[VaultFile]:
    """The vault file of an environment, for one process at a time.

    Raises:
        SecretsError: see :func:`ensure_secrets`.
    """
    directory = project / "group_vars" / environment
    if not environment.isidentifier() or not directory.is_dir():
        raise SecretsError(f"--environment {environment}: there is no directory group_vars/{environment}.")
    with _locked(directory):
        yield VaultFile(project, environment, settings)


def _wrong_form(where: str, environment: str, plain: bool) -> str:
    if plain:
        return f"{where} is encrypted, but {environment} is a lab with plain secrets: `ansible-vault decrypt {where}`."
    return (
        f"{where} is not encrypted. If it was ever shared or committed, replace its values first; "
        f"then `ansible-vault encrypt {where}`."
    )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One writer at a time; the lock goes with the process."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Write a file in one step, readable by its owner only from its first byte on."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
