"""When a host needs a new certificate."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.enlevohub.datacenter.plugins.action.host_certificate import sign
from ansible_collections.enlevohub.datacenter.plugins.modules.host_certificate import why_new

from enlevohub_secrets.authority import CERTIFICATE, KEY, make_authority

OLD, NEW = make_authority("old"), make_authority("new")


def openssl(arguments: list[str], data: str | None = None) -> tuple[int, str, str]:
    """Run a command as the module does."""
    done = subprocess.run(arguments, input=data, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def reason(folder: Path, authorities: str, **changed: Any) -> str:
    """Return why the host in a folder needs a new certificate."""
    given = {"names": ["db1"], "addresses": ["192.0.2.21"], "renew_before_days": 30, **changed}
    files = (str(folder / name) for name in ("ca.crt", "host.key", "host.crt"))
    found: str = why_new(SimpleNamespace(params=given, run_command=openssl), *files, authorities)[0]
    return found


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A host with a key and a certificate of the old authority, valid for a year."""
    key = tmp_path / "host.key"
    openssl(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key)])
    request = openssl(["openssl", "req", "-new", "-key", str(key), "-subj", "/CN=db1"])[1]
    certificate = sign(request, OLD[CERTIFICATE], OLD[KEY], ["db1"], ["192.0.2.21"], 365)
    (tmp_path / "host.crt").write_text(certificate, encoding="utf-8")
    (tmp_path / "ca.crt").write_text(OLD[CERTIFICATE], encoding="utf-8")
    return tmp_path


def test_good_certificate_is_kept(host: Path) -> None:
    assert reason(host, OLD[CERTIFICATE]) == ""


def test_certificate_is_renewed_before_it_ends(host: Path) -> None:
    assert "ends soon" in reason(host, OLD[CERTIFICATE], renew_before_days=366)


@pytest.mark.parametrize("authorities", [OLD[CERTIFICATE] + NEW[CERTIFICATE], NEW[CERTIFICATE] + OLD[CERTIFICATE]])
def test_certificate_is_renewed_when_the_authorities_change(host: Path, authorities: str) -> None:
    assert reason(host, authorities) == "the authorities changed"


def test_certificate_of_an_authority_that_no_longer_signs_is_renewed(host: Path) -> None:
    both = NEW[CERTIFICATE] + OLD[CERTIFICATE]
    (host / "ca.crt").write_text(both, encoding="utf-8")
    assert reason(host, both) == "it was signed by another CA"


def test_certificate_for_other_names_is_renewed(host: Path) -> None:
    assert "names differ" in reason(host, OLD[CERTIFICATE], names=["db1", "localhost"])


def test_certificate_of_another_key_is_renewed(host: Path) -> None:
    key = str(host / "host.key")
    openssl(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key])
    assert "does not belong to the key" in reason(host, OLD[CERTIFICATE])


@pytest.mark.parametrize("name", ["host.key", "host.crt"])
def test_missing_file_is_a_reason(host: Path, name: str) -> None:
    (host / name).unlink()
    assert "there is no" in reason(host, OLD[CERTIFICATE])
