"""Turn what came back from a host, or did not, into findings."""

from __future__ import annotations

import re
from typing import Any

Clock = tuple[float, float]


def offset_range(sent: float, host: Clock, received: float) -> tuple[float, float]:
    """Return the least and the greatest offset of a host's clock in seconds that the times allow.

    The host read its clock twice between sending and receiving, so the true offset lies in this range however slow the
    connection was.

    Args:
        sent: time of the control machine before the call.
        host: time of the host at the begin and the end of its part.
        received: time of the control machine after the call.
    """
    return host[1] - received, host[0] - sent


def clock_problem(sent: float, host: Clock, received: float, limit: float) -> str:
    """Return what is wrong with the clock of a host; empty when the offset may be within the limit."""
    least, greatest = offset_range(sent, host, received)
    if least <= limit and greatest >= -limit:
        return ""
    middle = (least + greatest) / 2
    way = "ahead of" if middle > 0 else "behind"
    return (
        f"the clock is {abs(middle):.1f} s {way} the control machine (measured to {abs(greatest - least) / 2:.2f} s), "
        f"{limit:g} s are allowed"
    )


_UNREACHABLE = (
    (
        r"permission denied|too many authentication failures|authentication failed",
        "ansible_user",
        "SSH refuses the login of {user}",
        "put the key of the control machine into the user's authorized_keys, or correct ansible_user",
    ),
    (
        r"host key verification failed|remote host identification has changed",
        "ansible_host",
        "the SSH host key is not known or has changed",
        "check the key of the server, then add it to known_hosts: ssh {address}",
    ),
    (
        r"connection refused",
        "ansible_host",
        "nothing listens for SSH at {address}",
        "start SSH there, or correct ansible_host and ansible_port",
    ),
    (r"could not resolve", "ansible_host", "the name {address} is not known", "write an IP address as ansible_host"),
    (
        r"no route to host|network is unreachable",
        "ansible_host",
        "there is no route to {address}",
        "correct ansible_host or the network",
    ),
    (
        r"timed out|timeout",
        "ansible_host",
        "no answer from {address}",
        "start the server, or correct ansible_host or the firewall",
    ),
)


def unreachable_finding(message: str, address: str, user: str) -> dict[str, str]:
    """Return the finding for a host that SSH does not reach.

    Args:
        message: what the connection said.
        address: address of the host.
        user: name for the login.
    """
    for pattern, variable, problem, fix in _UNREACHABLE:
        if re.search(pattern, message, re.IGNORECASE):
            return {
                "variable": variable,
                "problem": problem.format(address=address, user=user or "the user"),
                "fix": fix.format(address=address),
            }
    last = ([line.strip() for line in message.splitlines() if line.strip()] or ["no reason given"])[-1]
    return {
        "variable": "ansible_host",
        "problem": f"cannot be reached at {address}: {last[:200]}",
        "fix": "correct ansible_host, ansible_user or the network",
    }


_FAILED = (
    (
        r"password is required|(incorrect|missing) (sudo|become) password|waiting for privilege escalation",
        "ansible_become_password",
        "sudo asks for a password",
        "allow sudo without password for {user}, or run with --ask-become-pass",
    ),
    (
        r"is not in the sudoers|not allowed to (execute|run)|may not run sudo",
        "ansible_user",
        "{user} may not use sudo",
        "add {user} to the group sudo",
    ),
    (
        r"sudo: (command )?not found|sudo: no such file",
        "ansible_user",
        "sudo is not installed",
        "install the package sudo",
    ),
    (
        r"python\S*: (command )?not found|python\S*: no such file|interpreter .* was not found",
        "ansible_python_interpreter",
        "{python} is missing",
        "install the package python3",
    ),
    (
        r"requires a minimum of python|syntaxerror",
        "ansible_python_interpreter",
        "Python is too old",
        "install Python 3.9 or later",
    ),
)


def failed_finding(message: str, user: str, python: str) -> dict[str, str]:
    """Return the finding for a host that was reached but could not be asked.

    Args:
        message: all that the module or the shell said.
        user: name of the login.
        python: interpreter that was tried.
    """
    for pattern, variable, problem, fix in _FAILED:
        if re.search(pattern, message, re.IGNORECASE):
            names = {"user": user or "the user", "python": python or "python3"}
            return {"variable": variable, "problem": problem.format(**names), "fix": fix.format(**names)}
    lines = [line.strip() for line in message.splitlines() if line.strip()] or ["no reason given"]
    return {
        "variable": "",
        "problem": f"cannot be asked: {lines[-1][:300]}",
        "fix": "log in by SSH and try sudo python3 there",
    }


def with_place(host: str, findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return findings with the host as their place."""
    return [{"where": f"host {host}", **finding} for finding in findings]
