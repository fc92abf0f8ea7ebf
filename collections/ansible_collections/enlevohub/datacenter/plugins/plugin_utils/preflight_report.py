"""Findings of the inventory and of all hosts as one text."""

from __future__ import annotations

from typing import Any

from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.preflight_model import Finding


def host_findings(probes: dict[str, dict[str, Any]]) -> list[Finding]:
    """Return the findings of all hosts, and those that only show when hosts are compared.

    Args:
        probes: result of the probe by host.
    """
    found = [Finding(**item) for probe in probes.values() for item in probe.get("findings", [])]
    found += [
        Finding(f"host {host}", "", "the question to the host was lost", "run again; with -vvv if it stays")
        for host, probe in probes.items()
        if "findings" not in probe
    ]
    for key, name, fix in (
        ("hostname", "host name", "give each server a name of its own: hostnamectl set-hostname <name>"),
        ("machine_id", "machine id", "on the copy: rm /etc/machine-id && systemd-machine-id-setup, then reboot"),
    ):
        users: dict[str, list[str]] = {}
        for host, probe in probes.items():
            value = probe.get("identity", {}).get(key)
            if value:
                users.setdefault(value, []).append(host)
        for value, hosts in users.items():
            if len(hosts) > 1:
                shown = f"{name} {value}" if key == "hostname" else f"{name}"
                problem = f"{' and '.join(hosts)} have the same {shown}: a copied disk, or two names of one server"
                found.append(Finding(f"host {hosts[1]}", name, problem, fix))
    return found


# PostgreSQL in the packages of each distribution.
DISTRIBUTION_POSTGRESQL = {("Debian", "12"): 15, ("Debian", "13"): 17, ("Ubuntu", "22.04"): 14, ("Ubuntu", "24.04"): 16}


def package_findings(probes: dict[str, dict[str, Any]]) -> list[Finding]:
    """Return where the chosen packages do not exist: one finding for each system.

    Args:
        probes: result of the probe by host; ``packages`` tells what the host will install.
    """
    wrong: dict[tuple[str, str, str], list[str]] = {}
    for host, probe in probes.items():
        packages, system = probe.get("packages", {}), probe.get("host", {})
        name = (system.get("os", ""), system.get("os_version", ""))
        shown = " ".join(name)
        if packages.get("docker_channel") == "debian" and name != ("Debian", "13") and name in DISTRIBUTION_POSTGRESQL:
            key = ("docker_channel", f"{shown} has no packages of Docker with Compose 2", "use docker_ce")
            wrong.setdefault(key, []).append(host)
        version, offered = packages.get("postgresql_version"), DISTRIBUTION_POSTGRESQL.get(name)
        if packages.get("patroni_channel") == "debian" and offered is not None and version != offered:
            key = (
                "patroni_channel",
                f"{shown} has PostgreSQL {offered}, not {version}",
                f"use pgdg, or version {offered}",
            )
            wrong.setdefault(key, []).append(host)
        if packages.get("redis_driver") == "internal" and name == ("Ubuntu", "22.04"):
            key = ("redis_driver", f"{shown} has Redis 6.0, 6.2 is the least", "use external, none, or a later system")
            wrong.setdefault(key, []).append(host)
    return [
        Finding(f"host {', '.join(hosts)}", variable, problem, fix) for (variable, problem, fix), hosts in wrong.items()
    ]


def _section(title: str, findings: list[Finding]) -> list[str]:
    lines = [title] if findings else []
    for number, finding in enumerate(findings, 1):
        name = f"  {finding.variable}" if finding.variable else ""
        lines += [f"{number:3}. {finding.where}{name}", f"     {finding.problem}", f"     fix: {finding.fix}"]
    return [*lines, ""] if lines else []


def counted(number: int, word: str) -> str:
    """Return a number with its word, in the plural when it is not one."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def report(environment: str, findings: list[Finding], survival: list[str], hosts: int) -> str:
    """Return the report.

    Args:
        environment: name of the environment.
        findings: findings and warnings.
        survival: lines of the survival table.
        hosts: number of hosts that were asked.
    """
    wrong = [finding for finding in findings if not finding.warning]
    warnings = [finding for finding in findings if finding.warning]
    counts = f"{counted(len(wrong), 'finding')}, {counted(len(warnings), 'warning')}, {counted(hosts, 'host')} asked"
    head = f"Preflight of {environment}: {counts}."
    head += " Nothing was changed." if wrong else ""
    lines = [head, "", *_section("Findings", wrong), *_section("Warnings", warnings), "Survival", *survival]
    return "\n".join(lines)
