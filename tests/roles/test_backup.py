"""Backup: what pgBackRest is told on each host, and what the program of the hosts decides."""

from __future__ import annotations

import datetime
import importlib.util
import json
import subprocess
from configparser import ConfigParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT, Renderer

STANZA = "enlevohub-lab"
SECRET = "dummy vault_backup_passphrase of lab"
BUCKET = {"endpoint": "s3.example.com", "bucket": "enlevohub"}


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """The program of the hosts."""
    spec = importlib.util.spec_from_file_location("enlevohub_backup", ROOT / "roles/backup/files/enlevohub_backup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def configuration(render: Renderer, host: str, template: str = "pgbackrest.conf.j2", **values: Any) -> dict[str, Any]:
    """Return the sections of a configuration of pgBackRest; an option that stands more than once is a list."""
    parser = ConfigParser(strict=False, delimiters="=", interpolation=None)
    text = render("backup", template, host, **values)
    parser.read_string(text)
    found: dict[str, Any] = {section: dict(parser[section]) for section in parser.sections()}
    found["clients"] = [line.split("=", 1)[1] for line in text.splitlines() if line.startswith("tls-server-auth=")]
    return found


def test_repository_host_reaches_every_database_server_by_tls(render: Renderer) -> None:
    stanza = configuration(render, "app3")[STANZA]
    assert [(stanza[f"pg{number}-host"], stanza[f"pg{number}-host-type"]) for number in (1, 2)] == [
        ("10.89.0.21", "tls"),
        ("10.89.0.22", "tls"),
    ]


def test_repository_host_lets_only_the_database_servers_in(render: Renderer) -> None:
    assert configuration(render, "app3")["clients"] == [f"db1={STANZA}", f"db2={STANZA}"]


def test_database_server_lets_only_the_repository_host_in(render: Renderer) -> None:
    assert configuration(render, "db1")["clients"] == [f"app3={STANZA}"]


def test_passphrase_is_on_the_repository_host_only(render: Renderer) -> None:
    assert configuration(render, "app3")["global"]["repo1-cipher-pass"] == SECRET
    assert SECRET not in render("backup", "pgbackrest.conf.j2", "db1")
    assert SECRET not in render("backup", "drill.conf.j2", "db1")


def test_database_server_knows_itself_and_the_repository_only(render: Renderer) -> None:
    found = configuration(render, "db2")
    assert found["global"]["repo1-host"] == "10.89.0.13"
    assert found[STANZA] == {"pg1-path": "/var/lib/postgresql/17/main", "pg1-port": "5432"}


def test_database_server_of_a_bucket_knows_the_other_one(render: Renderer) -> None:
    found = configuration(render, "db2", backup_repository="s3", backup_s3=BUCKET)
    assert found["global"]["repo1-s3-endpoint"] == "s3.example.com"
    assert found["global"]["repo1-cipher-pass"] == SECRET
    assert (found[STANZA]["pg1-path"], found[STANZA]["pg2-host"]) == ("/var/lib/postgresql/17/main", "10.89.0.21")
    assert "pg1-host" not in found[STANZA]
    assert found["clients"] == [f"db1={STANZA}"]


def test_drill_has_locks_and_data_of_its_own(render: Renderer) -> None:
    found = configuration(render, "app3", "drill.conf.j2")
    assert found[STANZA] == {"pg1-path": "/var/lib/enlevohub/drill/data"}
    assert found["global"]["lock-path"].startswith("/var/lib/enlevohub/drill/")


@pytest.mark.parametrize(
    ("host", "repository", "timers"),
    [
        ("app3", "host", ["drill", "full", "incr"]),
        ("db1", "host", ["beat"]),
        ("db1", "s3", ["beat", "full", "incr"]),
    ],
)
def test_host_has_the_timers_of_its_part(render: Renderer, host: str, repository: str, timers: list[str]) -> None:
    options = {"backup_repository": repository, "backup_s3": BUCKET}
    units = render.value("backup", "__backup_timer_units", host, **options)
    files = render.files("backup", "__backup_files", host, **options)
    assert sorted(unit["name"] for unit in units) == [f"enlevohub-backup@{timer}.timer" for timer in timers]
    assert {f"/etc/systemd/system/{unit['name']}" for unit in units} <= set(files)


def test_files_with_the_passphrase_are_secret_and_for_postgres_only(render: Renderer) -> None:
    files = render.files("backup", "__backup_files", "app3")
    holders = [item for item in files.values() if SECRET in str(item.get("content"))]
    assert [item["path"] for item in holders] == ["/etc/pgbackrest/pgbackrest.conf", "/etc/pgbackrest/drill.conf"]
    assert {(item["secret"], item["mode"], item["group"]) for item in holders} == {(True, "0640", "postgres")}


def test_program_gets_settings_of_the_right_type(render: Renderer) -> None:
    files = render.files("backup", "__backup_files", "app3")
    settings = json.loads(files["/etc/enlevohub/backup.json"]["content"])
    assert (settings["runner"], settings["member"], settings["port"]) == (True, False, 5432)


def test_program_is_installed_as_it_is(render: Renderer) -> None:
    files = render.files("backup", "__backup_files", "db1")
    source = (ROOT / "roles/backup/files/enlevohub_backup.py").read_text(encoding="utf-8")
    assert files["/usr/local/sbin/enlevohub-backup"]["content"] == source


def test_patroni_archives_and_fetches_with_pgbackrest(render: Renderer) -> None:
    text = render("patroni", "config.yml.j2", "db1")
    assert f'archive_command: "pgbackrest --stanza={STANZA} archive-push %p"' in text
    fetch = f'pgbackrest --stanza={STANZA} archive-get %f \\"%p\\"'
    assert f'restore_command: "/usr/local/lib/enlevohub/fetch-wal %f {fetch}"' in text


def test_patroni_without_a_repository_keeps_archiving_ready(render: Renderer) -> None:
    text = render("patroni", "config.yml.j2", "db1", backup_repository="none")
    assert 'archive_command: "/bin/true"' in text
    assert "restore_command" not in text


# --- the program


def backup(label: str, stop: int, error: bool = False) -> dict[str, Any]:
    """Return a backup as pgBackRest lists it; its end in seconds after an hour zero."""
    return {"label": label, "timestamp": {"start": stop - 10, "stop": stop}, "error": error, "info": {"size": 1}}


BACKUPS = [backup("first", 100), backup("second", 200), backup("torn", 300, error=True)]


@pytest.mark.parametrize(("seconds", "label"), [(150, "first"), (200, "first"), (201, "second"), (400, "second")])
def test_backup_before_the_target_is_chosen(program: ModuleType, seconds: int, label: str) -> None:
    target = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    assert program.choose_backup(BACKUPS, target)["label"] == label


def test_newest_good_backup_is_chosen_without_a_target(program: ModuleType) -> None:
    assert program.choose_backup(BACKUPS, None)["label"] == "second"


def test_target_before_the_first_backup_is_refused_with_the_earliest_one(program: ModuleType) -> None:
    with pytest.raises(program.BackupError, match="the earliest target is 1970-01-01"):
        program.choose_backup(BACKUPS, datetime.datetime.fromtimestamp(50, datetime.timezone.utc))


def test_empty_repository_is_refused(program: ModuleType) -> None:
    with pytest.raises(program.BackupError, match="holds no backup"):
        program.choose_backup([], None)


@pytest.mark.parametrize("text", ["2026-11-26 14:30:00+00:00", "2026-11-26T14:30:00Z", "2026-11-26 15:30:00+01:00"])
def test_target_with_an_offset_is_that_moment(program: ModuleType, text: str) -> None:
    wanted = datetime.datetime(2026, 11, 26, 14, 30, tzinfo=datetime.timezone.utc)
    assert program.parse_target(text) == wanted


@pytest.mark.parametrize("text", ["yesterday", "14:30", "26.11.2026 14:30"])
def test_target_that_is_no_moment_is_refused(program: ModuleType, text: str) -> None:
    with pytest.raises(program.BackupError, match="is no moment"):
        program.parse_target(text)


def test_settings_of_a_recovery_are_taken_out_and_others_stay(program: ModuleType) -> None:
    text = "work_mem = '8MB'\nrestore_command = 'x'\nrecovery_target_time = 'y'\n# recovery_target = 'z'\n"
    assert program.without_recovery(text) == "work_mem = '8MB'\n# recovery_target = 'z'\n"


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("ERROR: [031]: CryptoError: unable to flush", "vault_backup_passphrase"),
        ("ERROR: [029]: unable to load info file '/x/archive.info'", "vault_backup_passphrase"),
        ("ERROR: [049]: timeout connecting to '10.0.0.1:8432'", "does not answer"),
        ("ERROR: [028]: backup and archive info files exist but do not match the database", "playbooks/restore.yml"),
        ("ERROR: [039]: HTTP request failed with 403 (Forbidden):", "backup_s3_secret"),
        ("ERROR: [095]: unable to verify certificate presented by '10.0.0.1:443'", "base_ca_certificates"),
        ("FATAL:  recovery ended before configured recovery target was reached", "earlier"),
    ],
)
def test_known_error_is_told_with_its_cause(program: ModuleType, said: str, cause: str) -> None:
    told = program.explained(said)
    assert said in told
    assert cause in told.split("Likely cause: ")[1]


def test_metrics_have_exact_moments_and_one_type_for_each_name(program: ModuleType) -> None:
    text = program.metrics_text({'a{b="c"}': 1795694217.4, 'a{b="d"}': 1, "e": 0})
    assert text == '# TYPE a gauge\na{b="c"} 1795694217.4\na{b="d"} 1\n# TYPE e gauge\ne 0\n'


SETTINGS = {
    "repository_host": "",
    "stanza": STANZA,
    "data_directory": "/nowhere/main",
    "state_directory": "/nowhere",
    "repository": "host",
}


@pytest.mark.parametrize(
    ("repository", "runner", "leader", "turn"),
    [
        ("host", True, False, True),
        ("host", False, True, False),
        ("s3", True, True, True),
        ("s3", True, False, False),
    ],
)
def test_one_host_makes_the_backups(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, repository: str, runner: bool, leader: bool, turn: bool
) -> None:
    host = program.Host({**SETTINGS, "repository": repository, "runner": runner, "member": True})
    monkeypatch.setattr(host, "is_leader", lambda: leader)
    assert host.is_turn() == turn


def test_program_that_hangs_is_told_with_what_it_said(program: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    said = b"WARN: unable to check pg-2: [HostConnectError] timeout connecting to '10.0.0.2:8432'"

    def hang(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired(["pgbackrest"], 5, said)

    monkeypatch.setattr(program.subprocess, "run", hang)
    with pytest.raises(program.BackupError, match="stanza-create' does not end within 5 s") as raised:
        program.Host({**SETTINGS}).run(["pgbackrest", "stanza-create"], 5)
    assert "does not answer: systemctl status pgbackrest there" in str(raised.value)


HELD = """WARN: unable to check pg-1: [LockAcquireError] raised from remote-0 tls protocol: unable to acquire lock
      HINT: is another pgBackRest process running?
ERROR: [056]: unable to find primary cluster - cannot proceed
"""
STANZA_CODES = {"missing": 1, "without a backup": 2, "good": 0}


@pytest.mark.parametrize("stanza", ["without a backup", "good"])
def test_stanza_is_left_alone_while_another_has_its_lock(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, stanza: str
) -> None:
    host = program.Host({**SETTINGS, "runner": True, "member": False})

    def answer(command: str, *_: Any, **__: Any) -> str:
        if command == "info":
            return json.dumps([{"status": {"code": STANZA_CODES[stanza]}}])
        raise program.BackupError(program.explained(HELD))

    monkeypatch.setattr(host, "pgbackrest", answer)
    (action,) = host.keep()["actions"]
    assert action.endswith("so there is a stanza")


def test_stanza_is_made_when_the_archiver_of_before_has_let_the_lock_go(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = program.Host({**SETTINGS, "runner": True, "member": False})
    tries = iter([HELD, HELD, ""])

    def answer(command: str, *_: Any, **__: Any) -> str:
        if command == "info":
            return json.dumps([{"status": {"code": STANZA_CODES["missing"]}}])
        if said := next(tries):
            raise program.BackupError(program.explained(said))
        return "stanza-create command end: completed successfully"

    monkeypatch.setattr(host, "pgbackrest", answer)
    monkeypatch.setattr(program.time, "sleep", lambda _: None)
    assert host.make_stanza()
    assert list(tries) == []


def test_failed_activation_leaves_the_old_data_in_place(
    program: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data, prepared = tmp_path / "main", tmp_path / "enlevohub-restore" / "data"
    data.mkdir()
    prepared.mkdir(parents=True)
    (data / "which").write_text("old")
    host = program.Host({**SETTINGS, "data_directory": str(data), "restore_timeout": 1})

    def refuse(*_: Any) -> None:
        raise program.BackupError("it does not start")

    monkeypatch.setattr(host, "private_server", refuse)
    with pytest.raises(program.BackupError, match="it does not start"):
        host.activate(None, "latest")
    assert [path.name for path in tmp_path.iterdir() if path != host.prepared] == ["main"]
    assert (data / "which").read_text() == "old"


def test_running_database_is_never_put_aside(program: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "main").mkdir()
    (tmp_path / "main" / "postmaster.pid").touch()
    host = program.Host({**SETTINGS, "data_directory": str(tmp_path / "main")})
    with pytest.raises(program.BackupError, match="stop Patroni first"):
        host.aside()
