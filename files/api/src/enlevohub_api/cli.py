"""Command line: ``enlevohub-api serve | migrate | copy-storage | grant-root | healthcheck``.

Heavy modules are imported by the command that needs them: the health check runs every few seconds.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys

EXIT_CONFIGURATION = 2


def main(arguments: list[str] | None = None) -> int:
    """Run one command and give its exit code: 0 done, 1 failed, 2 wrong configuration."""
    parser = argparse.ArgumentParser(prog="enlevohub-api", description="EnlevoHub API service")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="answer requests until SIGTERM")
    migrate = commands.add_parser("migrate", help="upgrade the database schema to the newest revision")
    migrate.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for a leader and the lock (60)")
    grant = commands.add_parser("grant-root", help="give a user the role ROOT, which no registration gives")
    grant.add_argument("email", help="e-mail of an existing user")
    copy = commands.add_parser("copy-storage", help="copy the files of a directory into the store of the settings")
    copy.add_argument("directory", help="directory that was STORAGE_PATH; nothing in it is changed")
    commands.add_parser("healthcheck", help="ask the local service whether it is alive")
    options = parser.parse_args(arguments)
    if options.command == "healthcheck":
        return healthcheck()
    if options.command == "copy-storage":
        return _copy_storage(options.directory)
    if options.command == "grant-root":
        return _grant_root(options.email)
    return _serve() if options.command == "serve" else _migrate(options.timeout)


def healthcheck(timeout: float = 3.0) -> int:
    """GET /health/live on the loopback address; 0 when the answer is 200, else 1 and one line on stderr."""
    port = os.environ.get("PORT") or "3001"
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout) as connection:
            connection.sendall(b"GET /health/live HTTP/1.0\r\nHost: localhost\r\n\r\n")
            status = connection.makefile("rb").readline(200).split(b" ")
    except (OSError, ValueError, OverflowError) as error:
        print(f"enlevohub-api: unhealthy: port {port}: {error}", file=sys.stderr)
        return 1
    if len(status) > 1 and status[1] == b"200":
        return 0
    print(f"enlevohub-api: unhealthy: answer {status!r}", file=sys.stderr)
    return 1


def _serve() -> int:
    from enlevohub_api.settings import SettingsError, load_settings

    try:
        settings = load_settings(os.environ)
    except SettingsError as error:
        return _configuration_error(error)
    from enlevohub_api.server import serve

    return serve(settings)


def _migrate(timeout: float) -> int:
    from enlevohub_api.settings import SettingsError, load_database_url

    try:
        dsn = load_database_url(os.environ)
    except SettingsError as error:
        return _configuration_error(error)
    from enlevohub_api.migrate import MigrationError, migrate

    try:
        print(migrate(dsn, timeout))
    except MigrationError as error:
        print(f"enlevohub-api: migration failed: {error}", file=sys.stderr)
        return 1
    return 0


def _grant_root(email: str) -> int:
    from enlevohub_api.settings import SettingsError, load_database_url

    try:
        dsn = load_database_url(os.environ)
    except SettingsError as error:
        return _configuration_error(error)
    from enlevohub_api.operators import OperatorError, grant_root

    try:
        print(grant_root(dsn, email))
    except OperatorError as error:
        print(f"enlevohub-api: {error}", file=sys.stderr)
        return 1
    return 0


def _copy_storage(directory: str) -> int:
    import asyncio
    from pathlib import Path

    from enlevohub_api.settings import SettingsError, load_settings

    try:
        settings = load_settings(os.environ)
    except SettingsError as error:
        return _configuration_error(error)
    from enlevohub_api.copy_storage import copy_storage
    from enlevohub_api.storage import StorageUnavailable, open_storage

    store = open_storage(settings)

    async def run() -> int:
        await store.probe()
        summary = await copy_storage(Path(directory), store)
        print(summary.text())
        return 1 if summary.failed else 0

    try:
        return asyncio.run(run())
    except (OSError, StorageUnavailable) as error:
        print(f"enlevohub-api: {store.uri}: {error}", file=sys.stderr)
        return 1


def _configuration_error(error: Exception) -> int:
    print(f"enlevohub-api: configuration error: {error}", file=sys.stderr)
    return EXIT_CONFIGURATION
