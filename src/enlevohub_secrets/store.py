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
    directory = project / "group_vars" / environment
    if not environment.isidentifier() or not directory.is_dir():
        raise SecretsError(f"--environment {environment}: there is no directory group_vars/{environment}.")
    path = directory / "vault.yml"
    where = f"group_vars/{environment}/vault.yml"
    with _locked(directory):
        stored = path.read_text() if path.exists() else ""
        plain = LAB_NAME.match(environment) is not None
        if stored.strip() and is_encrypted(stored) == plain:
            raise SecretsError(_wrong_form(where, environment, plain))
        vault, password, created = None, None, False
        if not plain:
            password, created = password_file(project, environment, settings, create=not stored.strip())
            vault = Vault(password)
        text = vault.decrypt(stored, where) if vault and stored.strip() else stored
        made = make_missing(environment, set(parse(text, where)))
        if made:
            text = extend(text, made)
            write_private(path, vault.encrypt(text) if vault else text)
        elif path.stat().st_mode & 0o077:
            path.chmod(0o600)
    return Result(path, tuple(made), password, created)


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
