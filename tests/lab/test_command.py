"""The command line of the lab, and what it runs."""

import io
from pathlib import Path

import pytest
import yaml

from enlevohub_lab import __main__ as command
from enlevohub_lab import inventory, site, status
from enlevohub_lab.__main__ import main
from enlevohub_lab.console import Console
from enlevohub_lab.errors import LabError
from enlevohub_lab.inventory import Environment
from enlevohub_lab.parts import Part, Report
from tests.lab.conftest import Program


def test_error_is_one_clear_line_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--inventory", "inventories/nowhere", "hosts"]) == 1
    assert capsys.readouterr().err == "error: --inventory inventories/nowhere: no such directory.\n"


def test_up_makes_servers_and_secrets_before_the_playbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    (tmp_path / "inventories/lab").mkdir(parents=True)
    monkeypatch.setattr(command, "PROJECT", tmp_path)
    monkeypatch.setattr(inventory, "read", lambda path: Environment("lab", path, {}))
    for step in ("blank_servers", "make_secrets", "run_site"):
        monkeypatch.setattr(command, step, lambda *_, step=step: done.append(step))

    def show(*_: object, **__: object) -> int:
        done.append("show")
        return 0

    monkeypatch.setattr(command, "show", show)
    assert main(["--inventory", str(tmp_path / "inventories/lab"), "up"]) == 0
    assert done == ["blank_servers", "make_secrets", "run_site", "show"]


def test_up_that_ends_not_well_has_status_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report("lab", "", [Part("Database", problem="no leader")])
    monkeypatch.setattr(command, "PROJECT", tmp_path)
    monkeypatch.setattr(status, "collect", lambda *_: report)
    assert command.show(Environment("lab", tmp_path, {})) == 1


def test_playbook_that_fails_is_an_error_that_says_how_to_go_on(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("ansible-playbook", "exit 2")
    monkeypatch.setattr(site, "tool", lambda name: name)
    with pytest.raises(LabError, match=r"exit status 2.*Run the same command again"):
        site.run_site(tmp_path, tmp_path / "inventories/lab", Console(io.StringIO()))


def test_playbook_is_run_against_this_inventory(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = program("ansible-playbook", "true")
    monkeypatch.setattr(site, "tool", lambda name: name)
    site.run_site(tmp_path, tmp_path / "inventories/lab", Console(io.StringIO()))
    assert calls.read_text() == f"-i {tmp_path}/inventories/lab playbooks/site.yml\n"


def test_certificate_of_the_authority_is_laid_out_for_browsers(tmp_path: Path) -> None:
    (tmp_path / "group_vars/lab").mkdir(parents=True)
    (tmp_path / ".lab/lab").mkdir(parents=True)
    site.make_secrets(tmp_path, "lab", Console(io.StringIO()))
    secrets = yaml.safe_load((tmp_path / "group_vars/lab/vault.yml").read_text())
    assert (tmp_path / ".lab/lab/ca.crt").read_text() == secrets["vault_pki_ca_certificate"]


def test_secret_that_is_a_placeholder_stops_the_lab(tmp_path: Path) -> None:
    (tmp_path / "group_vars/lab").mkdir(parents=True)
    (tmp_path / "group_vars/lab/vault.yml").write_text("vault_jwt_secret: TODO\n")
    with pytest.raises(LabError, match="vault_jwt_secret is a placeholder"):
        site.make_secrets(tmp_path, "lab", Console(io.StringIO()))
