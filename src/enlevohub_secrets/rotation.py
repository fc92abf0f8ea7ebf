"""New passwords beside the present ones: made, promoted, and the mark of the rotation removed, each in one step.

While a rotation runs, NAME_next stands beside NAME: with another value while both count (open), with the same value
once the new one is the only one (closing). A rotation that was interrupted is found by that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from enlevohub_secrets.content import extend, parse, replace
from enlevohub_secrets.errors import SecretsError
from enlevohub_secrets.store import VaultFile, opened
from enlevohub_secrets.table import NEXT, ROTATED, TEXT_SECRETS

REST, OPEN, CLOSING = "rest", "open", "closing"
ALL = "all"


def chosen(given: str) -> tuple[str, ...]:
    """The purposes that an operator named: `all`, or some of them with commas between.

    Raises:
        SecretsError: there is no such purpose.
    """
    names = tuple(ROTATED) if given.strip() == ALL else tuple(name.strip() for name in given.split(","))
    wrong = [name for name in names if name not in ROTATED]
    if wrong:
        raise SecretsError(f"secrets={given}: {', '.join(wrong)} cannot be rotated. Use all, or {', '.join(ROTATED)}.")
    return names


def states(file: VaultFile) -> dict[str, str]:
    """The state of each purpose: rest, open or closing.

    Raises:
        SecretsError: a secret is missing or broken.
    """
    present = parse(file.text, file.where)
    content = yaml.safe_load(file.text) or {}
    missing = [name for name in ROTATED.values() if name not in present]
    if missing:
        raise SecretsError(f"{file.where}: {', '.join(missing)} is missing. Make it with `make secrets`.")
    found = {}
    for purpose, name in ROTATED.items():
        following = content.get(name + NEXT)
        found[purpose] = REST if following is None else CLOSING if following == content[name] else OPEN
    return found


def rotate(project: Path, environment: str, settings: Mapping[str, str], step: str, given: str) -> dict[str, str]:
    """Do one step and return the state of each purpose.

    Args:
        project: the repository.
        environment: environment name.
        settings: variables of the process, see :func:`enlevohub_secrets.vault.password_file`.
        step: show; begin (a new password beside each chosen one that rests); promote (what is open counts from now on);
            end (forget what is closing).
        given: see :func:`chosen`; counts for begin.

    Raises:
        SecretsError: see :func:`chosen`, :func:`states` and :func:`enlevohub_secrets.store.ensure_secrets`.
    """
    names = chosen(given)
    with opened(project, environment, settings) as file:
        before = states(file)
        text = file.text
        if step == "begin":
            rests = [ROTATED[purpose] for purpose in names if before[purpose] == REST]
            text = extend(text, {name + NEXT: TEXT_SECRETS[name]() for name in rests})
        if step == "promote":
            text = _promoted(text, [ROTATED[purpose] for purpose, state in before.items() if state == OPEN], file.where)
        if step == "end":
            for purpose, state in before.items():
                if state == CLOSING:
                    text = replace(text, ROTATED[purpose] + NEXT, None, file.where)
        if text != file.text:
            file.write(text)
        return states(file)


def _promoted(text: str, names: Sequence[str], where: str) -> str:
    """The text in which the new value of each name is its value."""
    content = yaml.safe_load(text)
    for name in names:
        text = replace(text, name, content[name + NEXT], where)
    return text
