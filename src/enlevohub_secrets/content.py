"""Read the text of a vault file, and write new entries behind the old ones."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping

import yaml

from enlevohub_secrets.authority import CERTIFICATE, KEY, check_authority
from enlevohub_secrets.errors import SecretsError
from enlevohub_secrets.table import NAMES

HEADER = (
    "# Secrets of this environment, made once by `python -m enlevohub_secrets`.\n"
    "# Only playbooks/rotate-secrets.yml replaces values.\n"
)
_PLACEHOLDER = re.compile(r"^\s*($|<.*>$|x{3,}$|(change|replace)[ _-]?(me|this)|todo|secret$|password$)", re.IGNORECASE)


def entry(name: str, value: str) -> str:
    """One YAML entry; text of several lines is a block, so that a PEM stays readable."""
    if "\n" in value:
        return f"{name}: |\n{textwrap.indent(value.rstrip(), '  ')}\n"
    return f"{name}: {json.dumps(value)}\n"


def parse(text: str, where: str) -> dict[str, str]:
    """The known secrets in a file's text; other entries are left alone.

    Args:
        text: YAML, decrypted.
        where: the file's name for messages.

    Raises:
        SecretsError: broken YAML, a placeholder, a value that is not text, or half a certificate authority.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        # The parser's own message quotes the line, which may hold a secret.
        raise SecretsError(f"{where}{line}: this is not valid YAML. Correct the file by hand.") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SecretsError(f"{where}: the file must hold `name: value` entries.")
    found = {name: content[name] for name in NAMES if name in content}
    for name, value in found.items():
        if not isinstance(value, str) or _PLACEHOLDER.match(value):
            raise SecretsError(
                f"{where}: {name} is a placeholder, empty, or not text. "
                "Give it its real value, or remove the line to have one made."
            )
    if (KEY in found) != (CERTIFICATE in found):
        raise SecretsError(f"{where}: {KEY} and {CERTIFICATE} belong together, but only one is there.")
    if KEY in found:
        try:
            check_authority(found[KEY], found[CERTIFICATE])
        except SecretsError as error:
            raise SecretsError(f"{where}: {error}") from None
    return found


def extend(text: str, made: Mapping[str, str]) -> str:
    """The old text, unchanged, with new entries behind it."""
    if not text.strip():
        text = f"---\n{HEADER}"
    elif not text.endswith("\n"):
        text += "\n"
    return text + "".join(entry(name, value) for name, value in made.items())


def replace(text: str, name: str, value: str | None, where: str) -> str:
    """The text with another value of one entry, or without the entry; everything else stays as it is.

    Args:
        text: YAML, decrypted.
        name: name of an entry on one line.
        value: its new value; None removes it.
        where: the file's name for messages.

    Raises:
        SecretsError: the entry is not on a line of its own.
    """
    before = yaml.safe_load(text) or {}
    line = re.compile(rf"^{re.escape(name)}:.*\n?", re.MULTILINE)
    changed = line.sub(lambda _: "" if value is None else entry(name, value), text)
    after = {key: given for key, given in before.items() if key != name}
    wanted = after if value is None else {**after, name: value}
    try:
        good = name in before and (yaml.safe_load(changed) or {}) == wanted
    except yaml.YAMLError:
        good = False  # the parser's message quotes the line, which may hold a secret
    if not good:
        raise SecretsError(f"{where}: {name} must be one entry on one line. Correct the file by hand.")
    return changed
