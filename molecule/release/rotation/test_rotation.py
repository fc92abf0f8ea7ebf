"""Passwords of PostgreSQL are renewed while users work: no request fails, and in the end the old ones are refused."""

from __future__ import annotations

import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from enlevohub_drill.cases import Drill, at_line
from enlevohub_drill.site import ROOT, Datacenter
from enlevohub_secrets.table import NEXT, ROTATED

PLAYBOOK = "playbooks/rotate-secrets.yml"
# As whom a client comes and to which database; the repository host has psql, and is a backend as well.
LOGINS = {
    "application": ("enlevohub", "enlevohub"),
    "replication": ("replicator", ""),
    "rewind": ("rewind", "postgres"),
}
MOMENTS = [
    "Make the second logins",
    "Replace one backend after the other",
    "Give the new passwords",
    "Remove the second",
]
GONE = "select count(*) from pg_roles where rolname like '%\\_next'"


def vault(datacenter: Datacenter) -> dict[str, Any]:
    """Return what the vault holds now."""
    path: Path = ROOT / "group_vars" / datacenter.inventory.name / "vault.yml"
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def accepted(datacenter: Datacenter, purpose: str, password: str) -> bool:
    """Whether the leader takes a password; it travels to the client by standard input."""
    (user, database), leader = LOGINS[purpose], datacenter.leader()
    origin = datacenter.groups["backup_servers"][0] if purpose == "application" else datacenter.standby()
    target = f"host={datacenter.address(leader)} user={user} sslmode=verify-full sslrootcert=/etc/enlevohub/pki/ca.crt "
    target += f"dbname={database}" if database else "dbname=replication replication=true"
    ask = shlex.join(["psql", "-XAtw", target, "-c", "select 1" if database else "IDENTIFY_SYSTEM"])
    state = ROOT / ".lab" / datacenter.inventory.name
    done = subprocess.run(
        ["ssh", "-i", f"{state}/id_ed25519", "-o", f"UserKnownHostsFile={state}/known_hosts",
         f"operator@{datacenter.address(origin)}",
         shlex.join(["bash", "-c", f"read -r PGPASSWORD; export PGPASSWORD; {ask}"])],
        input=f"{password}\n", capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 or "authentication failed" in done.stderr, done.stderr
    return done.returncode == 0


def assert_renewed(datacenter: Datacenter, old: dict[str, Any]) -> None:
    """The vault has other passwords, PostgreSQL takes these and no others, and nothing is left of the rotation."""
    now = vault(datacenter)
    assert {name for name in old if old[name] != now.get(name)} == set(ROTATED.values())
    assert set(now) == set(old)
    for purpose in LOGINS:
        given = [accepted(datacenter, purpose, values[ROTATED[purpose]]) for values in (old, now)]
        assert given == [False, True], purpose
    assert datacenter.sql(datacenter.leader(), GONE, "postgres") == "0"
    datacenter.wait("a whole cluster", datacenter.whole, 60)
    again = datacenter.playbook()
    assert set(again.changed.values()) == {0}, again.changed_tasks


def test_check_mode_tells_the_plan_and_changes_nothing(datacenter: Datacenter) -> None:
    old = vault(datacenter)
    told = datacenter.playbook("--check", playbook=PLAYBOOK)
    assert "application: password of enlevohub is renewed" in told.output
    assert set(told.changed.values()) == {0}
    assert vault(datacenter) == old


def test_unknown_secret_is_refused_before_any_change(datacenter: Datacenter) -> None:
    old = vault(datacenter)
    refused = datacenter.playbook("-e", "secrets=application,jwt", playbook=PLAYBOOK, code=2)
    assert "nothing was changed" in refused.output
    assert vault(datacenter) == old


def test_passwords_are_renewed_without_a_failed_request(datacenter: Datacenter, drill: Drill) -> None:
    drill.renew()
    old, begin = vault(datacenter), time.monotonic()
    run = datacenter.playbook("-vvv", "--diff", playbook=PLAYBOOK)
    noticed = drill.load.between(begin, time.monotonic())
    now = vault(datacenter)
    print(f"\nrotation: {time.monotonic() - begin:.0f} s, {noticed}")
    assert (noticed.failed, noticed.problems) == (0, {})
    assert [name for name in ROTATED.values() if old[name] in run.output or now[name] in run.output] == []
    assert_renewed(datacenter, old)


@pytest.mark.parametrize("moment", MOMENTS)
def test_rotation_that_was_killed_is_finished_by_another_run(datacenter: Datacenter, drill: Drill, moment: str) -> None:
    drill.renew()
    old, begin = vault(datacenter), time.monotonic()
    assert at_line(datacenter, moment, lambda process: process.kill(), playbook=PLAYBOOK) == -signal.SIGKILL
    left = vault(datacenter)
    assert ROTATED["application"] + NEXT in left
    datacenter.playbook(playbook=PLAYBOOK)
    noticed = drill.load.between(begin, time.monotonic())
    print(f"\nkilled at '{moment}': {noticed}")
    assert vault(datacenter)[ROTATED["application"]] == left[ROTATED["application"] + NEXT]
    assert (noticed.failed, noticed.problems) == (0, {})
    assert_renewed(datacenter, old)
