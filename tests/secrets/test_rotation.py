"""A rotation of passwords in the vault: found again wherever it was interrupted, and nothing else is touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from enlevohub_secrets.__main__ import main
from enlevohub_secrets.errors import SecretsError
from enlevohub_secrets.rotation import CLOSING, OPEN, REST, rotate
from enlevohub_secrets.store import ensure_secrets
from enlevohub_secrets.table import NAMES, NEXT, ROTATED

NAME = ROTATED["application"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a lab and an encrypted environment, each with its secrets."""
    for environment in ("lab", "datacenter"):
        (tmp_path / "group_vars" / environment).mkdir(parents=True)
        ensure_secrets(tmp_path, environment, {})
    return tmp_path


def values(project: Path) -> dict[str, Any]:
    """The plain secrets of the lab."""
    loaded: dict[str, Any] = yaml.safe_load((project / "group_vars/lab/vault.yml").read_text())
    return loaded


def step(project: Path, name: str, given: str = "all", environment: str = "lab") -> dict[str, str]:
    """Do one step."""
    return rotate(project, environment, {}, name, given)


def test_new_password_is_made_beside_the_present_one(project: Path) -> None:
    before = values(project)
    assert step(project, "begin") == dict.fromkeys(ROTATED, OPEN)
    after = values(project)
    assert {name: after[name] for name in before} == before
    assert all(len(after[name + NEXT]) == 32 and after[name + NEXT] != after[name] for name in ROTATED.values())


def test_new_password_is_not_made_twice(project: Path) -> None:
    step(project, "begin")
    before = values(project)
    step(project, "begin")
    assert values(project) == before


def test_only_the_named_ones_are_renewed(project: Path) -> None:
    found = step(project, "begin", "application, rewind")
    assert [purpose for purpose, state in found.items() if state == OPEN] == ["application", "rewind"]


def test_unknown_name_is_an_error_that_lists_the_known_ones(project: Path) -> None:
    with pytest.raises(SecretsError, match=r"jwt cannot be rotated. Use all, or application, storage"):
        step(project, "begin", "application,jwt")
    assert NAME + NEXT not in values(project)


def test_promoted_password_is_the_new_one_and_the_rotation_is_still_known(project: Path) -> None:
    step(project, "begin")
    new = values(project)[NAME + NEXT]
    assert step(project, "promote") == dict.fromkeys(ROTATED, CLOSING)
    assert (values(project)[NAME], values(project)[NAME + NEXT]) == (new, new)


def test_begin_while_closing_makes_no_third_password(project: Path) -> None:
    step(project, "begin")
    step(project, "promote")
    before = values(project)
    assert step(project, "begin") == dict.fromkeys(ROTATED, CLOSING)
    assert values(project) == before


def test_end_removes_the_mark_and_nothing_that_is_still_open(project: Path) -> None:
    step(project, "begin", "application")
    step(project, "promote")
    step(project, "begin", "rewind")
    found = step(project, "end")
    assert (found["application"], found["rewind"]) == (REST, OPEN)
    assert set(values(project)) == {*NAMES, ROTATED["rewind"] + NEXT}


def test_other_secrets_and_comments_are_untouched_by_a_whole_rotation(project: Path) -> None:
    path = project / "group_vars/lab/vault.yml"
    path.write_text(path.read_text().replace("---\n", "---\n# by hand\nmine: [1, 2]\n", 1))
    before = values(project)
    for name in ("begin", "promote", "end"):
        step(project, name)
    after = values(project)
    changed = {name for name in before if before[name] != after[name]}
    assert (changed, set(after)) == (set(ROTATED.values()), set(before))
    assert path.read_text().startswith("---\n# by hand\nmine: [1, 2]\n")
    assert path.stat().st_mode & 0o777 == 0o600


def test_encrypted_environment_stays_encrypted(project: Path) -> None:
    for name, state in (("begin", OPEN), ("promote", CLOSING), ("end", REST)):
        assert step(project, name, environment="datacenter") == dict.fromkeys(ROTATED, state)
        assert (project / "group_vars/datacenter/vault.yml").read_text().startswith("$ANSIBLE_VAULT;")


def test_password_that_is_not_on_one_line_is_an_error_without_a_change(project: Path) -> None:
    path = project / "group_vars/lab/vault.yml"
    text = path.read_text().replace(f'{NAME}: "{values(project)[NAME]}"', f"{NAME}: |-\n  {values(project)[NAME]}")
    path.write_text(text)
    step(project, "begin")
    before = path.read_text()
    with pytest.raises(SecretsError, match=f"{NAME} must be one entry on one line"):
        step(project, "promote")
    assert path.read_text() == before


def test_command_prints_states_and_no_value(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--environment", "lab", "--rotate", "begin", "--secrets", "superuser"], project) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)["superuser"] == {"state": OPEN, "secret": ROTATED["superuser"]}
    assert not [name for name, value in values(project).items() if str(value) in printed]
