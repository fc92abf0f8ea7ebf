"""Run other programs with a time limit and a readable error."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence

from enlevohub_lab.errors import LabError


def tail(text: str, lines: int = 15) -> str:
    """The last non-empty lines of a text, indented for an error message."""
    kept = [line for line in text.splitlines() if line.strip()][-lines:]
    return "\n".join(f"    {line}" for line in kept)


def run(
    command: Sequence[str],
    *,
    timeout: float,
    stdin: str | None = None,
    check: bool = True,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command and return its output.

    Args:
        command: program and arguments (never a secret: arguments are visible to every user of the machine).
        timeout: limit in seconds.
        stdin: text for its standard input; without it the input is empty.
        check: raise when the exit status is not 0.
        env: variables added to the environment of this process.

    Raises:
        LabError: program missing, time limit reached, or (with `check`) exit status not 0.
    """
    try:
        done = subprocess.run(
            list(command),
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env={**os.environ, **env} if env else None,
        )
    except FileNotFoundError as error:
        raise LabError(f"`{command[0]}` is not installed on this machine.") from error
    except subprocess.TimeoutExpired as error:
        output = error.stderr or error.stdout or b""
        text = output.decode(errors="replace") if isinstance(output, bytes) else output
        raise LabError(f"`{shlex.join(command)}` did not end within {timeout:g} s.\n{tail(text)}") from error
    if check and done.returncode != 0:
        raise LabError(
            f"`{shlex.join(command)}` failed (exit status {done.returncode}).\n{tail(done.stderr or done.stdout)}"
        )
    return done


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 server", "2 servers"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def as_root(command: Sequence[str]) -> list[str]:
    """The command with sudo in front, unless this process is root already."""
    return list(command) if os.geteuid() == 0 else ["sudo", *command]


def docker(*arguments: str, timeout: float = 60, stdin: str | None = None, check: bool = True) -> str:
    """Run a docker command (limit in seconds) and return its standard output without the last line end.

    Raises:
        LabError: see `run`.
    """
    return run(["docker", *arguments], timeout=timeout, stdin=stdin, check=check).stdout.rstrip("\n")
