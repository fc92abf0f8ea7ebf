"""Check mode on blank hosts: it predicts, changes nothing and tells no secret."""

from __future__ import annotations

from typing import Any

import pytest

FINGERPRINT = (
    "{ find /etc /opt /usr/local /var/lib/dpkg/info -xdev -printf '%p %m %u %g %s\\n'; dpkg -l; "
    "systemctl list-unit-files --no-legend; getent passwd; getent group; } | sha256sum"
)


@pytest.fixture(scope="module")
def checked(datacenter: Any) -> tuple[dict[str, str], Any, dict[str, str]]:
    """Fingerprints before, the run of --check --diff -vvv, fingerprints after."""
    names = datacenter.groups["lab"]
    before = {name: datacenter.run(name, FINGERPRINT) for name in names}
    run = datacenter.playbook("--check", "--diff", "-vvv", code=None)
    after = {name: datacenter.run(name, FINGERPRINT) for name in names}
    return before, run, after


def test_check_mode_on_blank_hosts_succeeds(checked: Any) -> None:
    assert checked[1].code == 0, checked[1].output[-5000:]


def test_check_mode_on_blank_hosts_predicts_changes_on_every_host(checked: Any, datacenter: Any) -> None:
    assert sorted(checked[1].changed) == sorted(datacenter.groups["lab"])
    assert min(checked[1].changed.values()) > 0


def test_check_mode_on_blank_hosts_changes_nothing(checked: Any) -> None:
    before, _, after = checked
    assert after == before


def test_check_mode_output_holds_no_secret(checked: Any, datacenter: Any) -> None:
    assert datacenter.secrets_in(checked[1].output) == []
