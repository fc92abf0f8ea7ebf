"""Ask a running lab how it is, the way an operator would: by SSH and by HTTPS."""

from __future__ import annotations

import json
import shlex
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from enlevohub_lab import containers
from enlevohub_lab.errors import LabError
from enlevohub_lab.inventory import Environment
from enlevohub_lab.parts import Part, Report, database_part, etcd_part, pools_part, releases_part, servers_part
from enlevohub_lab.ssh import Access

PATRONI = "sudo -n patronictl -c /etc/patroni/config.yml list -f json"
POOLS = "sudo -n /usr/local/sbin/load-balancer-pools"
ETCD = shlex.join(
    [
        "python3",
        "-c",
        "import urllib.request as r; print(r.urlopen('http://127.0.0.1:2381/health', timeout=3).read().decode())",
    ]
)


JOURNAL = "sudo -n bash -lc 'etcdctl get --prefix /enlevohub/{name}/releases/ --print-value-only' | python3 -c {read}"
READ = shlex.quote(
    "import json, sys; print(json.dumps([json.loads(line) for line in sys.stdin if line.strip()]))"
)


def public_address(environment: Environment) -> str:
    """The HTTPS address of the first load balancer's published port, empty when there is none."""
    for name in environment.groups.get("load_balancers", ()):
        for port in environment.hosts[name].published_ports:
            if port.endswith(":443"):
                return f"https://localhost:{port.split(':')[1]}"
    return ""


def ask_page(address: str, vault: Path) -> Part:
    """Fetch the first page over HTTPS, trusting only the environment's own authority."""
    name = "Page"
    if not address:
        return Part(name, problem="no load balancer publishes port 443 (lab_published_ports)")
    try:
        certificate = yaml.safe_load(vault.read_text())["vault_pki_ca_certificate"]
        context = ssl.create_default_context(cadata=certificate)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(f"{address}/", timeout=10) as answer:
            return Part(name, [{"address": address, "answer": f"HTTP {answer.status}"}])
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        reason = _page_problem(error)
        return Part(name, [{"address": address, "answer": "none"}], f"{address}/: {reason}")


def _page_problem(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    if isinstance(error, KeyError):
        return f"no {error} in the environment's vault.yml"
    return _last_line(str(getattr(error, "reason", error)))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:160] if lines else "no answer"


def ask(access: Access, address: str, command: str) -> tuple[Any, str]:
    """The JSON that a command on a server prints, and the reason when there is none."""
    try:
        done = access.run(address, command)
    except LabError as error:
        return None, _last_line(str(error))
    if done.returncode != 0:
        return None, _last_line(done.stderr or done.stdout)
    try:
        return json.loads(done.stdout), ""
    except ValueError:
        return None, f"unreadable answer: {_last_line(done.stdout)}"


def ask_first(access: Access, environment: Environment, group: str, command: str) -> tuple[Any, str]:
    """The answer of the first server of a group that gives one, else every reason."""
    reasons = []
    for name in environment.groups.get(group, ()):
        answer, reason = ask(access, str(environment.hosts[name].address), command)
        if not reason:
            return answer, ""
        reasons.append(f"{name}: {reason}")
    return None, "; ".join(reasons) or f"no host in {group}"


def collect(environment: Environment, access: Access, vault: Path) -> Report:
    """Ask everything side by side.

    Args:
        environment: the lab.
        access: its SSH files.
        vault: the file that holds the certificate of its authority.
    """
    address = public_address(environment)
    etcd_hosts = environment.groups.get("etcd_servers", ())

    def etcd() -> Part:
        with ThreadPoolExecutor(max_workers=8) as each:
            answers = each.map(lambda name: ask(access, str(environment.hosts[name].address), ETCD), etcd_hosts)
            return etcd_part(dict(zip(etcd_hosts, answers, strict=True)))

    questions: dict[str, Callable[[], Part]] = {
        "Page": lambda: ask_page(address, vault),
        "Database": lambda: database_part(*ask_first(access, environment, "database_servers", PATRONI)),
        "Load balancer": lambda: pools_part(*ask_first(access, environment, "load_balancers", POOLS)),
        "Releases": lambda: releases_part(
            *ask_first(access, environment, "etcd_servers", JOURNAL.format(name=environment.name, read=READ))
        ),
        "etcd": etcd,
        "Servers": lambda: servers_part(environment, containers.existing(environment.name)),
    }
    with ThreadPoolExecutor(max_workers=len(questions)) as pool:
        parts = list(pool.map(lambda item: answered(*item), questions.items()))
    return Report(environment.name, address, parts)


def answered(name: str, question: Callable[[], Part]) -> Part:
    """The part a question gives; a question that cannot be asked or answers in another form becomes a problem."""
    try:
        return question()
    except LabError as error:
        return Part(name, problem=_last_line(str(error)))
    except (KeyError, TypeError, AttributeError) as error:
        return Part(name, problem=f"unexpected form of answer ({type(error).__name__}: {error})")
