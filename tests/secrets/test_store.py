"""Secrets are made once, kept for ever and never shown."""

import os
from pathlib import Path

import pytest
import yaml

from enlevohub_secrets.__main__ import main
from enlevohub_secrets.errors import SecretsError
from enlevohub_secrets.store import ensure_secrets
from enlevohub_secrets.table import NAMES


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with two environments and no secrets."""
    for environment in ("lab", "datacenter"):
        (tmp_path / "group_vars" / environment).mkdir(parents=True)
    return tmp_path


def vault(project: Path, environment: str = "lab") -> Path:
    """The vault file of an environment."""
    return project / "group_vars" / environment / "vault.yml"


def values(project: Path) -> dict[str, str]:
    """The plain secrets of the lab."""
    loaded: dict[str, str] = yaml.safe_load(vault(project).read_text())
    return loaded


def test_secrets_of_a_new_environment_are_complete(project: Path) -> None:
    ensure_secrets(project, "lab", {})
    assert set(values(project)) == set(NAMES)


def test_passwords_are_32_letters_and_digits(project: Path) -> None:
    ensure_secrets(project, "lab", {})
    passwords = [value for name, value in values(project).items() if name.endswith("_password")]
    assert all(len(value) == 32 and value.isascii() and value.isalnum() for value in passwords)


def test_jwt_secret_has_64_characters(project: Path) -> None:
    ensure_secrets(project, "lab", {})
    assert len(values(project)["vault_jwt_secret"]) == 64


def test_secrets_are_not_made_twice(project: Path) -> None:
    ensure_secrets(project, "lab", {})
    before = vault(project).read_bytes()
    assert ensure_secrets(project, "lab", {}).added == ()
    assert vault(project).read_bytes() == before


def test_missing_secret_is_added_and_the_old_text_is_kept(project: Path) -> None:
    vault(project).write_text("# by hand\nvault_jwt_secret: 'kept for ever'\nother: 1\n")
    ensure_secrets(project, "lab", {})
    assert vault(project).read_text().startswith("# by hand\nvault_jwt_secret: 'kept for ever'\nother: 1\n")
    assert set(values(project)) == {*NAMES, "other"}


def test_file_is_readable_by_its_owner_only_whatever_the_umask(project: Path) -> None:
    before = os.umask(0)
    try:
        ensure_secrets(project, "lab", {})
    finally:
        os.umask(before)
    assert vault(project).stat().st_mode & 0o777 == 0o600


def test_file_that_others_can_read_is_closed(project: Path) -> None:
    ensure_secrets(project, "lab", {})
    vault(project).chmod(0o644)
    ensure_secrets(project, "lab", {})
    assert vault(project).stat().st_mode & 0o777 == 0o600


def test_no_value_is_printed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--environment", "lab"], project) == 0
    printed = capsys.readouterr()
    assert not [name for name, value in values(project).items() if value.strip() in printed.out + printed.err]


@pytest.mark.parametrize("value", ['""', "CHANGE_ME", "<password>", "TODO", "changeme", "xxxx", "12", "null", "[a]"])
def test_placeholder_is_an_error_that_names_file_and_variable(project: Path, value: str) -> None:
    vault(project).write_text(f"vault_jwt_secret: {value}\n")
    with pytest.raises(SecretsError, match=r"group_vars/lab/vault\.yml: vault_jwt_secret is a placeholder"):
        ensure_secrets(project, "lab", {})


def test_broken_yaml_is_an_error_with_file_and_line_but_no_content(project: Path) -> None:
    vault(project).write_text("vault_jwt_secret: 'unclosed-secret\nb: [\n")
    with pytest.raises(SecretsError, match=r"group_vars/lab/vault\.yml \(line \d+\): this is not valid YAML") as caught:
        ensure_secrets(project, "lab", {})
    assert "unclosed" not in str(caught.value)


def test_failed_run_leaves_no_file_behind(project: Path) -> None:
    vault(project).write_text("vault_jwt_secret: TODO\n")
    with pytest.raises(SecretsError):
        ensure_secrets(project, "lab", {})
    assert [path.name for path in vault(project).parent.iterdir()] == ["vault.yml"]


def test_half_an_authority_is_an_error(project: Path) -> None:
    vault(project).write_text("vault_pki_ca_key: some text\n")
    with pytest.raises(SecretsError, match="belong together, but only one is there"):
        ensure_secrets(project, "lab", {})


def test_key_and_certificate_of_different_authorities_are_an_error(project: Path) -> None:
    ensure_secrets(project, "lab", {})
    first = values(project)
    vault(project).unlink()
    ensure_secrets(project, "lab", {})
    mixed = {**values(project), "vault_pki_ca_key": first["vault_pki_ca_key"]}
    vault(project).write_text(yaml.safe_dump(mixed))
    with pytest.raises(SecretsError, match="do not belong together"):
        ensure_secrets(project, "lab", {})


def test_unknown_environment_is_an_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--environment", "nowhere"], project) == 1
    assert "there is no directory group_vars/nowhere" in capsys.readouterr().err


def test_environment_with_real_servers_is_encrypted(project: Path) -> None:
    ensure_secrets(project, "datacenter", {})
    assert vault(project, "datacenter").read_text().startswith("$ANSIBLE_VAULT;1.1;AES256\n")


def test_encrypted_secrets_are_not_made_twice(project: Path) -> None:
    ensure_secrets(project, "datacenter", {})
    before = vault(project, "datacenter").read_bytes()
    assert ensure_secrets(project, "datacenter", {}).added == ()
    assert vault(project, "datacenter").read_bytes() == before


def test_vault_password_is_readable_by_its_owner_only(project: Path) -> None:
    result = ensure_secrets(project, "datacenter", {})
    assert result.password == project / ".vault/datacenter.password"
    assert result.password.stat().st_mode & 0o777 == 0o600


def test_vault_password_is_told_by_place_and_not_by_value(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--environment", "datacenter"], project)
    printed = capsys.readouterr().out
    assert ".vault/datacenter.password" in printed
    assert (project / ".vault/datacenter.password").read_text().strip() not in printed


def test_vault_password_file_of_the_person_wins(project: Path) -> None:
    (project / "my.password").write_text("a long enough pass phrase\n")
    ensure_secrets(project, "datacenter", {"ANSIBLE_VAULT_PASSWORD_FILE": str(project / "my.password")})
    assert not (project / ".vault").exists()


def test_wrong_vault_password_is_an_error(project: Path) -> None:
    ensure_secrets(project, "datacenter", {})
    (project / ".vault/datacenter.password").write_text("another\n")
    with pytest.raises(SecretsError, match="wrong password"):
        ensure_secrets(project, "datacenter", {})


def test_lost_vault_password_is_never_replaced(project: Path) -> None:
    ensure_secrets(project, "datacenter", {})
    (project / ".vault/datacenter.password").unlink()
    with pytest.raises(SecretsError, match="their password is missing"):
        ensure_secrets(project, "datacenter", {})
    assert not (project / ".vault/datacenter.password").exists()


def test_plain_secrets_of_real_servers_are_an_error(project: Path) -> None:
    vault(project, "datacenter").write_text("vault_jwt_secret: abc\n")
    with pytest.raises(SecretsError, match="is not encrypted"):
        ensure_secrets(project, "datacenter", {})
