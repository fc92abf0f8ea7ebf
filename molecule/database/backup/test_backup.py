"""Backups: they follow a failover, are proven, and bring the database back to a moment. The figures are printed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from enlevohub_drill.backups import backups_of, confirm, is_archived, rows, status, write
from enlevohub_drill.site import ROOT

WRONG = "PGBACKREST_REPO1_CIPHER_PASS=not-the-passphrase-of-the-repository"


def repository(datacenter: Any) -> str:
    """Return the name of the repository host."""
    (name,) = datacenter.groups["backup_servers"]
    return str(name)


def backups(datacenter: Any) -> list[Any]:
    """Return the backups of the repository."""
    return backups_of(datacenter, repository(datacenter))


def test_nothing_is_wrong_after_the_first_converge(datacenter: Any) -> None:
    datacenter.wait("a first backup", lambda: bool(backups(datacenter)), 300)
    for server in (repository(datacenter), datacenter.leader(), datacenter.standby()):
        assert status(datacenter, server)["problems"] == []


def test_repository_is_encrypted(datacenter: Any) -> None:
    text = datacenter.run(repository(datacenter), "cd / && sudo -u postgres pgbackrest info")
    assert "cipher: aes-256-cbc" in text
    wal = datacenter.run(repository(datacenter), "find /var/lib/pgbackrest/archive -name '*.zst' | head -1").strip()
    assert datacenter.run(repository(datacenter), f"head -c 8 {wal}") == "Salted__"


def test_passphrase_is_not_on_a_database_server(datacenter: Any, database_server: str) -> None:
    needle = datacenter.secrets["vault_backup_passphrase"]
    assert needle not in datacenter.run(database_server, "cat /etc/pgbackrest/*.conf /etc/enlevohub/backup.json")


def test_repository_refuses_a_client_without_certificate(datacenter: Any, database_server: str) -> None:
    stanza = f"enlevohub-{datacenter.inventory.name}"
    command = (
        f"cd / && sudo -u postgres pgbackrest --config=/dev/null --stanza={stanza} info --io-timeout=5 "
        f"--repo1-host={datacenter.address(repository(datacenter))} --repo1-host-type=tls "
        "--repo1-host-ca-file=/etc/enlevohub/pki/ca.crt"
    )
    result = datacenter.host(database_server).run(command)
    assert "status: ok" not in result.stdout
    own = "--repo1-host-cert-file=/etc/enlevohub/pki/host.crt --repo1-host-key-file=/etc/enlevohub/pki/host.key"
    assert "status: ok" in datacenter.run(database_server, f"{command} {own}")


@pytest.mark.parametrize("verb", ["keep", "drill", "incr"])
def test_wrong_passphrase_is_told_as_such(datacenter: Any, verb: str) -> None:
    server = datacenter.host(repository(datacenter))
    result = server.run(f"env {WRONG} enlevohub-backup {verb}")
    assert result.rc == 1
    assert "vault_backup_passphrase" in result.stdout + result.stderr


def test_repository_that_is_away_is_told_and_wal_waits_for_it(datacenter: Any) -> None:
    server, leader = repository(datacenter), datacenter.leader()
    datacenter.run(server, "systemctl stop pgbackrest")
    try:
        write(datacenter)
        datacenter.sql(leader, "select pg_switch_wal()", "postgres")
        datacenter.wait("waiting WAL", lambda: status(datacenter, leader)["wal_waiting_mib"] > 0, 60)
        assert "does not answer" in json.loads(datacenter.run(leader, "enlevohub-backup plan"))["problems"][0]
    finally:
        datacenter.run(server, "systemctl start pgbackrest")
    seconds = datacenter.wait("all WAL archived", lambda: status(datacenter, leader)["wal_waiting_mib"] == 0, 240, 2)
    print(f"\nthe waiting WAL was archived {seconds:.1f} s after the return of the repository")


def test_backup_and_archive_go_on_after_a_switchover_without_a_hand(datacenter: Any) -> None:
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    count = len(backups(datacenter))
    before = datacenter.switchover()
    assert is_archived(datacenter)
    run = datacenter.playbook(playbook="playbooks/backup.yml")
    made = backups(datacenter)
    assert len(made) == count + 1
    print(f"\n{made[-1]['label']} ({made[-1]['type']}) after the switchover from {before}")
    assert run.changed[repository(datacenter)] == 1


def test_drill_proves_the_newest_backup(datacenter: Any) -> None:
    datacenter.playbook(playbook="playbooks/drill-restore.yml")
    path = ROOT / f"build/drill-restore-{datacenter.inventory.name}.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    print(f"\n{report}")
    assert report["ok"]
    assert report["backup"] == backups(datacenter)[-1]["label"]
    assert report["data_age_seconds"] < 600
    metrics = datacenter.run(repository(datacenter), "cat /var/lib/enlevohub/metrics/enlevohub_backup.prom")
    assert "enlevohub_restore_drill_success 1" in metrics.splitlines()
    assert datacenter.run(repository(datacenter), "ls /var/lib/enlevohub/drill").split() == ["lock"]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("2099-01-01 00:00:00+00:00", "is in the future"),
        ("2001-01-01 00:00:00+00:00", "the earliest target is"),
        ("yesterday", "is no moment"),
    ],
)
def test_impossible_target_is_refused_before_anything_happens(datacenter: Any, target: str, reason: str) -> None:
    arguments = ("-e", f"restore_target='{target}'", "-e", confirm(datacenter))
    run = datacenter.playbook(*arguments, playbook="playbooks/restore.yml", code=2)
    assert reason in " ".join(run.output.split())
    assert set(run.changed.values()) == {0}


def test_restore_without_confirmation_shows_the_plan_and_refuses(datacenter: Any) -> None:
    run = datacenter.playbook(playbook="playbooks/restore.yml", code=2)
    assert "from backup: " in run.output
    assert "not confirmed" in run.output
    assert set(run.changed.values()) == {0}


def test_restore_to_a_moment_between_two_rows(datacenter: Any) -> None:
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    first, between = write(datacenter)
    second, _ = write(datacenter)
    assert is_archived(datacenter)
    arguments = ("-e", f"restore_target='{between}'", "-e", confirm(datacenter))
    run = datacenter.playbook(*arguments, playbook="playbooks/restore.yml")
    outage = run.seconds_between("TASK [restore : Stop the server", "TASK [restore : Put the data of the standbys")
    print(f"\nrestored to {between}; no leader for {outage:.1f} s")
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    for server in (datacenter.leader(), datacenter.standby()):
        assert first in rows(datacenter, server)
        assert second not in rows(datacenter, server)
        assert "main.before-" in datacenter.run(server, "ls /var/lib/postgresql/17")


def test_replication_archive_and_backups_go_on_after_the_restore(datacenter: Any) -> None:
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    name, _ = write(datacenter)
    datacenter.wait("the row on the standby", lambda: name in rows(datacenter, datacenter.standby()), 60)
    assert is_archived(datacenter)
    datacenter.playbook(playbook="playbooks/backup.yml")
    assert status(datacenter, repository(datacenter))["problems"] == []


def test_second_run_of_the_database_changes_nothing(datacenter: Any) -> None:
    assert set(datacenter.playbook(playbook="playbooks/database.yml").changed.values()) == {0}
