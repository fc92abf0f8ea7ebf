"""A play of the role f5_pool against the simulator, by the real ansible-playbook and the real modules."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.enlevohub.datacenter.plugins.plugin_utils.f5_model import f5_model
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from enlevohub_f5sim.server import Simulator
from tests.conftest import ROOT

USER = "enlevohub"
PASSWORD = "Very-Secret-f5-Word"
SECONDS = 240
OPTIONS: dict[str, Any] = {
    "prefix": "enlevohub",
    "partition": "Common",
    "tenant": "EnlevoHub",
    "method": "none",
    "names": {},
    "balancing": "least-connections-member",
    "slow_ramp": 10,
    "interval": 2,
    "sync_group": "",
    "virtual_servers": False,
    "address": "",
    "ssl_profile": "/Common/enlevohub",
    "snat": "automap",
}
BACKEND = "/Common/enlevohub_backend"
FRONTEND = "/Common/enlevohub_frontend"
HOSTS = {"app1": "192.0.2.11", "app2": "192.0.2.12", "app3": "192.0.2.13"}


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "f5.example")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = (directory / "f5.crt", directory / "f5.key")
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def members(hosts: dict[str, str], port: int, ports: dict[str, int] | None = None) -> list[dict[str, Any]]:
    """Return members as the topology filter does."""
    return [
        {"name": name, "host": name, "address": address, "port": (ports or {}).get(name, port), "number": 1}
        for name, address in hosts.items()
    ]


def pools(hosts: dict[str, str] | None = None, ports: dict[str, int] | None = None) -> list[dict[str, Any]]:
    """Return the two pools of the load balancer; the frontend runs on the first host."""
    hosts = hosts or HOSTS
    first = next(iter(hosts))
    return [
        {"name": "backend", "paths": ["/api"], "health_path": "/health/ready", "members": members(hosts, 3001, ports)},
        {
            "name": "frontend",
            "paths": ["/"],
            "health_path": "/healthz",
            "members": members({first: hosts[first]}, 80),
        },
    ]


@dataclass
class Run:
    """What a playbook said."""

    code: int
    output: str

    @property
    def said(self) -> str:
        """The output in one line."""
        return " ".join(self.output.split())

    @property
    def changed(self) -> list[str]:
        """The tasks that changed something."""
        found, task = [], ""
        for line in self.output.splitlines():
            if line.startswith("TASK ["):
                task = line[6:].rsplit("]", 1)[0].split(" : ")[-1]
            if line.startswith("changed:"):
                found.append(task)
        return found


@dataclass
class Site:
    """A control machine with one simulated F5."""

    simulator: Simulator
    directory: Path
    certificate: Path
    values: dict[str, Any] = field(default_factory=dict)

    def variables(self, **changed: Any) -> dict[str, Any]:
        """Return the variables of a run."""
        return {
            "f5_pool_pools": pools(),
            "f5_pool_directory": str(self.directory / "artefacts"),
            "f5_pool_push": "modules",
            "f5_pool_server": "127.0.0.1",
            "f5_pool_port": self.simulator.port,
            "f5_pool_user": USER,
            "f5_pool_password": PASSWORD,
            "f5_pool_delay": 0,
            "f5_pool_new_member_timeout": 20,
            "f5_pool_force_timeout": 1,
            "load_balancer_drain_timeout": 3,
            "load_balancer_enable_timeout": 20,
            "load_balancer_minimum": 1,
            "enlevohub_environment": "test",
            **self.values,
            **changed,
        }

    def run(self, *steps: Any, options: tuple[str, ...] = (), code: int = 0, **changed: Any) -> Run:
        """Run plays one after the other.

        Args:
            steps: ``apply``, or a pair of a verb (drain, enable) and the name of a backend.
            options: further options of ansible-playbook.
            code: wanted exit code.
            changed: variables.
        """
        values = self.variables(**changed)
        plays = []
        for step in steps or ("apply",):
            role: dict[str, Any] = {"name": "f5_pool"}
            if step != "apply":
                verb, name = step
                backends = values["f5_pool_pools"][0]["members"]
                (member,) = [item for item in backends if item["name"] == name]
                role["tasks_from"] = verb
            task: dict[str, Any] = {"name": "Do the step", "ansible.builtin.include_role": role}
            if step != "apply":
                task["vars"] = {"load_balancer_member": {**member, "pool": "backend"}}
            hosts = "all" if step == "apply" else "app1"
            plays.append({"name": str(step), "hosts": hosts, "gather_facts": False, "tasks": [task]})
        (self.directory / "play.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
        inventory = {"all": {"hosts": {name: {"ansible_host": address} for name, address in HOSTS.items()}}}
        (self.directory / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
        file = self.directory / "values.json"
        file.write_text(json.dumps(values), encoding="utf-8")
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        done = subprocess.run(
            [program, "-i", "hosts.yml", "play.yml", "-e", f"@{file}", *options],
            cwd=self.directory,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_FORCE_COLOR": "0",
                "SSL_CERT_FILE": str(self.certificate),
            },
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        run = Run(done.returncode, done.stdout + done.stderr)
        assert run.code == code, run.output[-8000:]
        return run

    def seed(self, hosts: dict[str, str] | None = None, ports: dict[str, int] | None = None) -> None:
        """Put monitors, pools and enabled members on the F5, as a run of the role leaves them."""
        device = self.simulator.device
        model = f5_model(pools(hosts, ports), {**OPTIONS, "method": "modules"})
        with device.lock:
            for monitor in model["monitors"]:
                values = {"send": monitor["send"], "recv": monitor["receive"]}
                values.update({key: monitor[key] for key in ("interval", "timeout")})
                device.create("ltm/monitor/http", monitor["path"], values)
            for pool in model["pools"]:
                settings = {
                    "monitor": pool["monitor"],
                    "loadBalancingMode": pool["balancing"],
                    "slowRampTime": pool["slow_ramp"],
                }
                device.create("ltm/pool", pool["path"], settings)
                for member in pool["members"]:
                    name = f"{member['node']}:{member['port']}"
                    device.put_member(pool["path"], name, "Common", {"address": member["address"]})

    def sessions(self, pool: str = BACKEND) -> dict[str, str]:
        """Return what somebody set for each member."""
        with self.simulator.device.lock:
            found = self.simulator.device.members[pool].values()
            return {item.name: "forced" if item.state == "user-down" else item.session for item in found}
