"""packages: what dpkg's own list says."""

from __future__ import annotations

import pytest
from ansible_collections.enlevohub.datacenter.plugins.modules import packages

STATUS = """\
Package: etcd-server
Status: install ok installed
Priority: optional
Section: net
Architecture: amd64
Version: 3.5.16-4+b4
Description: distributed key-value store -- server daemon
 Package: not-a-package
 Status: install ok installed
 .
 A paragraph with a colon: like this one.

Package: haproxy
Status: hold ok installed
Version: 3.0.11-1

Package: nano
Status: deinstall ok installed
Version: 8.4-1

Package: postgresql-17
Status: install ok half-configured
Version: 17.6-0
Conffiles:
 /etc/logrotate.d/postgresql-common 0b1f1b1b9d0b1d1a0d0d0d0d0d0d0d0d

Package: patroni
Status: install reinstreq half-installed
Version: 4.0.4-3

Package: docker.io
Status: install ok unpacked
Version: 26.1.5

Package: man-db
Status: install ok triggers-pending
Version: 2.13.1-1

Package: apache2
Status: deinstall ok config-files
Version: 2.4.65-2

Package: vim
Status: unknown ok not-installed

Package: exim4-daemon-light
Status: install ok installed
Provides: default-mta (= 4.98), mail-transport-agent
Version: 4.98.2-1
"""


@pytest.mark.parametrize(
    "name", ["etcd-server", "haproxy", "nano", "exim4-daemon-light", "default-mta", "mail-transport-agent"]
)
def test_package_counts_as_installed(name: str) -> None:
    assert name in packages.parse_status(STATUS)[0]


@pytest.mark.parametrize(
    "name", ["postgresql-17", "patroni", "docker.io", "man-db", "apache2", "vim", "not-a-package", "no-such-package"]
)
def test_package_does_not_count_as_installed(name: str) -> None:
    assert name not in packages.parse_status(STATUS)[0]


def test_interrupted_packages_are_those_that_dpkg_must_finish() -> None:
    assert packages.parse_status(STATUS)[1] == ["postgresql-17", "patroni", "docker.io", "man-db"]


def test_empty_list_has_no_packages() -> None:
    assert packages.parse_status("") == (set(), [])


def test_policy_tells_the_versions_of_what_is_installed_only() -> None:
    text = (
        "libpq5:\n  Installed: 17.5-1\n  Candidate: 17.6-1\n  Version table:\n     17.6-1 500\n"
        "pgbackrest:\n  Installed: (none)\n  Candidate: 2.55\n"
        "patroni:\n  Installed: 4.0.7\n  Candidate: 4.0.7\n"
    )
    assert packages.parse_policy(text) == {
        "libpq5": {"installed": "17.5-1", "candidate": "17.6-1"},
        "patroni": {"installed": "4.0.7", "candidate": "4.0.7"},
    }
