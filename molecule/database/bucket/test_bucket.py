"""Backups in a bucket of somebody else instead of on a repository host, and back. The tests run in this order."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from enlevohub_drill.backups import backups_of, confirm, is_archived, rows, status, write
from enlevohub_drill.foreign import ForeignBucket, address_for
from enlevohub_drill.site import ROOT, Datacenter, PlaybookRun, extra_vars

Play = Callable[..., PlaybookRun]


@pytest.fixture(scope="module")
def bucket(datacenter: Datacenter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignBucket]:
    """The bucket; its TLS has an authority of its own."""
    address, directory = address_for(datacenter), tmp_path_factory.mktemp("s3")
    name = f"backup-{datacenter.inventory.name.replace('_', '-')}"
    with ForeignBucket(address, directory, name, tls=True) as found:
        yield found


@pytest.fixture(scope="module")
def play(datacenter: Datacenter, bucket: ForeignBucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """Runs a playbook with what an operator writes into the inventory; afterwards the repository host is used again."""
    values = extra_vars(
        tmp_path_factory.mktemp("values") / "backup.yml",
        backup_repository="s3",
        backup_s3={"endpoint": bucket.endpoint.removeprefix("https://"), "bucket": bucket.name, "uri_style": "path"},
        backup_s3_access_key=bucket.keys[0],
        backup_s3_secret=bucket.keys[1],
        base_ca_certificates={"foreign": bucket.authority},
    )

    def run(playbook: str, *arguments: str, code: int | None = 0) -> PlaybookRun:
        """Only the database servers: with a bucket there is no repository host."""
        given = ("--limit", "database_servers", *values, *arguments)
        return datacenter.playbook(*given, playbook=f"playbooks/{playbook}.yml", code=code)

    yield run
    for playbook, *more in (["base"], ["firewall"], ["database"], ["backup", "-e", "backup_type=full"]):
        datacenter.playbook(*more, playbook=f"playbooks/{playbook}.yml")


def problems(datacenter: Datacenter) -> list[str]:
    """Return what the database servers find wrong with backup and archive."""
    return [text for server in datacenter.groups["database_servers"] for text in status(datacenter, server)["problems"]]


def test_wrong_key_is_told_by_the_name_of_its_variable(datacenter: Datacenter, play: Play, tmp_path: Path) -> None:
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    for playbook in ("base", "firewall"):
        play(playbook)
    wrong = extra_vars(tmp_path / "wrong.yml", backup_s3_secret=secrets.token_hex(20))
    run = play("database", *wrong, code=None)
    assert run.code != 0
    assert "backup_s3" in run.output


def test_backups_move_into_the_bucket(datacenter: Datacenter, play: Play) -> None:
    play("database")
    leader = datacenter.leader()
    datacenter.wait("a first backup", lambda: bool(backups_of(datacenter, leader)), 300)
    assert is_archived(datacenter)
    assert problems(datacenter) == []


def test_second_run_changes_nothing(play: Play) -> None:
    assert set(play("database").changed.values()) == {0}


def test_objects_are_encrypted(bucket: ForeignBucket) -> None:
    status_code, listed = bucket.ask("GET", query="list-type=2&prefix=enlevohub%2Farchive")
    assert status_code == 200
    keys = [key for key in re.findall(r"<Key>([^<]+)</Key>", listed.decode()) if key.endswith(".zst")]
    assert keys, listed.decode()[:2000]
    assert {bucket.ask("GET", key)[1][:8] for key in keys} == {b"Salted__"}


def test_backups_and_archive_follow_a_switchover(datacenter: Datacenter, play: Play) -> None:
    count = len(backups_of(datacenter, datacenter.leader()))
    before = datacenter.switchover()
    assert is_archived(datacenter)
    play("backup")
    assert len(backups_of(datacenter, before)) == count + 1
    assert problems(datacenter) == []


def test_drill_proves_the_newest_backup_on_the_standby(datacenter: Datacenter, play: Play) -> None:
    play("drill-restore")
    report = json.loads((ROOT / f"build/drill-restore-{datacenter.inventory.name}.json").read_text(encoding="utf-8"))
    print(f"\n{report}")
    assert report["ok"]
    assert report["backup"] == backups_of(datacenter, datacenter.leader())[-1]["label"]
    assert datacenter.run(datacenter.standby(), "ls /var/lib/enlevohub/drill").split() == ["lock"]


def test_restore_to_a_moment_between_two_rows(datacenter: Datacenter, play: Play) -> None:
    first, between = write(datacenter)
    second, _ = write(datacenter)
    assert is_archived(datacenter)
    play("restore", "-e", f"restore_target='{between}'", "-e", confirm(datacenter))
    datacenter.wait("a whole cluster", datacenter.whole, 240)
    for server in datacenter.groups["database_servers"]:
        assert first in rows(datacenter, server)
        assert second not in rows(datacenter, server)
    assert is_archived(datacenter)
    assert problems(datacenter) == []
