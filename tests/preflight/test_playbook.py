"""The real playbook: one report, whatever the hosts do, and nothing changed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.preflight.site import PASSWORD, PROJECT, Site

SECONDS = 60


def run(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run playbooks/preflight.yml on a site."""
    password = site.root / "password"
    password.write_bytes(PASSWORD)
    command = [
        sys.executable,
        "-m",
        "ansible",
        "playbook",
        "-i",
        str(site.root / "inventories" / site.environment),
        "playbooks/preflight.yml",
    ]
    environment = {**os.environ, "ANSIBLE_VAULT_PASSWORD_FILE": str(password), "ANSIBLE_NOCOLOR": "1"}
    return subprocess.run(
        [*command, *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture
def closed_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def unreachable(site: Site, closed_port: int) -> Site:
    """A lab of which no host answers; every address is this machine's own."""
    for last in (11, 12, 13, 21, 22, 31):
        site.replace(site.hosts_file, f"10.89.0.{last}}}", f"127.0.0.{last}, ansible_port: {closed_port}}}")
    return site


def fingerprint(root: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of every file."""
    return {
        str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(root.rglob("*")) if path.is_file()
    }


def test_unreachable_hosts_are_all_in_one_report(unreachable: Site) -> None:
    """Six dead hosts: six findings, rc 2, and no host is marked unreachable."""
    done = run(unreachable)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout.count("Preflight of lab: 6 findings, 0 warnings, 6 hosts asked. Nothing was changed.") == 1
    for host, last in (("app1", 11), ("app2", 12), ("app3", 13), ("db1", 21), ("db2", 22), ("lb1", 31)):
        assert f"host {host}  ansible_host\n     nothing listens for SSH at 127.0.0.{last}\n" in done.stdout
    assert "unreachable=1" not in done.stdout
    assert "does not survive: app1 (the only frontend)" in done.stdout


def test_broken_inventory_and_dead_hosts_are_told_together(unreachable: Site) -> None:
    """Values, secrets, this role's own options and hosts: everything in one report, in check mode as well."""
    unreachable.replace(
        "group_vars/all/preflight.yml", "preflight_min_memory_mib: 900", "preflight_min_memory_mib: much"
    )
    unreachable.replace("group_vars/backend_servers.yml", "backend_port:", "backend_memroy: 300m\nbackend_port:")
    unreachable.secrets(vault_jwt_secret=None)
    before = fingerprint(unreachable.root / "group_vars")
    done = run(unreachable, "--check", "--diff")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Preflight of lab: 9 findings" in done.stdout
    assert "fix: did you mean backend_memory?" in done.stdout
    assert "fix: make secrets ENV=lab" in done.stdout
    assert "preflight_min_memory_mib\n     is text, a whole number is wanted" in done.stdout
    assert done.stdout.index("backend_memroy") < done.stdout.index("host app1  ansible_host")
    assert "changed=1" not in done.stdout
    assert fingerprint(unreachable.root / "group_vars") == before


def test_missing_values_do_not_stop_the_report(unreachable: Site) -> None:
    """Without group_vars the roles' defaults are enough to tell what is wrong."""
    (unreachable.root / "inventories/lab/group_vars").unlink()
    done = run(unreachable)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "fix: ln -s ../../group_vars inventories/lab/group_vars" in done.stdout


def test_encrypted_datacenter_reports_hosts_only(datacenter: Site, closed_port: int) -> None:
    """Encrypted secrets are read with the password of the run; one dead host is the one finding asked for."""
    for last in (11, 12, 13, 21, 22):
        datacenter.replace(datacenter.hosts_file, f"192.0.2.{last}}}", f"127.0.0.{last}, ansible_port: {closed_port}}}")
    done = run(datacenter, "--limit", "db2")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Preflight of datacenter: 1 finding, 0 warnings, 1 host asked." in done.stdout


def test_reached_host_is_looked_at_without_a_change(site: Site) -> None:
    """This machine stands in for a host: it is reached, and one limit that it cannot keep is found on it."""
    site.replace(
        site.hosts_file,
        "db2: {ansible_host: 10.89.0.22}",
        "db2: {ansible_host: 127.0.0.1, ansible_connection: local, ansible_become: false, "
        "preflight_min_memory_mib: 999999999}",
    )
    before = fingerprint(site.root)
    done = run(site, "--limit", "db2")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "host db2  preflight_min_memory_mib\n" in done.stdout
    assert "999999999 MiB are wanted\n     fix: give the host more memory" in done.stdout
    assert "changed=0" in done.stdout
    after = fingerprint(site.root)
    after.pop(str(site.root / "password"))
    assert after == before


def test_host_without_python_is_a_finding(site: Site) -> None:
    """An interpreter that is not there stops nothing."""
    site.replace(
        site.hosts_file,
        "db2: {ansible_host: 10.89.0.22}",
        "db2: {ansible_host: 127.0.0.1, ansible_connection: local, ansible_become: false, "
        "ansible_python_interpreter: /usr/bin/python3.none}",
    )
    done = run(site, "--limit", "db2")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "host db2  ansible_python_interpreter\n     /usr/bin/python3.none is missing\n" in done.stdout


def test_host_whose_sudo_asks_for_a_password_is_a_finding(site: Site) -> None:
    """A sudo that refuses, as it does without a password, stops nothing."""
    sudo = site.root / "sudo"
    sudo.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    sudo.chmod(0o755)
    site.replace(
        site.hosts_file,
        "db2: {ansible_host: 10.89.0.22}",
        "db2: {ansible_host: 127.0.0.1, ansible_connection: local, ansible_become_user: daemon, "
        f"ansible_become_exe: {sudo}}}",
    )
    done = run(site, "--limit", "db2")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "host db2  ansible_become_password\n     sudo asks for a password\n" in done.stdout


def test_secret_encrypted_in_place_is_looked_at(unreachable: Site) -> None:
    """A value with !vault is opened like any other, and is not shown."""
    text = VaultLib([]).encrypt("k3Rt9vQ", VaultSecret(PASSWORD)).decode()
    unreachable.secrets(vault_jwt_secret=None)
    unreachable.append("group_vars/lab/main.yml", "vault_jwt_secret: !vault |\n" + textwrap.indent(text, "  "))
    done = run(unreachable, "--limit", "db2")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "  vault_jwt_secret\n     the secret has 7 characters, 16 are the least\n" in done.stdout
    assert "Preflight of lab: 2 findings" in done.stdout
    assert "k3Rt9vQ" not in done.stdout + done.stderr
