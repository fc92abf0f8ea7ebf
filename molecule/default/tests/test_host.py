"""Every host: secrets stay where they belong, certificates are good, nothing failed."""

from __future__ import annotations

import base64
import json
from typing import Any

SEARCH = """
import base64, json, os, subprocess, sys
secrets = json.loads(base64.b64decode(sys.stdin.read()))
def texts():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as handle:
                    yield f"/proc/{pid}/{name}", handle.read()
            except OSError:
                continue
    yield "journal", subprocess.run(["journalctl", "--no-pager", "-q", "-o", "cat"], capture_output=True).stdout
    for top in ("/tmp", "/var/tmp", "/var/log", "/home", "/root"):
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and os.path.getsize(path) < 50_000_000:
                    with open(path, "rb") as handle:
                        yield path, handle.read()
found = [f"{name} in {where}" for where, text in texts() for name, value in secrets.items() if value.encode() in text]
print(json.dumps(found))
"""


def test_no_secret_in_processes_logs_or_temporary_files(datacenter: Any, any_server: str) -> None:
    assert all(len(value) >= 16 for value in datacenter.needles.values())
    script = base64.b64encode(SEARCH.encode()).decode()
    data = base64.b64encode(json.dumps(datacenter.needles).encode()).decode()
    program = f"import base64; exec(base64.b64decode('{script}'))"
    assert json.loads(datacenter.run(any_server, f'echo {data} | python3 -c "{program}"')) == []


def test_host_certificate_is_valid_for_a_client_and_a_server(datacenter: Any, any_server: str) -> None:
    for purpose in ("sslclient", "sslserver"):
        command = f"openssl verify -purpose {purpose} -CAfile /etc/enlevohub/pki/ca.crt /etc/enlevohub/pki/host.crt"
        assert datacenter.run(any_server, command).endswith(": OK")


def test_private_key_was_made_on_its_host(datacenter: Any) -> None:
    servers = datacenter.groups["etcd_servers"]
    keys = {datacenter.run(server, "openssl pkey -in /etc/enlevohub/pki/host.key -pubout") for server in servers}
    assert len(keys) == len(servers)


def test_private_key_is_readable_for_its_group_only(datacenter: Any, any_server: str) -> None:
    key = datacenter.host(any_server).file("/etc/enlevohub/pki/host.key")
    assert (key.user, key.group, key.mode) == ("root", "ssl-cert", 0o640)


def test_no_unit_failed(datacenter: Any, any_server: str) -> None:
    assert datacenter.run(any_server, "systemctl --failed --no-legend --plain") == ""
