"""One more blank server, on which everything runs alone: by site.yml, and beside it by files/compose.yaml."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
import yaml

from enlevohub_drill.cases import blank_server
from enlevohub_drill.site import BIN, ROOT, Datacenter, extra_vars, program, resolve

NAME = "server1"
INVENTORY = ROOT / "inventories" / "single"


@pytest.fixture(scope="session")
def blank(datacenter: Datacenter) -> Iterator[str]:
    """The address of one more server in the network of the scenario; removed afterwards."""
    with blank_server(datacenter, NAME) as address:
        yield address


@pytest.fixture(scope="session")
def secrets() -> Iterator[dict[str, str]]:
    """The secrets of the environment, made for the test and encrypted as an operator has them."""
    vault, password = ROOT / "group_vars" / "single" / "vault.yml", ROOT / ".vault" / "single.password"
    assert not vault.exists(), f"{vault} exists: the test would use the secrets of a real server"
    made = program("enlevohub_secrets", "--environment", "single")
    assert made.returncode == 0, made.stderr
    try:
        view = [str(BIN / "ansible-vault"), "view", "--vault-password-file", str(password), str(vault)]
        text = subprocess.run(view, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(password))
            yield yaml.safe_load(text)
    finally:
        vault.unlink()
        password.unlink()


@pytest.fixture(scope="session")
def compose_port() -> int:
    """The port that files/compose.yaml publishes, beside those of site.yml."""
    return 8088


@pytest.fixture(scope="session")
def arguments(datacenter: Datacenter, blank: str, compose_port: int) -> tuple[str, ...]:
    """What ansible-playbook needs to reach a lab host instead of the example address."""
    state = ROOT / ".lab" / datacenter.inventory.name
    values = {
        "ansible_host": blank,
        "ansible_user": "operator",
        "ansible_ssh_private_key_file": str(state / "id_ed25519"),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={state}/known_hosts",
        "base_time_service": "none",
        # What files/compose.yaml publishes beside it.
        "firewall_further_services": [{"name": "compose.yaml", "ports": [compose_port], "anywhere": True}],
    }
    return extra_vars(state / "single.yml", **values)


@pytest.fixture(scope="session")
def server(datacenter: Datacenter, blank: str, secrets: dict[str, str], arguments: tuple[str, ...]) -> Datacenter:
    """The server after site.yml."""
    variables, groups = resolve(INVENTORY)
    one = Datacenter(INVENTORY, groups, {NAME: {**variables[NAME], "ansible_host": blank}}, secrets)
    one.public = f"https://{blank}"
    one._hosts[NAME] = datacenter.connect(blank)
    one.playbook(*arguments)
    return one
