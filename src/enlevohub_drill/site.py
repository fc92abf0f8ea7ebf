"""The datacenter under test: its inventory, its hosts over SSH, its playbooks, its public address."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import testinfra
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PLAYBOOK_LIMIT = 1500.0
TLS_REFUSED = (35, 55, 56)
"""What curl ends with where a server refuses its TLS: in the handshake, while it sends, or while it waits."""


def program(*words: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """Run one of the project's programs, such as ``enlevohub_lab``, as ``python -m``; the result is for the caller."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [str(BIN / "python"), "-m", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )


def extra_vars(path: Path, **values: Any) -> tuple[str, str]:
    """Write variables to a file; return the arguments that give them to ansible-playbook."""
    path.write_text(yaml.safe_dump(values))
    return ("--extra-vars", f"@{path}")


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.text)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Show redirections instead of following them."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing."""


@dataclass
class PlaybookRun:
    """What one run of ansible-playbook said."""

    code: int
    lines: list[tuple[float, str]] = field(repr=False)

    @cached_property
    def output(self) -> str:
        """All that it said."""
        return "\n".join(line for _, line in self.lines)

    def seconds_between(self, first: str, last: str) -> float:
        """Return the seconds from the first line that begins with a text to the last one that begins with another."""
        begins = [moment for moment, line in self.lines if line.startswith(first)]
        ends = [moment for moment, line in self.lines if line.startswith(last)]
        return ends[-1] - begins[0] if begins and ends else 0.0

    @cached_property
    def changed(self) -> dict[str, int]:
        """Number of changed tasks by host."""
        return {host: int(count) for host, count in re.findall(r"^(\w+)\s+: ok=\d+\s+changed=(\d+)", self.output, re.M)}

    @cached_property
    def changed_tasks(self) -> set[tuple[str, str]]:
        """The changed tasks as (task, host)."""
        found: set[tuple[str, str]] = set()
        task = ""
        for line in self.output.splitlines():
            if line.startswith("TASK ["):
                task = line[6:].split("]")[0]
            match = re.match(r"changed: \[(\w+)", line)
            if match:
                found.add((task, match.group(1)))
        return found


@dataclass
class Datacenter:
    """The datacenter of one inventory.

    Attributes:
        control_group: file of a control group that playbooks run in; None: they share the CPUs with the servers.
        forks: servers that a task of a playbook works on at the same time; None: as ansible.cfg says.
    """

    inventory: Path
    groups: dict[str, list[str]]
    variables: dict[str, dict[str, Any]] = field(repr=False)
    secrets: dict[str, str] = field(repr=False)
    control_group: Path | None = None
    forks: int | None = None
    _hosts: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def needles(self) -> dict[str, str]:
        """One line of each secret, to look for it; the certificate of the CA is no secret."""
        found = {name: value.strip().splitlines() for name, value in self.secrets.items()}
        return {name: lines[len(lines) // 2] for name, lines in found.items() if name != "vault_pki_ca_certificate"}

    def secrets_in(self, text: str) -> list[str]:
        """Return the names of the secrets that stand in a text."""
        return [name for name, line in self.needles.items() if line in text]

    def address(self, name: str) -> str:
        """Return the address of a host."""
        return str(self.variables[name]["ansible_host"])

    def host(self, name: str) -> Any:
        """Return the testinfra host, over SSH as the operator with sudo."""
        if name not in self._hosts:
            self._hosts[name] = self.connect(self.address(name))
        return self._hosts[name]

    def connect(self, address: str) -> Any:
        """Return the testinfra host at an address of the lab's network."""
        state = ROOT / ".lab" / self.inventory.name
        return testinfra.get_host(
            f"ssh://operator@{address}?sudo=true&timeout=15&ssh_identity_file={state}/id_ed25519&controlpersist=300",
            ssh_extra_args=f"-o UserKnownHostsFile={state}/known_hosts -o BatchMode=yes",
        )

    def run(self, name: str, command: str) -> str:
        """Run a command on a host; it must succeed."""
        return str(self.host(name).check_output(command))

    def sql(self, name: str, statement: str, database: str = "enlevohub") -> str:
        """Run SQL on one database server as its superuser; returns unaligned text."""
        quoted = statement.replace("'", "'\\''")
        return self.run(name, f"sudo -u postgres psql -XAtq -d {database} -c '{quoted}'")

    def cluster(self) -> list[dict[str, Any]]:
        """Return the members of the database cluster as Patroni lists them, asked on any server that answers."""
        for name in self.groups["database_servers"]:
            result = self.host(name).run("timeout 20 patronictl -c /etc/patroni/config.yml list -f json")
            if result.rc == 0:
                found: list[dict[str, Any]] = json.loads(result.stdout)
                return found
        raise AssertionError("no database server answers patronictl")

    def leader(self) -> str:
        """Return the name of the leader."""
        (name,) = [member["Member"] for member in self.cluster() if member["Role"] == "Leader"]
        return str(name)

    def standby(self) -> str:
        """Return the name of the synchronous standby."""
        (name,) = [member["Member"] for member in self.cluster() if member["Role"] == "Sync Standby"]
        return str(name)

    def whole(self) -> bool:
        """Whether the cluster has a leader and a streaming synchronous standby."""
        state = sorted((member["Role"], member["State"]) for member in self.cluster())
        return state == [("Leader", "running"), ("Sync Standby", "streaming")]

    def switchover(self) -> str:
        """Move the leader, wait for a whole cluster, and return the name of the leader that was."""
        before = self.leader()
        self.run(before, "patronictl -c /etc/patroni/config.yml switchover --force")
        self.wait("a whole cluster", self.whole, 240)
        assert self.leader() != before
        return before

    def pools(self) -> list[dict[str, Any]]:
        """Return every member of the load balancer's pools with its state."""
        found: list[dict[str, Any]] = json.loads(self.balancer())
        return found

    def balancer(self, *words: str) -> str:
        """Give an order to the pools of the first load balancer, whatever drives it; returns what it said."""
        return self.run(self.groups["load_balancers"][0], " ".join(["load-balancer-pools", *words]))

    def journal(self) -> list[dict[str, Any]]:
        """Return the records of the journal of releases, oldest first."""
        prefix = f"/enlevohub/{self.inventory.name}/releases/"
        command = f"bash -lc 'etcdctl get --prefix {prefix} --print-value-only'"
        text = self.run(self.groups["etcd_servers"][0], command)
        return [json.loads(line) for line in text.splitlines() if line.strip()]

    def playbook(
        self,
        *arguments: str,
        code: int | None = 0,
        playbook: str = "playbooks/site.yml",
        limit_seconds: float = PLAYBOOK_LIMIT,
    ) -> PlaybookRun:
        """Run a playbook on the inventory; its exit code must be the given one (None: any)."""
        command = [str(BIN / "ansible-playbook"), "-i", str(self.inventory), playbook, *arguments]
        if self.control_group:
            command = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.control_group), *command]
        environment = {
            **os.environ,
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORCE_COLOR": "0",
            "PATH": f"{BIN}:{os.environ['PATH']}",
        }
        if self.forks:
            environment["ANSIBLE_FORKS"] = str(self.forks)
        lines: list[tuple[float, str]] = []
        limit = time.monotonic() + limit_seconds
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append((time.monotonic(), line.rstrip("\n")))
                assert time.monotonic() < limit, f"{playbook} takes longer than {limit_seconds} s"
        run = PlaybookRun(process.returncode, lines)
        assert code is None or run.code == code, run.output[-6000:]
        return run

    @cached_property
    def public(self) -> str:
        """The public address on this machine."""
        return f"https://localhost:{self.variables[self.groups['load_balancers'][0]]['enlevohub_public_port']}"

    def get(
        self, url: str, body: Any = None, token: str = "", headers: dict[str, str] | None = None, timeout: float = 30
    ) -> Answer:
        """Send a request, POST when there is a body (JSON, or bytes as they are); only the environment's CA counts."""
        context = ssl.create_default_context(cadata=self.secrets["vault_pki_ca_certificate"])
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), NoRedirect())
        sent = {"Content-Type": "application/json", **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(url if "://" in url else self.public + url, data=data, headers=sent)
        try:
            with opener.open(request, timeout=timeout) as answer:
                return self._answer(answer.status, answer)
        except urllib.error.HTTPError as error:
            return self._answer(error.code, error)

    @staticmethod
    def _answer(status: int, answer: Any) -> Answer:
        """Read an answer; the bytes of a picture become signs that mean nothing."""
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(status, headers, answer.read().decode(errors="replace"))

    def register(self) -> dict[str, Any]:
        """Register a company with a name of its own; returns the answer of the API."""
        unique = uuid.uuid4().hex[:12]
        answer = self.get(
            "/api/v1/auth/register",
            {
                "email": f"{unique}@obra.example",
                "password": f"Senha-{unique}A1",
                "name": "Ana Prado",
                "tenantName": f"Construtora {unique}",
                "tenantDocument": str(uuid.uuid4().int)[:14],
            },
        )
        assert answer.status == 200, answer.text
        body: dict[str, Any] = answer.body
        return {**body, "password": f"Senha-{unique}A1"}

    def create_project(self, token: str, name: str = "Residencial Aurora") -> Answer:
        """Create a project."""
        return self.get(
            "/api/v1/projects",
            {
                "name": name,
                "address": {
                    "street": "Rua das Obras",
                    "number": "10",
                    "neighborhood": "Centro",
                    "city": "Recife",
                    "state": "PE",
                    "zipCode": "50000-000",
                },
            },
            token,
        )

    def wait(self, what: str, condition: Callable[[], bool], seconds: float = 120, every: float = 0.5) -> float:
        """Wait until a condition holds; returns the seconds it took."""
        begin = time.monotonic()
        problem = ""
        while time.monotonic() - begin < seconds:
            try:
                if condition():
                    return time.monotonic() - begin
                problem = "not yet"
            except (AssertionError, OSError, ValueError, RuntimeError) as error:
                problem = str(error)[-500:]
            time.sleep(every)
        raise AssertionError(f"{what}: not within {seconds} s; last: {problem}")


@cache
def resolve(inventory: Path) -> tuple[dict[str, dict[str, Any]], dict[str, list[str]]]:
    """Ask ansible-inventory, once, for the variables of the hosts and for the groups."""
    command = [str(BIN / "ansible-inventory"), "-i", str(inventory), "--list"]
    data = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    groups = {name: group.get("hosts", []) for name, group in data.items() if name != "_meta"}
    return data["_meta"]["hostvars"], groups


def load_datacenter(inventory: Path) -> Datacenter:
    """Return the datacenter of an inventory whose secrets lie unencrypted, which is a lab's."""
    variables, groups = resolve(inventory)
    secrets = yaml.safe_load((ROOT / "group_vars" / inventory.name / "vault.yml").read_text())
    return Datacenter(inventory, groups, variables, secrets)
