#!/usr/bin/python3
"""Backups of PostgreSQL with pgBackRest, and what an operator does with them.

enlevohub-backup status                    how backup and archive are, as JSON, with the problems
enlevohub-backup full|incr                 a backup now; on a host whose turn it is not, nothing
enlevohub-backup keep                      make the stanza, check the archive when something changed, first backup
enlevohub-backup beat                      write the time into the sentinel row; on a standby, nothing
enlevohub-backup drill                     restore the newest backup to a scratch place and prove it, as JSON
enlevohub-backup plan [--target T]         what a restore on this host would do, as JSON
enlevohub-backup prepare [--target T]      restore beside the running database, up to the target
enlevohub-backup activate [--target T]     put the prepared data in the place of the stopped database, and end recovery
enlevohub-backup aside                     put the data of the stopped database aside

Its settings are in /etc/enlevohub/backup.json; roles/backup writes them.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import fcntl
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SETTINGS = Path("/etc/enlevohub/backup.json")
SENTINEL = "enlevohub_sentinel"
LOCKED = "unable to acquire lock"
STANZA_SECONDS = 300.0
"""pgBackRest gives a member that does not answer a minute, each time it needs it."""
LOCK_SECONDS = 180.0
"""Longer than one try to archive WAL takes, also by the settings of before to a repository that does not answer."""
RECOVERY = re.compile(r"^\s*(restore_command|recovery_\w+|primary_\w+|archive_cleanup_command)\s*=", re.IGNORECASE)
# What recovery wants to be no smaller than on the server that wrote the WAL; pg_controldata tells.
SIZES = {
    "max_connections setting": "max_connections",
    "max_worker_processes setting": "max_worker_processes",
    "max_wal_senders setting": "max_wal_senders",
    "max_prepared_xacts setting": "max_prepared_transactions",
    "max_locks_per_xact setting": "max_locks_per_transaction",
}
CAUSES = (
    (
        r"CryptoError|cipher header invalid|unable to flush|is or was the repo encrypted",
        "the passphrase (vault_backup_passphrase) is not the one that the repository was made with",
    ),
    (
        r"unable to load info file",
        "the repository was made with another passphrase than vault_backup_passphrase, or its files are gone",
    ),
    (
        r"HostConnectError|timeout connecting|Connection refused|No route to host",
        "the repository host or a database server does not answer: systemctl status pgbackrest there",
    ),
    (
        r"do not match the database|does not match the (PostgreSQL|stanza)|ArchiveMismatchError|BackupMismatchError",
        "the repository belongs to another database with this name. After the loss of all database servers that is "
        "right: playbooks/restore.yml brings the data back. Else set backup_stanza to a new name",
    ),
    (LOCKED, "a backup is being made, or WAL is on its way to the repository: wait for its end"),
    (r"No space left", "the file system of the repository is full: enlarge it, or lower repo1-retention-full"),
    (
        r"unable to find primary|unable to find .*standby",
        "no member of the cluster is the leader now: patronictl list",
    ),
    (r"recovery ended before configured recovery target", "the archive ends before the target: choose an earlier one"),
    (
        r"failed with 403|AccessDenied|InvalidAccessKey|SignatureDoesNotMatch|NoSuchBucket",
        "the bucket refuses: see backup_s3, backup_s3_access_key and backup_s3_secret",
    ),
    (
        r"unable to verify certificate|unable to find hostname .* in certificate",
        "the certificate is none for this name of an authority that this host knows: see base_ca_certificates",
    ),
)


class BackupError(Exception):
    """What went wrong, for people: one line of what and one of why."""


def explained(said: str) -> str:
    """Return what a program said, shortened, with the likely cause when it is known."""
    lines = [line for line in said.strip().splitlines() if line.strip()]
    wrong = [line for line in lines if re.search(f"ERROR|HINT|FATAL|{LOCKED}", line)] or lines[-6:]
    cause = next((cause for pattern, cause in CAUSES if re.search(pattern, said, re.IGNORECASE)), "")
    return "\n".join(wrong[-8:]) + (f"\nLikely cause: {cause}" if cause else "")


def parse_target(text: str) -> datetime.datetime:
    """Return the moment of a target; one without an offset is in the time zone of this host.

    Raises BackupError when it is no moment.
    """
    try:
        moment = datetime.datetime.fromisoformat(re.sub(r"\s*Z$", "+00:00", text.strip()))
    except ValueError as error:
        raise BackupError(f"target '{text}' is no moment: write 2026-11-26 14:30:00+00:00 ({error})") from error
    return moment if moment.tzinfo else moment.astimezone()


def choose_backup(backups: list[dict[str, Any]], target: datetime.datetime | None) -> dict[str, Any]:
    """Return the newest backup that ended before the target, as pgBackRest chooses it.

    Raises BackupError when there is none.
    """
    good = [backup for backup in backups if not backup.get("error")]
    if not backups:
        raise BackupError("the repository holds no backup: nothing can be restored")
    fit = [item for item in good if target is None or item["timestamp"]["stop"] < target.timestamp()]
    if not fit:
        first = datetime.datetime.fromtimestamp(backups[0]["timestamp"]["stop"]).astimezone()
        raise BackupError(f"no backup ended before {target}: the earliest target is {first.isoformat(sep=' ')}")
    return max(fit, key=lambda item: int(item["timestamp"]["stop"]))


def without_recovery(text: str) -> str:
    """Return postgresql.auto.conf without the settings of a recovery."""
    return "".join(line for line in text.splitlines(keepends=True) if not RECOVERY.match(line))


def quote(value: str) -> str:
    """Return a value for postgresql.conf."""
    return "'" + value.replace("'", "''") + "'"


def metrics_text(values: dict[str, float]) -> str:
    """Return gauges in the text format of Prometheus."""
    lines: list[str] = []
    for name, value in sorted(values.items()):
        kind = f"# TYPE {name.split('{')[0]} gauge\n"
        lines += [*([] if kind in lines else [kind]), f"{name} {value:.15g}\n"]
    return "".join(lines)


class Host:
    """This host: its settings, pgBackRest and PostgreSQL."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Keep the settings."""
        self.settings = settings
        self.stanza: str = settings["stanza"]
        self.data = Path(settings["data_directory"])
        self.state = Path(settings["state_directory"])

    # --- programs

    def run(self, command: list[str], timeout: float = 60, environment: dict[str, str] | None = None) -> str:
        """Run a program as postgres; returns what it printed. Raises BackupError when it fails."""
        as_postgres = ["runuser", "-u", "postgres", "--", *command]
        try:
            done = subprocess.run(
                as_postgres,
                capture_output=True,
                text=True,
                errors="replace",  # what a wrong passphrase decrypts to is no text
                timeout=timeout,
                check=False,
                cwd="/",
                env={**os.environ, **(environment or {})},
            )
        except subprocess.TimeoutExpired as error:
            said = b"".join(part for part in (error.stdout, error.stderr) if part).decode(errors="replace")
            raise BackupError(
                f"'{' '.join(command[:6])}' does not end within {timeout:g} s\n{explained(said)}"
            ) from error
        if done.returncode != 0:
            raise BackupError(
                f"'{' '.join(command[:6])}' failed with {done.returncode}:\n{explained(done.stdout + done.stderr)}"
            )
        return done.stdout

    def pgbackrest(self, *arguments: str, timeout: float = 120) -> str:
        """Run pgBackRest for the stanza; a repository host that does not answer is told at once."""
        if self.settings["repository_host"]:
            address, port = self.settings["repository_host"], self.settings["repository_port"]
            try:
                socket.create_connection((address, port), timeout=5).close()
            except OSError as error:
                raise BackupError(explained(f"ERROR: HostConnectError: {address}:{port}: {error}")) from error
        return self.run(["pgbackrest", f"--stanza={self.stanza}", *arguments], timeout)

    def program(self, name: str) -> str:
        """Return the path of a program of PostgreSQL."""
        return os.path.join(self.settings["program_directory"], name)

    def sql(self, statement: str, database: str = "postgres", at: str = "", timeout: float = 30) -> str:
        """Run SQL as superuser over the socket; returns unaligned text."""
        where = ["-h", at or "/var/run/postgresql", "-p", str(self.settings["port"]), "-d", database]
        command = [self.program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", *where, "-c", statement]
        return self.run(command, timeout, {"PGCONNECT_TIMEOUT": "5"}).strip()

    # --- who am I

    def is_leader(self) -> bool:
        """Whether the PostgreSQL of this host takes writes."""
        if not self.settings["member"]:
            return False
        try:
            return self.sql("select pg_is_in_recovery()") == "f"
        except BackupError:
            return False

    def is_turn(self) -> bool:
        """Whether backups are made by this host now: the repository host, or the leader where there is none."""
        return bool(self.settings["runner"]) and (self.settings["repository"] == "host" or self.is_leader())

    # --- the repository

    def info(self) -> dict[str, Any]:
        """Return what pgBackRest tells about the stanza."""
        found = json.loads(self.pgbackrest("info", "--output=json", "--log-level-console=off"), strict=False)
        return dict(found[0]) if found else {"backup": [], "status": {"code": 1, "message": "missing stanza path"}}

    def backups(self) -> list[dict[str, Any]]:
        """Return the backups, oldest first. Raises BackupError when the repository cannot be read."""
        info = self.info()
        found: list[dict[str, Any]] = info.get("backup", [])
        # 1: no stanza yet; 2: no backup yet
        if not found and info["status"]["code"] not in (0, 1, 2):
            raise BackupError(f"the repository cannot be read: {self.reason() or info['status']}")
        return found

    def reason(self) -> str:
        """Return why the repository cannot be read: `info` is silent about it, a listing is not."""
        try:
            self.pgbackrest("repo-get", f"backup/{self.stanza}/backup.info", "--log-level-console=error")
        except BackupError as error:
            return str(error)
        return ""

    def keep(self) -> dict[str, Any]:
        """Make the stanza when it is missing, check the archive when it has not worked since the last change."""
        actions: list[str] = []
        if self.is_turn():
            actions += self.keep_stanza()
        if self.is_leader() and not self.archives_since(self.last_change()):
            self.pgbackrest("check", "--log-level-console=warn", timeout=180)
            actions.append("archive checked")
        return {"changed": "stanza made" in actions or "first backup begun" in actions, "actions": actions}

    def keep_stanza(self) -> list[str]:
        """Make the stanza when it is missing, begin a first backup when there is none; returns what was done."""
        actions: list[str] = []
        made = self.make_stanza()
        if made is None:
            return ["a backup is being made, or WAL is on its way, so there is a stanza"]
        if made:
            actions.append("stanza made")
        unit = "enlevohub-backup@full.service"
        asked = subprocess.run(["systemctl", "is-active", unit], capture_output=True, text=True, check=False)
        if not self.backups() and asked.stdout.strip() not in ("active", "activating"):
            subprocess.run(["systemctl", "start", "--no-block", unit], check=True)
            actions.append("first backup begun")
        return actions

    def make_stanza(self) -> bool | None:
        """Make the stanza; returns whether it was missing, None when there is one and another has its lock.

        Without a stanza nobody but an archiver with the settings of before can have the lock: that is waited for.
        Raises BackupError.
        """
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                return "already exists" not in self.pgbackrest(
                    "stanza-create", "--log-level-console=info", timeout=STANZA_SECONDS
                )
            except BackupError as error:
                if LOCKED not in str(error):
                    raise
                if self.info()["status"]["code"] in (0, 2):  # good, or without a backup
                    return None
                if time.monotonic() > end:
                    raise
            time.sleep(2)

    def last_change(self) -> float:
        """Return when the configuration of pgBackRest or the certificate changed last."""
        return max(os.stat(path).st_ctime for path in self.settings["watched"] if os.path.exists(path))

    def archives_since(self, moment: float) -> bool:
        """Whether WAL reached the repository after a moment, and the last try was no failure."""
        question = (
            "select coalesce(extract(epoch from last_archived_time), 0) || ' ' || "
            "coalesce(extract(epoch from last_failed_time), 0) from pg_stat_archiver"
        )
        archived, failed = (float(word) for word in self.sql(question).split())
        return archived > max(moment, failed)

    def backup(self, kind: str) -> dict[str, Any]:
        """Make a backup when it is this host's turn."""
        if not self.is_turn():
            return {"done": False, "why": "it is not this host's turn: the leader makes the backups"}
        began = time.monotonic()
        self.pgbackrest(f"--type={kind}", "backup", "--log-level-console=warn", timeout=self.settings["backup_timeout"])
        newest = self.backups()[-1]
        self.write_metrics()
        return {
            "done": True,
            "label": newest["label"],
            "type": newest["type"],
            "seconds": round(time.monotonic() - began, 1),
            "database_bytes": newest["info"]["size"],
            "repository_bytes": newest["info"]["repository"].get("delta", 0),
        }

    def beat(self) -> dict[str, Any]:
        """Write the present time into the sentinel row; a restore tells by it how old its data are."""
        if not self.is_leader():
            return {"done": False, "why": "this host is not the leader"}
        self.sql(
            f"set client_min_messages = warning; "
            f"create table if not exists {SENTINEL} (id int primary key, beat timestamptz not null); "
            f"insert into {SENTINEL} values (1, clock_timestamp()) on conflict (id) do update set beat = excluded.beat"
        )
        return {"done": True}

    # --- how it is

    def status(self) -> dict[str, Any]:
        """Return how backup and archive are, with the problems that somebody must look at."""
        found: dict[str, Any] = {"stanza": self.stanza, "problems": []}
        problems: list[str] = found["problems"]
        leader = self.is_leader()
        if self.settings["member"]:
            found["role"] = "leader" if leader else "standby"
        if leader:
            self._archive_status(found, problems)
        if self.settings["runner"] and (self.settings["repository"] == "host" or leader):
            try:
                self._repository_status(found, problems)
            except BackupError as error:
                problems.append(str(error))
        found["problems"] = [" ".join(problem.split()) for problem in problems]
        return found

    def _archive_status(self, found: dict[str, Any], problems: list[str]) -> None:
        waiting = [item for item in os.listdir(self.data / "pg_wal" / "archive_status") if item.endswith(".ready")]
        question = (
            "select json_build_object('archived', extract(epoch from last_archived_time), "
            "'failed', extract(epoch from last_failed_time)) from pg_stat_archiver"
        )
        times = json.loads(self.sql(question))
        age = time.time() - times["archived"] if times["archived"] else None
        found["wal_waiting_mib"] = 16 * len(waiting)
        found["wal_archived_seconds_ago"] = None if age is None else round(age)
        if age is None or (waiting and age > self.settings["wal_age_limit"]):
            problems.append(
                f"WAL is not archived (last time: {'never' if age is None else f'{age:.0f} s ago'}); "
                f"{16 * len(waiting)} MiB wait on the leader, at {self.settings['queue_limit']} the oldest is dropped"
            )
        dropped = self.dropped_wal()
        if dropped:
            problems.append(f"WAL was dropped at {dropped}: no point in time can be restored until the next backup")

    def dropped_wal(self) -> str:
        """Return when WAL was dropped because the repository was away too long; empty when a backup came after it."""
        log = Path("/var/log/pgbackrest") / f"{self.stanza}-archive-push-async.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        drops = [line[:19] for line in lines if "dropped WAL" in line]
        if not drops:
            return ""
        try:
            newest = self.backups()[-1:]
        except BackupError:
            return drops[-1]
        last = datetime.datetime.fromisoformat(drops[-1]).timestamp()
        return drops[-1] if not newest or newest[0]["timestamp"]["start"] < last else ""

    def _repository_status(self, found: dict[str, Any], problems: list[str]) -> None:
        backups = self.backups()
        if not backups:
            problems.append("there is no backup yet")
            return
        newest = backups[-1]
        age = time.time() - newest["timestamp"]["stop"]
        found.update(
            backup=newest["label"], type=newest["type"], backups=len(backups), backup_age_hours=round(age / 3600, 1)
        )
        if newest.get("error"):
            problems.append(f"backup {newest['label']} found pages with wrong checksums")
        if age > self.settings["backup_age_limit"] * 3600:
            problems.append(f"the newest backup is {age / 3600:.0f} hours old: journalctl -u 'enlevohub-backup@*'")
        drill = self.read_drill()
        if drill:
            found["drill_age_days"] = round((time.time() - drill["finished"]) / 86400, 1)
            if not drill["ok"]:
                problems.append(f"the last restore drill failed: {drill['problem']}")

    def read_drill(self) -> dict[str, Any]:
        """Return the report of the last drill; empty when there was none."""
        path = self.state / "drill.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def write_metrics(self) -> None:
        """Write what a monitoring system reads."""
        values: dict[str, float] = {}
        for backup in self.backups():
            values[f'enlevohub_backup_last_success_timestamp_seconds{{type="{backup["type"]}"}}'] = backup["timestamp"][
                "stop"
            ]
            values["enlevohub_backup_database_bytes"] = backup["info"]["size"]
        drill = self.read_drill()
        if drill:
            values["enlevohub_restore_drill_success"] = float(drill["ok"])
            values["enlevohub_restore_drill_last_success_timestamp_seconds"] = drill["last_success"]
        if drill.get("ok"):
            values["enlevohub_restore_drill_data_age_seconds"] = drill["data_age_seconds"]
            values["enlevohub_restore_drill_seconds"] = drill["seconds"]
        path = Path(self.settings["metrics_directory"]) / "enlevohub_backup.prom"
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(metrics_text(values))
        partial.replace(path)

    # --- a private server

    def sizes(self, data: Path) -> dict[str, str]:
        """Return the settings that recovery needs, as the server had them that wrote the WAL."""
        text = self.run([self.program("pg_controldata"), str(data)], environment={"LC_ALL": "C"})
        pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
        return {SIZES[name]: value.strip() for name, value in pairs if name in SIZES}

    @contextlib.contextmanager
    def private_server(self, data: Path, place: Path, options: dict[str, str], timeout: float) -> Iterator[str]:
        """Run PostgreSQL on a data directory where nobody else can reach it.

        Args:
            data: the data directory.
            place: directory for the socket, the configuration and the log.
            options: further settings.
            timeout: seconds until it must accept connections.

        Yields:
            The directory of the socket.
        """
        self.make_directory(place)
        auto = data / "postgresql.auto.conf"
        if auto.exists():
            auto.write_text(without_recovery(auto.read_text()))
        settings = {
            "data_directory": str(data),
            "hba_file": str(place / "pg_hba.conf"),
            "ident_file": str(place / "pg_ident.conf"),
            "listen_addresses": "",
            "unix_socket_directories": str(place),
            "port": str(self.settings["port"]),
            "shared_buffers": "64MB",
            "huge_pages": "off",
            "hot_standby": "on",
            "autovacuum": "off",
            "shared_preload_libraries": "",
            "ssl": "off",
            **self.sizes(data),
            **options,
        }
        text = "".join(f"{name} = {quote(value)}\n" for name, value in settings.items())
        for name, content in (
            ("pg_hba.conf", "local all postgres peer\n"),
            ("pg_ident.conf", ""),
            ("private.conf", text),
        ):
            (place / name).write_text(content)
            shutil.chown(place / name, "postgres", "postgres")
        log = place / "log"
        log.unlink(missing_ok=True)
        control = [self.program("pg_ctl"), "-D", str(data), "-t", str(int(timeout))]
        try:
            try:
                self.run(
                    [*control, "-w", "-l", str(log), "-o", f"-c config_file={place}/private.conf", "start"],
                    timeout + 30,
                )
            except BackupError as error:
                raise BackupError(f"PostgreSQL does not start on {data}: {self.tail(log)}") from error
            yield str(place)
        finally:
            if (data / "postmaster.pid").exists():
                with contextlib.suppress(BackupError):
                    self.run([*control, "-w", "-m", "fast", "stop"], timeout + 30)

    @staticmethod
    def tail(log: Path) -> str:
        """Return what a private server said last."""
        return explained(log.read_text(errors="replace")[-6000:] if log.exists() else "it wrote no log")

    def make_directory(self, path: Path) -> None:
        """Make a directory that only postgres can use."""
        path.mkdir(parents=True, exist_ok=True)
        shutil.chown(path, "postgres", "postgres")
        path.chmod(0o700)

    def wait_for(self, what: str, question: str, wanted: str, at: str, data: Path, timeout: float) -> None:
        """Wait until a question has the wanted answer; the server that dies meanwhile is explained."""
        deadline = time.monotonic() + timeout
        said = ""
        while time.monotonic() < deadline:
            try:
                said = self.sql(question, at=at)
                if said == wanted:
                    return
            except BackupError as error:
                said = str(error)
                if not (data / "postmaster.pid").exists():
                    break
            time.sleep(0.5)
        raise BackupError(f"{what}: not within {timeout:g} s ({said}); {self.tail(Path(at) / 'log')}")

    # --- drill

    def drill(self) -> dict[str, Any]:
        """Restore the newest backup to a scratch place, prove it, and write the report."""
        if self.is_leader():
            raise BackupError("this host is the leader: a drill would take its memory. Run it on a standby")
        place = Path(self.settings["drill_directory"])
        data = place / "data"
        self.make_directory(place)
        report: dict[str, Any] = {"ok": False, "problem": "", "stanza": self.stanza, "began": time.time()}
        before = self.read_drill()
        with locked(place / "lock"):
            try:
                self._drill(place, data, report)
                report["ok"] = True
            except BackupError as error:
                report["problem"] = " ".join(str(error).split())
            finally:
                self.clear(data, place / "server")
                now = time.time()
                report.update(
                    finished=now,
                    seconds=round(now - report["began"], 1),
                    last_success=now if report["ok"] else before.get("last_success", 0),
                )
                self.state.mkdir(parents=True, exist_ok=True)
                (self.state / "drill.json").write_text(json.dumps(report, indent=2) + "\n")
                with contextlib.suppress(BackupError):
                    self.write_metrics()
        return report

    def _drill(self, place: Path, data: Path, report: dict[str, Any]) -> None:
        self.clear(data, place / "server")
        backup = choose_backup(self.backups(), None)
        self.check_space(place, backup, 1.2)
        report.update(
            backup=backup["label"],
            type=backup["type"],
            backup_age_seconds=round(time.time() - backup["timestamp"]["stop"]),
            database_bytes=backup["info"]["size"],
        )
        self.make_directory(data)
        limit = float(self.settings["restore_timeout"])
        drill = f"--config={self.settings['drill_configuration']}"
        began = time.monotonic()
        self.pgbackrest(drill, "restore", "--log-level-console=warn", timeout=limit)
        report["restore_seconds"] = round(time.monotonic() - began, 1)
        began = time.monotonic()
        options = {
            "restore_command": f'pgbackrest {drill} --stanza={self.stanza} archive-get %f "%p"',
            "archive_mode": "off",
            "fsync": "off",
            "full_page_writes": "off",
        }
        with self.private_server(data, place / "server", options, limit) as at:
            self.wait_for("recovery", "select pg_is_in_recovery()", "f", at, data, limit)
            report["recovery_seconds"] = round(time.monotonic() - began, 1)
            began = time.monotonic()
            where = ["-h", at, "-p", str(self.settings["port"])]
            self.run(
                [self.program("pg_amcheck"), *where, "--all", "--install-missing", "--heapallindexed", "--rootdescend"],
                limit,
            )
            report["amcheck_seconds"] = round(time.monotonic() - began, 1)
            report["databases"] = int(self.sql("select count(*) from pg_database where datallowconn", at=at))
            beat = float(self.sql(f"select extract(epoch from beat) from {SENTINEL} where id = 1", at=at) or 0)
            if not beat:
                raise BackupError(f"the sentinel row is missing in the restored data (table {SENTINEL})")
            report["data_until"] = datetime.datetime.fromtimestamp(beat).astimezone().isoformat(timespec="seconds")
            report["data_age_seconds"] = round(report["began"] - beat)
        self.run([self.program("pg_checksums"), "--check", "-D", str(data)], limit)
        report["checksums"] = "right"

    def clear(self, data: Path, server: Path) -> None:
        """Remove a scratch place, that of a killed run as well."""
        if (data / "postmaster.pid").exists():
            with contextlib.suppress(BackupError):
                self.run([self.program("pg_ctl"), "-D", str(data), "-w", "-m", "immediate", "stop"])
        for path in (data, server):
            shutil.rmtree(path, ignore_errors=True)

    def check_space(self, place: Path, backup: dict[str, Any], factor: float) -> None:
        """Refuse when a restored copy has no room."""
        free, wanted = shutil.disk_usage(place).free, int(backup["info"]["size"] * factor) + (256 << 20)
        if free < wanted:
            raise BackupError(f"{place}: {free >> 20} MiB are free, {wanted >> 20} MiB are wanted for a restored copy")

    # --- restore

    @property
    def prepared(self) -> Path:
        """Where a restore is prepared: on the file system of the data directory, so that it is only renamed."""
        return self.data.parent / "enlevohub-restore"

    def plan(self, target: datetime.datetime | None) -> dict[str, Any]:
        """Return what a restore would do on this host; its problems refuse the restore."""
        found: dict[str, Any] = {"problems": [], "leader": self.is_leader(), "data": self.data.exists()}
        try:
            if target and target.timestamp() > time.time():
                raise BackupError(f"target {target.isoformat(sep=' ')} is in the future")
            backup = choose_backup(self.backups(), target)
            self.data.parent.mkdir(parents=True, exist_ok=True)
            self.check_space(self.data.parent, backup, 1.1)
            stop = datetime.datetime.fromtimestamp(backup["timestamp"]["stop"]).astimezone()
            found.update(
                backup=backup["label"],
                backup_ended=stop.isoformat(sep=" "),
                size_mib=backup["info"]["size"] >> 20,
                free_mib=shutil.disk_usage(self.data.parent).free >> 20,
                target=target.isoformat(sep=" ") if target else "the newest data of the archive",
            )
        except BackupError as error:
            found["problems"].append(str(error))
        return found

    def archive_options(self, data: Path) -> dict[str, str]:
        """Return the commands for WAL of a database that lies elsewhere than the real one."""
        command = f"pgbackrest --stanza={self.stanza} --pg1-path={data} --no-archive-async"
        return {"restore_command": f'{command} archive-get %f "%p"', "archive_command": f"{command} archive-push %p"}

    def recovery_options(self, target: datetime.datetime | None, timeline: str, action: str) -> dict[str, str]:
        """Return the settings of a recovery."""
        options = {"recovery_target_timeline": timeline, "archive_mode": "off"}
        if target:
            options["recovery_target_time"] = target.isoformat(sep=" ")
            options["recovery_target_action"] = action
        return options

    def prepare(self, target: datetime.datetime | None, timeline: str) -> dict[str, Any]:
        """Restore beside the running database; with a target, replay up to it and look at the result."""
        place, limit = self.prepared, float(self.settings["restore_timeout"])
        data = place / "data"
        self.make_directory(place)
        self.clear(data, place / "server")
        self.make_directory(data)
        kind = ["--type=time", f"--target={target.isoformat(sep=' ')}"] if target else ["--type=default"]
        began = time.monotonic()
        try:
            self.pgbackrest(
                f"--pg1-path={data}",
                "restore",
                *kind,
                f"--target-timeline={timeline}",
                "--log-level-console=warn",
                timeout=limit,
            )
            report: dict[str, Any] = {"restore_seconds": round(time.monotonic() - began, 1), "data_until": ""}
            if target:
                options = {**self.recovery_options(target, timeline, "pause"), **self.archive_options(data)}
                with self.private_server(data, place / "server", options, limit) as at:
                    paused = "select pg_get_wal_replay_pause_state()"
                    self.wait_for(f"replay up to {target}", paused, "paused", at, data, limit)
                    report["data_until"] = self.sql("select pg_last_xact_replay_timestamp()", at=at)
        except BaseException:
            self.clear(data, place / "server")
            raise
        return report

    def activate(self, target: datetime.datetime | None, timeline: str) -> dict[str, Any]:
        """End the recovery of the prepared data, then let them take the place of the stopped database.

        The old data are moved only when everything else has been done, so a failure leaves them where they are.
        """
        limit, place = float(self.settings["restore_timeout"]), self.prepared
        data = place / "data"
        if not data.is_dir():
            raise BackupError(f"{data} is missing: nothing was prepared")
        if (self.data / "postmaster.pid").exists():
            raise BackupError(f"PostgreSQL runs on {self.data}: stop Patroni first")
        options = {
            **self.recovery_options(target, timeline, "promote"),
            **self.archive_options(data),
            "archive_mode": "on",
        }
        with self.private_server(data, place / "server", options, limit) as at:
            self.wait_for("end of recovery", "select pg_is_in_recovery()", "f", at, data, limit)
            timeline_now = int(self.sql("checkpoint; select timeline_id from pg_control_checkpoint()", at=at))
        if (data / "postmaster.pid").exists():
            raise BackupError(f"PostgreSQL does not stop on {data}")
        old = self.aside()
        data.rename(self.data)
        shutil.rmtree(place, ignore_errors=True)
        return {**old, "timeline": timeline_now}

    def aside(self) -> dict[str, Any]:
        """Put the data of the stopped database aside; returns where they are."""
        if (self.data / "postmaster.pid").exists():
            raise BackupError(f"PostgreSQL runs on {self.data}: stop Patroni first")
        if not self.data.exists():
            return {"kept": ""}
        kept = self.data.with_name(f"{self.data.name}.before-{datetime.datetime.now():%Y%m%dT%H%M%S}")
        self.data.rename(kept)
        return {"kept": str(kept)}


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One at a time; the lock goes with the process."""
    with open(path, "w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BackupError(f"another run holds {path}") from error
        yield


def main() -> int:
    """Do what the command line says; prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("status", "full", "incr", "keep", "beat", "drill", "aside"):
        verbs.add_parser(verb)
    for verb in ("plan", "prepare", "activate"):
        inner = verbs.add_parser(verb)
        inner.add_argument("--target", default="")
        inner.add_argument("--timeline", default="latest")
    given = parser.parse_args()
    try:
        host = Host(json.loads(SETTINGS.read_text()))
        target = parse_target(given.target) if getattr(given, "target", "") else None
        if given.verb in ("full", "incr"):
            answer = host.backup(given.verb)
        elif given.verb == "plan":
            answer = host.plan(target)
        elif given.verb in ("prepare", "activate"):
            answer = getattr(host, given.verb)(target, given.timeline)
        else:
            answer = getattr(host, given.verb)()
    except (BackupError, OSError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 1 if given.verb == "drill" and not answer["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
